//! Packages of distributions, which become a tree.

pub mod deb;
pub mod trust;
