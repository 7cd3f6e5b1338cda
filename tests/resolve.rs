//! The selection of packages, beside apt and dpkg.

mod apt;
mod offline;
mod repository;
mod sources;
mod versions;
