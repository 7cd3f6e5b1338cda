//! Trees become other trees.

pub mod normalize;
pub mod overlay;
pub mod ownership;
pub mod selinux;
