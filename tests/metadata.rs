//! Owners, modes, ACLs, xattrs and labels, and their edits.

mod acls;
mod edits;
pub(crate) mod owners;
mod selinux;
mod xattrs;
