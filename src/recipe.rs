//! The request as data.
