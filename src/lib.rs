//! rootcast casts a root file tree into what a virtual machine boots from.

pub mod cli;
pub mod recipe;

pub mod architecture;
pub mod blob;
pub mod seed;
pub mod source;
pub mod transform;

pub mod disk;
pub mod output;

pub mod error;
pub mod interrupt;
pub mod report;
