//! Initramfs archives and the cache of their compressed segments.

mod archives;
mod cache;
mod codecs;
mod microcode;
