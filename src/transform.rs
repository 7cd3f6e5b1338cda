//! Trees become other trees.
