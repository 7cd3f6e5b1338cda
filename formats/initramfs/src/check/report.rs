//! What a check finds.

use std::fmt;

/// What came of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was found, in the order of the bytes: at most [`Report::MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub omitted: u64,
    /// Entries that were read, the ends of archives not among them.
    pub entries: u64,
    /// Compressed members and uncompressed archives that were read.
    pub members: u64,
    /// Bytes after everything is unpacked, as far as it was read.
    pub unpacked_bytes: u64,
}

/// One thing that the kernel would not take, or that somebody may not have meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule it is about.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// Where in the initramfs, in bytes. Of what is compressed, this is where the member begins.
    pub offset: u64,
    /// Where in what that member unpacks to, in bytes, if it is about that.
    pub unpacked_offset: Option<u64>,
    /// The name of the entry it is about, as the archive has it.
    pub path: Option<Vec<u8>>,
    /// What is there, in words.
    pub detail: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The kernel unpacks it, but perhaps not to what was meant.
    Warning,
    /// The kernel stops there, or leaves a file out.
    Error,
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident $name:literal $severity:ident,)+) => {
        /// The rules, each with a name that stays.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// The name in reports: `zstd-window`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)+
                }
            }

            /// How bad it is to break it.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$rule => Severity::$severity,)+
                }
            }
        }
    };
}

rules! {
    /// The kernel is built to unpack what is there: `CONFIG_BLK_DEV_INITRD` and the `CONFIG_RD_` option.
    Configured "configured" Error,
    /// An uncompressed archive begins at a multiple of 4 bytes.
    Alignment "alignment" Error,
    /// What is not compressed begins with `0707`, and what is with the magic of a compression.
    Magic "magic" Error,
    /// zstd's skippable frames are no frames for the kernel: those of pzstd, and of the seekable format.
    ZstdSkippable "zstd-skippable" Error,
    /// A zstd frame needs no window of more than 128 MiB.
    ZstdWindow "zstd-window" Error,
    /// A zstd frame needs no dictionary.
    ZstdDictionary "zstd-dictionary" Error,
    /// lz4 comes in its legacy format, `lz4 -l`.
    Lz4Frame "lz4-frame" Error,
    /// lz4 is followed by nothing, more lz4, or at least 4 bytes of zeros.
    Lz4Followed "lz4-followed" Error,
    /// A gzip header has nothing but a name besides what it must have: no extra field, which BGZF has, no comment, no sum.
    GzipHeader "gzip-header" Error,
    /// A gzip member's sum and length are right. The kernel does not look.
    GzipChecksum "gzip-checksum" Warning,
    /// xz checks blocks with CRC32 or not at all.
    XzCheck "xz-check" Error,
    /// xz has the filter LZMA2, and before it at most one for branches of the machine's own code.
    XzFilter "xz-filter" Error,
    /// xz's dictionary, which the kernel allocates while it boots, is no larger than 64 MiB.
    XzDictionary "xz-dictionary" Warning,
    /// What is compressed can be decompressed.
    Corrupt "corrupt" Error,
    /// A compressed member ends where an entry ends, with its padding.
    MemberEnd "member-end" Error,
    /// The initramfs does not end within an entry.
    Truncated "truncated" Error,
    /// Between the entries of a compressed member there is nothing but zeros.
    Junk "junk" Error,
    /// An entry begins with `070701` or `070702`: no other cpio format.
    CpioMagic "cpio-magic" Error,
    /// The fields of a header are hexadecimal digits. Kernels differ in what they make of others.
    Digits "digits" Error,
    /// A name has 1 to 4096 bytes with its NUL, and no component of it more than 255. Entries of others are left out.
    NameLength "name-length" Error,
    /// A name ends with NUL.
    NameEnd "name-end" Error,
    /// A name has no component `..`.
    NameDotDot "name-dot-dot" Warning,
    /// The type in `c_mode` is one that there is. Entries of others are left out.
    FileType "file-type" Error,
    /// Nothing but regular files and symlinks has data. Other entries with data are left out.
    Data "data" Error,
    /// A symlink's target has 1 to 4095 bytes, none of them NUL.
    SymlinkTarget "symlink-target" Error,
    /// Where a header has a sum, it is that of the data.
    Checksum "checksum" Error,
    /// A directory comes before what is in it, or that is left out.
    Parent "parent" Error,
    /// A directory that holds something is not replaced by another kind of file: the kernel cannot.
    FullDirectory "full-directory" Error,
    /// A path comes once, unless it is a directory's each time. The last one wins.
    Duplicate "duplicate" Warning,
    /// The names of one file, one of them with its data, lie before the same end of an archive.
    HardLink "hard-link" Warning,
    /// Times are kept only by a kernel with `CONFIG_INITRAMFS_PRESERVE_MTIME`.
    Mtime "mtime" Warning,
    /// Microcode comes before anything compressed, or the kernel does not find it.
    Microcode "microcode" Warning,
    /// There is an `/init`, or the kernel looks for a root filesystem, unless `rdinit=` names another.
    Init "init" Warning,
    /// Everything there is can be looked into.
    Examined "examined" Warning,
}

impl Report {
    /// The most findings that are listed.
    pub const MAX_FINDINGS: usize = 1000;

    /// Whether the kernel takes all of it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Warning)
    }

    /// Adds what was found. Errors take the places of warnings when there are too many.
    pub(super) fn add(&mut self, finding: Finding) {
        if self.findings.len() < Self::MAX_FINDINGS {
            self.findings.push(finding);
            return;
        }
        self.omitted += 1;
        if finding.severity == Severity::Error && self.is_accepted() {
            self.findings.pop();
            self.findings.push(finding);
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}] at byte {}", self.severity, self.rule, self.offset)?;
        if let Some(offset) = self.unpacked_offset {
            write!(f, ", byte {offset} of what it unpacks to")?;
        }
        if let Some(path) = &self.path {
            write!(f, ", {}", path.escape_ascii())?;
        }
        write!(f, ": {}", self.detail)
    }
}
