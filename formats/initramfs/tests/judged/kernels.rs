//! Tests of configurations embedded in kernels.

use initramfs::{Compression, KernelConfig, KernelConfigError};

use crate::compress::{bzip2, gzip, lz4, lzma, xz, zstd};
use crate::fixtures::noise;

const CONFIG: &[u8] = b"CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\n# CONFIG_RD_ZSTD is not set\n";

/// Returns bytes like those of an uncompressed kernel, including the marker in the code that prints
/// the configuration.
fn vmlinux() -> Vec<u8> {
    [
        &b"\x7fELF"[..],
        &noise(10_000, 5),
        b"IKCFG_ST no",
        &noise(999, 6),
        b"IKCFG_ST",
        &gzip(CONFIG),
        b"IKCFG_ED",
    ]
    .concat()
}

fn bz_image(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 3 * 512];
    image[0x1f1] = 2;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
    image[0x248..0x24c].copy_from_slice(&100u32.to_le_bytes());
    let len = u32::try_from(payload.len() + 4).expect("it is short");
    image[0x24c..0x250].copy_from_slice(&len.to_le_bytes());
    image.extend([0xcc; 100]);
    image.extend(payload);
    // The uncompressed length, as appended by the kernel build.
    image.extend(123_456u32.to_le_bytes());
    image.extend([0xcc; 1000]);
    image
}

#[track_caller]
fn has_config(kernel: &[u8]) {
    let config = KernelConfig::from_kernel(kernel).expect("it can be unpacked").expect("it has one");
    assert_eq!(config, KernelConfig::parse(CONFIG).expect("it has options"));
    assert_eq!(config.supports(Compression::Gzip), Some(true));
    assert_eq!(config.supports(Compression::Zstd), Some(false));
}

#[test]
fn configurations_are_found_in_kernels_of_every_kind() {
    has_config(&vmlinux());
    for compress in [gzip, zstd, xz, lzma, bzip2, |bytes: &[u8]| lz4(bytes, 8 << 20)] {
        has_config(&bz_image(&compress(&vmlinux())));
        has_config(&compress(&vmlinux()));
    }
    let payload = gzip(&vmlinux());
    let len = u32::try_from(payload.len()).expect("it is short");
    has_config(&[&b"MZ\0\0zimg"[..], &64u32.to_le_bytes(), &len.to_le_bytes(), &[0; 48], &payload].concat());
}

#[test]
fn kernels_without_configuration_and_corrupt_kernels_are_errors() {
    let none = |kernel: &[u8]| assert_eq!(KernelConfig::from_kernel(kernel), Ok(None));
    none(b"");
    none(&noise(5000, 8));
    none(&bz_image(&gzip(&noise(5000, 8))));
    let mut outside = bz_image(b"");
    outside[0x24c..0x250].copy_from_slice(&u32::MAX.to_le_bytes());
    none(&outside);
    let broken = |kernel: &[u8]| {
        assert!(matches!(KernelConfig::from_kernel(kernel), Err(KernelConfigError::Unpack { .. })));
    };
    let vmlinux = vmlinux();
    broken(&vmlinux[..vmlinux.len() - 30]);
    let payload = zstd(&vmlinux);
    broken(&bz_image(&payload[..payload.len() / 2]));
    broken(&bz_image(&[0x89, b'L', b'Z', b'O', 0, 0, 0, 0]));
}
