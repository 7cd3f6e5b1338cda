//! The kernel configuration options that matter for an initramfs.

mod embedded;
mod error;

use std::collections::BTreeMap;

use crate::Compression;

pub use error::KernelConfigError;

/// The options of a kernel that affect how it unpacks an initramfs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelConfig {
    /// Maps each option to true if it is built in; empty if the configuration is unknown.
    options: BTreeMap<&'static str, bool>,
    /// The first two numbers of the version, if the first lines have it.
    version: Option<(u16, u16)>,
}

/// The options that decide which EROFS filesystems a kernel mounts. It may have them as modules.
const EROFS: [&str; 8] = [
    "CONFIG_EROFS_FS",
    "CONFIG_EROFS_FS_XATTR",
    "CONFIG_EROFS_FS_POSIX_ACL",
    "CONFIG_EROFS_FS_SECURITY",
    "CONFIG_EROFS_FS_ZIP",
    "CONFIG_EROFS_FS_ZIP_LZMA",
    "CONFIG_EROFS_FS_ZIP_DEFLATE",
    "CONFIG_EROFS_FS_ZIP_ZSTD",
];

/// The options that decide which programs a kernel executes.
const EXECUTION: [&str; 16] = [
    "CONFIG_64BIT",
    "CONFIG_X86_32",
    "CONFIG_X86_64",
    "CONFIG_IA32_EMULATION",
    "CONFIG_X86_X32_ABI",
    "CONFIG_ARM",
    "CONFIG_ARM64",
    "CONFIG_COMPAT",
    "CONFIG_CPU_BIG_ENDIAN",
    "CONFIG_CPU_LITTLE_ENDIAN",
    "CONFIG_RISCV",
    "CONFIG_S390",
    "CONFIG_PPC",
    "CONFIG_LOONGARCH",
    "CONFIG_BINFMT_ELF",
    "CONFIG_BINFMT_SCRIPT",
];

const BLK_DEV_INITRD: &str = "CONFIG_BLK_DEV_INITRD";
const PRESERVE_MTIME: &str = "CONFIG_INITRAMFS_PRESERVE_MTIME";

impl KernelConfig {
    /// Creates an unknown configuration.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Parses a `.config`, such as `/boot/config-*`: `CONFIG_NAME=y` and `# CONFIG_NAME is not
    /// set`. An option that is not mentioned is not set, because its dependencies are not met.
    ///
    /// # Errors
    /// Returns an error if the text contains no option.
    pub fn parse(text: &[u8]) -> Result<Self, KernelConfigError> {
        let mut options: BTreeMap<&'static str, bool> = names().map(|name| (name, false)).collect();
        let (mut lines, mut version) = (0u64, None);
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            lines += u64::from(line.starts_with(b"CONFIG_") || line.starts_with(b"# CONFIG_"));
            for (name, value) in &mut options {
                match line.strip_prefix(name.as_bytes()) {
                    Some(b"=y") => *value = true,
                    Some(b"=m") if EROFS.contains(name) => *value = true,
                    _ => {}
                }
            }
            version = version.or_else(|| version_of(line));
        }
        if lines == 0 {
            return Err(KernelConfigError::NotAConfig);
        }
        Ok(Self { options, version })
    }

    /// Finds the configuration embedded in a kernel that was built with `CONFIG_IKCONFIG`: in a
    /// `vmlinux` or any other file, in the payload of a `bzImage` or an EFI zboot image, or in a
    /// compressed file. Returns `None` if there is no configuration.
    ///
    /// Only the first GiB of a payload is searched.
    ///
    /// # Errors
    /// Returns an error if the payload or the configuration is corrupt.
    pub fn from_kernel(kernel: &[u8]) -> Result<Option<Self>, KernelConfigError> {
        embedded::find(kernel)?.map(|text| Self::parse(&text)).transpose()
    }

    /// Returns true if the kernel supports the compression, and `None` if that is unknown.
    #[must_use]
    pub fn supports(&self, compression: Compression) -> Option<bool> {
        self.option(compression.kernel_option())
    }

    /// Returns true if the kernel supports an initramfs from a boot loader, and `None` if that is
    /// unknown.
    #[must_use]
    pub fn supports_initrd(&self) -> Option<bool> {
        self.option(BLK_DEV_INITRD)
    }

    /// Returns true if the kernel preserves the mtime of files, and `None` if that is unknown.
    #[must_use]
    pub fn preserves_mtime(&self) -> Option<bool> {
        self.option(PRESERVE_MTIME)
    }

    /// Returns true if an option that affects which programs the kernel executes is built in:
    /// `CONFIG_64BIT`, the options of architectures, of byte orders, of emulations for 32-bit
    /// programs, and of formats. `None` if that is unknown, or for other options.
    #[must_use]
    pub fn executes_with(&self, name: &str) -> Option<bool> {
        EXECUTION.contains(&name).then(|| self.option(name)).flatten()
    }

    /// Returns true if an option of filesystems, `CONFIG_EROFS_FS` and those that begin so, is built
    /// in or a module. `None` if that is unknown, or for other options.
    #[must_use]
    pub fn mounts_with(&self, name: &str) -> Option<bool> {
        EROFS.contains(&name).then(|| self.option(name)).flatten()
    }

    /// The first two numbers of the kernel's version; `None` if that is unknown.
    #[must_use]
    pub fn version(&self) -> Option<(u16, u16)> {
        self.version
    }

    fn option(&self, name: &str) -> Option<bool> {
        self.options.get(name).copied()
    }
}

