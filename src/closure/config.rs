//! Configuration files that state dependencies.

pub mod dlopen;
pub(in crate::closure) mod file;
pub mod gconv;
pub mod nss;
pub mod pam;
pub mod script;
pub mod systemd;
pub mod udev;
pub mod unit;
