//! Limits on what hostile input can ask for.

/// The longest section that is read, in bytes: 64 MiB. Those of the largest modules have 2 MiB.
pub(crate) const MAX_SECTION: u64 = 64 << 20;

/// The longest `.modinfo`, and the most bytes in the names of symbols that a module exports or
/// needs, in bytes: 4 MiB.
pub(crate) const MAX_STRINGS: u64 = 4 << 20;

/// The longest alias, module name or symbol in an index, in bytes: kmod's `PATH_MAX` without the
/// NUL.
pub(crate) const MAX_KEY: usize = 4095;

/// The largest offset that a reference of a binary index can have, in bytes.
pub(crate) const MAX_OFFSET: usize = 0x0fff_ffff;

/// The most bytes in lines of `modules.dep`: a binary index cannot have more.
pub(crate) const MAX_LINES: usize = MAX_OFFSET;

/// The most modules that those without an index need, each counted for each that needs it. The
/// 1,121 modules of Debian's cloud kernel need 1,749.
pub(crate) const MAX_DEPENDENCIES: usize = 1 << 20;

/// The most memory for the values and symbols of all modules of a version, in bytes: 256 MiB. The
/// aliases, symbols and soft dependencies of Debian's cloud kernel are 330 kB of text.
pub const MAX_MEMORY: u64 = 256 << 20;
