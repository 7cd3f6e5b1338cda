//! The documentation, and the program as it is shipped.

mod readme;
mod release;
