//! The kernel that has to mount a filesystem.

use initramfs::KernelConfig;
use mkfs_erofs::{KernelVersion, Need};

use crate::error::{Error, ErrorKind, Result};

/// Checks that a kernel reads a filesystem with these needs. Returns a sentence for each kind of
/// metadata that the kernel ignores.
///
/// # Errors
/// [`Usage`](ErrorKind::Usage) if it does not.
pub(super) fn check(
    needs: &[Need],
    max_version: Option<KernelVersion>,
    config: &KernelConfig,
) -> Result<Vec<String>> {
    let of_config = config.version().map(|(major, minor)| KernelVersion::new(major, minor));
    let mut ignored = Vec::new();
    for need in needs {
        for (version, flag) in [(max_version, "--max-kernel"), (of_config, "--kernel-config")] {
            if let Some(version) = version.filter(|version| *version < need.version()) {
                return Err(refuse(format!(
                    "Linux {version} of {flag} does not read {}, which Linux {} does: {}",
                    need.name(),
                    need.version(),
                    way_out(*need)
                )));
            }
        }
        if config.mounts_with(need.config()) == Some(false) {
            let (name, option) = (need.name(), need.config());
            if need.is_essential() {
                return Err(refuse(format!(
                    "the kernel of --kernel-config lacks {option}, without which it does not read {name}: {}",
                    way_out(*need)
                )));
            }
            ignored.push(format!("The kernel of --kernel-config lacks {option}, and ignores {name}"));
        }
    }
    Ok(ignored)
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// Returns the flag that avoids a need.
fn way_out(need: Need) -> &'static str {
    match need {
        Need::Chunks => "--sparse never stores holes as zeros",
        Need::BlockSize => "leave out --block-size",
        Need::XattrPrefixes => "leave out --xattr-prefix",
        Need::BigClusters => "--pcluster 4K without --dedupe has clusters of one block",
        Need::InlineClusters => "--inline none has none",
        Need::Fragments => "leave out --fragments",
        Need::SharedClusters => "leave out --dedupe",
        Need::Deflate | Need::Zstd => "choose --compress lz4hc",
        Need::Lz4 => "choose --compress none",
        _ => "choose --fs ext4, or another kernel",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_later_kernels_are_refused() {
        let unknown = KernelConfig::unknown();
        let (all, chunks) = ([Need::Erofs, Need::BlockSize], [Need::Erofs, Need::Chunks]);
        let check =
            |needs: &[Need], version| check(needs, version, &unknown).map_err(|error| error.to_string());
        let version = |minor| Some(KernelVersion::new(6, minor));
        assert_eq!(check(&all, None), Ok(Vec::new()));
        assert_eq!(check(&all, version(4)), Ok(Vec::new()));
        assert_eq!(check(&chunks, version(1)), Ok(Vec::new()));
        let expected = "Linux 6.1 of --max-kernel does not read blocks of another length than 4096 bytes, which Linux 6.4 \
                        does: leave out --block-size";
        assert_eq!(check(&all, version(1)), Err(expected.to_owned()));
    }

    #[test]
    fn options_that_the_kernel_lacks_are_refused_or_reported() {
        let text = b"# Linux/x86 6.12.8 Kernel Configuration\nCONFIG_EROFS_FS=m\nCONFIG_EROFS_FS_XATTR=y\n";
        let config = KernelConfig::parse(text).expect("it has options");
        let ignored =
            check(&[Need::Erofs, Need::Xattrs, Need::Acls], None, &config).expect("they are not essential");
        assert_eq!(
            ignored,
            ["The kernel of --kernel-config lacks CONFIG_EROFS_FS_POSIX_ACL, and ignores ACLs"]
        );
        let error = check(&[Need::WideBlocks], None, &config).expect_err("6.15 has them").to_string();
        assert!(error.starts_with("Linux 6.12 of --kernel-config does not read"), "{error}");
        let without = KernelConfig::parse(b"CONFIG_EXT4_FS=y\n").expect("it has options");
        let error = check(&[Need::Erofs], None, &without).expect_err("no EROFS").to_string();
        assert!(error.contains("lacks CONFIG_EROFS_FS, without which it does not read EROFS"), "{error}");
    }
}
