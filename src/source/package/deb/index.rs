//! An index of packages (`Packages`), parsed: names, versions and the places of paragraphs. The
//! relations of a package are parsed when the resolver asks for them.

mod encode;
mod mentions;
mod model;
mod parse;
#[cfg(test)]
mod tests;

pub use model::{Index, Listed, MultiArch, Priority};
pub use parse::MAX_LEN;
