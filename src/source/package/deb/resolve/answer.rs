//! The answer of the resolver.

use crate::source::package::deb::universe::Id;

/// A selection of packages of a universe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The packages in the order of their names and architectures.
    pub packages: Vec<Answered>,
    /// Messages about choices that the request leaves open.
    pub notes: Vec<String>,
}

/// A selected package, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The package.
    pub id: Id,
    /// The reason.
    pub why: Why,
}

/// The reason for the selection of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The request names it.
    Requested,
    /// It is essential.
    Essential,
    /// Its priority belongs to the variant.
    Priority,
    /// Another package needs or recommends it.
    Dependency {
        /// The name of the field.
        field: &'static str,
        /// The other package.
        by: Id,
        /// The text of the dependency.
        relation: String,
    },
}
