//! Trees become other trees.

pub mod normalize;
pub mod ownership;
