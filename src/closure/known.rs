//! Files that programs are known to start or to open, although nothing that a linker reads says so.
//!
//! ```text
//! known/*.toml ──parse──▶ Table ──index by the start of base names──▶ Rule
//!                                                                      │ matches a kept file
//!      dependencies ◀── expand on the tree: {lib}, {V}, *, /** ◀───────┘
//! ```
//!
//! The files are data with their sources; each entry has a name, by which `--known` selects it.
//! They are heuristics and reported as such.

mod entry;
mod expand;
mod parse;
mod pattern;
mod selection;
mod table;
mod uses;

pub use entry::Entry;
pub use parse::{MAX_LEN, ParseError};
pub use pattern::Pattern;
pub use selection::{Known, UnknownEntry};
pub use table::{Matched, Table};
pub use uses::Uses;
