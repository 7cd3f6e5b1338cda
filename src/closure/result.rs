//! The results of a search: what is kept, why, and what is missing.

pub mod costs;
pub mod explain;
mod kept;
pub mod missing;
pub mod reason;

pub use kept::{Closure, keep};
