//! Indices compared with those of `depmod`, and load orders with those of `modprobe`.
//!
//! If kmod or the kernel of Debian's `linux-image-cloud-amd64` is not installed, a line on standard
//! error names what is missing; with `ROOTCAST_REQUIRE_JUDGES=1` that is a failure. Properties of
//! arbitrary keys and bytes need no judge.
#![expect(clippy::disallowed_methods, reason = "judges run programs on files")]

mod hostile;
mod kernel;
mod load_order;
mod made_up;
mod object;
mod properties;
mod version;
