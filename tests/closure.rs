//! A closure contains what the tree's dynamic linker would load; the dynamic linkers themselves are
//! the judges.

mod glibc;
mod guest;
mod judge;
mod ld_cache;
mod other_targets;
mod packages;
mod partial_scan;
mod programs;
mod reduced;
mod whole;
