//! `rootcast depmod` beside `depmod` of kmod.

pub(crate) mod debian;
pub(crate) mod forms;
mod kernel;
mod refused;
pub(crate) mod version;
