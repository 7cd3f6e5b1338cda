//! The tests of the program: one binary, so that it links once and its modules share helpers.
//!
//! Judges that are not installed are skipped visibly; with `ROOTCAST_REQUIRE_JUDGES=1` that is a failure. As root on
//! Debian the tests install them, unless `ROOTCAST_INSTALL_JUDGES=0` forbids it.
//! `ROOTCAST_LONG_TESTS=1` adds tests that take many minutes.

mod fixtures;
mod judges;
mod oracle;
mod product;

mod acls;
mod boot;
mod cached;
mod cli;
mod closure;
mod compressed;
mod devices;
mod edited;
mod failures;
mod foreign;
mod foreign_sources;
mod guests;
mod hostile;
mod identical;
mod images;
mod initrd;
mod invariants;
mod judges_fail;
mod ld_cache;
mod mounted;
mod names;
mod outputs;
mod own_files;
mod owners;
mod profiles;
mod reached;
mod readme;
mod reflinks;
mod release;
mod reports;
mod reproducible;
mod selinux;
mod signals;
mod sparse;
mod tar;
mod xattrs;
