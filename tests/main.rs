//! The tests of the program: one binary, so that it links once and its modules share helpers.
//!
//! Judges that are not installed are skipped visibly; with `ROOTCAST_REQUIRE_JUDGES=1` that is a
//! failure. As root on Debian the tests install them, unless `ROOTCAST_INSTALL_JUDGES=0` forbids
//! it. `ROOTCAST_LONG_TESTS=1` adds tests that take many minutes.

mod fixtures;
mod judges;
mod oracle;
mod product;

mod archives;
mod boot;
mod cli;
mod closure;
mod configure;
mod containers;
mod depmod;
mod fetch;
mod images;
mod initrd;
mod invariants;
mod kata;
mod library;
mod metadata;
mod output;
mod repository;
mod resolve;
mod sources;
mod trust;
