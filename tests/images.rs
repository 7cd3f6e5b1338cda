//! Images of filesystems and disks, judged by other programs.

mod compressed;
mod duplicates;
mod erofs;
mod holes;
mod judges_fail;
mod layouts;
mod measured;
pub(crate) mod mke2fs;
mod profiles;
mod reproducible;
