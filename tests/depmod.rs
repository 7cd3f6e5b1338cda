//! `rootcast depmod` beside `depmod` of kmod.

mod debian;
mod kernel;
mod refused;
mod version;
