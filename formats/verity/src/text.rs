//! The parameters of a hash tree as text: hexadecimal values, lines of parameters, and the tables
//! of the kernel's device mapper.

mod hex;
mod parameters;
mod root_hash;
mod table;

pub(crate) use hex::{parse_hex, write_hex};
pub use parameters::Parameters;
pub use root_hash::RootHash;
pub use table::{FecDevice, OnCorruption, Table};