/// Returns the version in the third line of a configuration, `# Linux/x86 6.1.176 Kernel
/// Configuration`.
fn version_of(line: &[u8]) -> Option<(u16, u16)> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix("# Linux/")?;
    let mut numbers = line.split_once(' ')?.1.split([' ', '.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn names() -> impl Iterator<Item = &'static str> {
    let compressions = Compression::ALL.into_iter().map(Compression::kernel_option);
    compressions.chain([BLK_DEV_INITRD, PRESERVE_MTIME]).chain(EXECUTION).chain(EROFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_unset_and_missing_options_are_distinguished() {
        let text =
            b"#\n# Linux/x86 6.12\nCONFIG_BLK_DEV_INITRD=y\r\nCONFIG_RD_GZIP=y\n# CONFIG_RD_XZ is not set\n\
            CONFIG_RD_LZ4=m\nCONFIG_RD_GZIP_OTHER=y\n";
        let config = KernelConfig::parse(text).expect("it has options");
        assert_eq!((config.supports_initrd(), config.preserves_mtime()), (Some(true), Some(false)));
        let unpacked = Compression::ALL.map(|compression| config.supports(compression) == Some(true));
        assert_eq!(unpacked, [true, false, false, false, false, false, false]);
    }

    #[test]
    fn options_of_execution_are_known() {
        let config =
            KernelConfig::parse(b"CONFIG_64BIT=y\nCONFIG_BINFMT_SCRIPT=m\n").expect("it has options");
        let set =
            ["CONFIG_64BIT", "CONFIG_BINFMT_SCRIPT", "CONFIG_RD_GZIP"].map(|name| config.executes_with(name));
        assert_eq!(set, [Some(true), Some(false), None]);
        assert_eq!(KernelConfig::unknown().executes_with("CONFIG_64BIT"), None);
    }

    #[test]
    fn filesystems_may_be_modules_and_the_version_is_known() {
        let text =
            b"#\n# Linux/x86 6.12.8-rc1 Kernel Configuration\nCONFIG_EROFS_FS=m\n# Linux/x86 7.0 Kernel\n";
        let config = KernelConfig::parse(text).expect("it has options");
        let options = ["CONFIG_EROFS_FS", "CONFIG_EROFS_FS_ZIP", "CONFIG_64BIT"];
        assert_eq!(options.map(|name| config.mounts_with(name)), [Some(true), Some(false), None]);
        assert_eq!(config.version(), Some((6, 12)));
        for line in ["# Linux/x86", "# Linux/x86 6", "# Linux/x86 six.one Kernel", "# Linux 6.1"] {
            assert_eq!(version_of(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn texts_without_options_are_rejected() {
        assert_eq!(KernelConfig::parse(b"\x7fELF"), Err(KernelConfigError::NotAConfig));
        assert_eq!(KernelConfig::unknown().supports(Compression::Gzip), None);
    }
}
