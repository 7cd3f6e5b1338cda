//! Archives of packages: their location, their signed metadata, and their indices.

mod acquire;
mod hosts;
mod locate;
mod release;
mod snapshot;
mod sources;

pub use acquire::{Acquired, PocketIndex, acquire};
pub use hosts::{Place, Places, places};
pub use locate::{Context, Pocket};
pub use release::Release;
pub use sources::{Entry, SignedBy, parse_list, parse_sources};
