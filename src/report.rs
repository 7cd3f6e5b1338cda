//! What the program says while and after it works.
