//! A closure contains what the tree's dynamic linker would load; the dynamic linkers themselves are
//! the judges.

mod accounts;
mod dracut;
mod glibc;
mod guest;
mod judge;
mod known;
mod ld_cache;
mod modules;
mod other_targets;
mod packages;
mod pam;
mod partial_scan;
mod programs;
mod reduced;
mod start;
mod udev;
mod whole;
