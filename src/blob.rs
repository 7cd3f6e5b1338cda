//! Where a regular file's bytes are on the host.
