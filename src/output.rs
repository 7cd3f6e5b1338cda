//! Images become bytes.
