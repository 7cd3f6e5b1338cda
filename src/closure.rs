//! The files that programs need to run, found inside a tree by the rules of the kernel and the
//! dynamic linker.
//!
//! ```text
//!  requests ──▶ file ─┬─ ELF ─────▶ interpreter, DT_NEEDED … ──▶ dynamic linker's search ─┐
//!       ▲            └─ script ──▶ interpreter ───────────────────────────────────────────┤
//!       └──────────────────────────── next file ◀──── resolve ◀────────────────────────────┘
//!                                                        │
//!                                  kept: the file, every link and directory on the way
//! ```
//!
//! No program is run and no file of the host is read, so a tree for any machine can be processed on
//! any other. The same tree and options give the same closure, whatever the number of threads.

pub mod accounts;
pub mod config;
pub mod dependency;
pub mod elf;
pub mod error;
pub mod exec;
mod files;
pub mod kernel_modules;
pub mod known;
pub mod ld_so;
pub mod library_path;
pub mod packages;
pub mod requests;
pub mod result;
mod search;
mod similar;
#[doc(hidden)]
pub mod testing;
pub mod unresolved;

pub use error::{Error, Result};
pub use known::Known;
pub use ld_so::hwcaps::Hwcaps;
pub use library_path::LibraryPath;
pub use requests::{Keep, Request};
pub use result::costs;
pub use result::explain;
pub use result::missing::{self, Missing};
pub use result::reason::{self, Kind, Reason};
pub use result::{Closure, keep};
pub use search::find::{Found, Notes};
pub use search::options::Options;
pub use search::{Search, close};
