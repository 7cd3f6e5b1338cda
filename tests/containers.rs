//! Images of containers as sources: layers by the rules of OCI, every form that images are stored
//! in, and invalid ones.

pub(crate) mod built;
mod cached;
mod cases;
mod exported;
mod hostile;
mod judged;
pub(crate) mod layout;
mod spooled;
mod stacks;
mod transports;
