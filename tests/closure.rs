//! A closure contains what the tree's dynamic linker would load; the dynamic linkers themselves are
//! the judges.

mod glibc;
mod guest;
mod judge;
mod others;
mod programs;
mod reduced;
mod whole;
