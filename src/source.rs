//! Sources of trees.
