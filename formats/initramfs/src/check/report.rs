//! The findings of a check.

use std::fmt;

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The findings in byte order: at most [`Report::MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// The number of further findings.
    pub omitted: u64,
    /// The number of entries read, without trailers.
    pub entries: u64,
    /// The number of compressed members and uncompressed archives read.
    pub members: u64,
    /// The number of unpacked bytes, as far as the initramfs was read.
    pub unpacked_bytes: u64,
}

/// A violation that the kernel would not accept, or that may be unintended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The violated rule.
    pub rule: Rule,
    /// The severity.
    pub severity: Severity,
    /// The offset in the initramfs, in bytes; within compressed data, that of the start of the
    /// member.
    pub offset: u64,
    /// The offset in the unpacked data of the member, in bytes, if the finding is in it.
    pub unpacked_offset: Option<u64>,
    /// The name of the entry concerned, as in the archive.
    pub path: Option<Vec<u8>>,
    /// A description.
    pub detail: String,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// The kernel unpacks it, but perhaps not as intended.
    Warning,
    /// The kernel stops there, or omits a file.
    Error,
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident $name:literal $severity:ident,)+) => {
        /// The rules, each with a stable name.
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

            /// The severity of a violation.
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
    /// The kernel starts `/init`, and its dynamic linker finds all that it needs. This rule needs
    /// more than the archive's format: the caller of [`check_and_unpack`](super::check_and_unpack)
    /// checks it and adds it by [`Report::init_fails`].
    InitStarts "init-starts" Error,
    /// The kernel is built with the options that it needs: `CONFIG_BLK_DEV_INITRD` and the
    /// `CONFIG_RD_` option.
    Configured "configured" Error,
    /// An uncompressed archive begins at a multiple of 4 bytes.
    Alignment "alignment" Error,
    /// An uncompressed archive begins with `0707`, and a compressed member with the magic of a
    /// compression.
    Magic "magic" Error,
    /// There are no skippable frames of zstd, as written by pzstd and in the seekable format: the
    /// kernel does not support them.
    ZstdSkippable "zstd-skippable" Error,
    /// A zstd frame does not need a window of more than 128 MiB.
    ZstdWindow "zstd-window" Error,
    /// A zstd frame does not need a dictionary.
    ZstdDictionary "zstd-dictionary" Error,
    /// lz4 is in its legacy format, `lz4 -l`.
    Lz4Frame "lz4-frame" Error,
    /// lz4 is followed by nothing, more lz4, or at least 4 bytes of zeros.
    Lz4Followed "lz4-followed" Error,
    /// A gzip header has no optional field except a name: no extra field (as in BGZF), no comment,
    /// no header CRC.
    GzipHeader "gzip-header" Error,
    /// The CRC-32 and length of a gzip member are correct. The kernel does not check them.
    GzipChecksum "gzip-checksum" Warning,
    /// xz checks blocks with CRC32 or not at all.
    XzCheck "xz-check" Error,
    /// xz uses the filter LZMA2, and before it at most one BCJ filter, that of the machine's
    /// architecture.
    XzFilter "xz-filter" Error,
    /// xz's dictionary, which the kernel allocates while it boots, is no larger than 64 MiB.
    XzDictionary "xz-dictionary" Warning,
    /// Compressed data can be decompressed.
    Corrupt "corrupt" Error,
    /// A compressed member ends at the end of an entry with its padding.
    MemberEnd "member-end" Error,
    /// The initramfs does not end within an entry.
    Truncated "truncated" Error,
    /// There are only zeros between the entries of a compressed member.
    Junk "junk" Error,
    /// An entry begins with `070701` or `070702`; other cpio formats are not supported.
    CpioMagic "cpio-magic" Error,
    /// The fields of a header are hexadecimal digits. Kernels differ in their handling of other
    /// characters.
    Digits "digits" Error,
    /// A name has 1 to 4096 bytes with its NUL, and no component of it more than 255. Other entries
    /// are omitted.
    NameLength "name-length" Error,
    /// A name ends with NUL.
    NameEnd "name-end" Error,
    /// A name has no component `..`.
    NameDotDot "name-dot-dot" Warning,
    /// The type in `c_mode` is a valid file type. Other entries are omitted.
    FileType "file-type" Error,
    /// Only regular files and symlinks have data. Other entries with data are omitted.
    Data "data" Error,
    /// A symlink's target has 1 to 4095 bytes, none of them NUL.
    SymlinkTarget "symlink-target" Error,
    /// If a header has a checksum, it is that of the data.
    Checksum "checksum" Error,
    /// A directory precedes its entries, which are omitted otherwise.
    Parent "parent" Error,
    /// A directory that is not empty is not replaced by another kind of file: the kernel cannot do
    /// that.
    FullDirectory "full-directory" Error,
    /// A path occurs only once, unless it is that of a directory each time. The last one wins.
    Duplicate "duplicate" Warning,
    /// The names of one file, one of them with its data, are in the same archive.
    HardLink "hard-link" Warning,
    /// Times are preserved only by a kernel with `CONFIG_INITRAMFS_PRESERVE_MTIME`.
    Mtime "mtime" Warning,
    /// Microcode precedes all compressed members; otherwise the kernel does not find it.
    Microcode "microcode" Warning,
    /// There is an `/init`; otherwise the kernel looks for a root filesystem, unless `rdinit=`
    /// names another program.
    Init "init" Warning,
    /// Everything can be examined.
    Examined "examined" Warning,
}

impl Report {
    /// The maximum number of listed findings.
    pub const MAX_FINDINGS: usize = 1000;

    /// Returns true if the kernel accepts the whole initramfs.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Warning)
    }

    /// Adds the finding that `/init` does not start, which the caller found in the unpacked files.
    pub fn init_fails(&mut self, detail: String) {
        let rule = Rule::InitStarts;
        let (severity, path) = (rule.severity(), Some(b"init".to_vec()));
        self.add(Finding { rule, severity, offset: 0, unpacked_offset: None, path, detail });
    }

    /// Adds a finding. If the list is full of warnings, an error replaces the last one.
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
