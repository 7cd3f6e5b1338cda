//! What the program says while and after it works.

pub mod progress;
