//! A filesystem image on a disk.
