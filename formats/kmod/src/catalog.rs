//! The modules of a version by their names, and look-ups among them as modprobe does.

mod aliases;
mod listed;
mod load;
mod lookup;

pub use listed::{Catalog, Listed, Texts};
pub use lookup::Found;
