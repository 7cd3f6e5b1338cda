//! The configuration embedded in a kernel (`kernel/configs.c`): `IKCFG_ST`, the text compressed
//! with gzip, `IKCFG_ED`.

use std::io::Read;

use super::error::KernelConfigError;
use crate::Compression;
use crate::compression::decode::{Format, Lz4, decoder, disabled_feature};

/// The maximum number of bytes unpacked from a payload, and from a configuration.
const MAX_PAYLOAD: u64 = 1 << 30;
const MAX_CONFIG: u64 = 16 << 20;

const START: &[u8] = b"IKCFG_ST";

/// Returns the text of the configuration, if there is one.
pub(super) fn find(kernel: &[u8]) -> Result<Option<Vec<u8>>, KernelConfigError> {
    if let Some(text) = text(kernel)? {
        return Ok(Some(text));
    }
    let payload = payload(kernel);
    let Some(compression) = payload.first_chunk::<2>().copied().and_then(Compression::from_magic) else {
        return Ok(None);
    };
    text(&unpack(payload, compression)?)
}

/// Returns the part of a file that may be a compressed kernel.
fn payload(kernel: &[u8]) -> &[u8] {
    bz_image(kernel).or_else(|| zboot(kernel)).unwrap_or(kernel)
}

/// Returns the payload of a `bzImage`, by the setup header of protocol 2.08 and later
/// (`Documentation/arch/x86/boot.rst`).
fn bz_image(kernel: &[u8]) -> Option<&[u8]> {
    const SETUP_SECTS: usize = 0x1f1;
    const HEADER: usize = 0x202;
    const VERSION: usize = 0x206;
    const PAYLOAD_OFFSET: usize = 0x248;
    const PAYLOAD_LENGTH: usize = 0x24c;
    let word = |at: usize| Some(u32::from_le_bytes(*kernel.get(at..)?.first_chunk::<4>()?));
    let version = u16::from_le_bytes(*kernel.get(VERSION..)?.first_chunk::<2>()?);
    if kernel.get(HEADER..)?.first_chunk::<4>()? != b"HdrS" || version < 0x208 {
        return None;
    }
    // 0 means 4, for backward compatibility.
    let sectors = match *kernel.get(SETUP_SECTS)? {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (sectors + 1) * 512;
    let start = start.checked_add(usize::try_from(word(PAYLOAD_OFFSET)?).ok()?)?;
    let end = start.checked_add(usize::try_from(word(PAYLOAD_LENGTH)?).ok()?)?;
    kernel.get(start..end)
}

/// Returns the payload of an EFI zboot image (`drivers/firmware/efi/libstub/zboot-header.S`).
fn zboot(kernel: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| usize::try_from(u32::from_le_bytes(*kernel.get(at..)?.first_chunk::<4>()?)).ok();
    if !kernel.starts_with(b"MZ") || kernel.get(4..8)? != b"zimg" {
        return None;
    }
    let start = word(8)?;
    kernel.get(start..start.checked_add(word(12)?)?)
}

/// Unpacks a payload. Some are followed by a length of 4 bytes that is not part of the payload.
fn unpack(payload: &[u8], compression: Compression) -> Result<Vec<u8>, KernelConfigError> {
    if let Some(feature) = disabled_feature(compression) {
        return Err(without_feature("payload", feature));
    }
    let open = |format| decoder(format, payload).map_err(|error| payload_error(&error));
    let mut decoder: Box<dyn Read + '_> = match compression {
        Compression::Gzip => open(Format::Gzip)?,
        Compression::Bzip2 => open(Format::Bzip2)?,
        Compression::Lzma => open(Format::Lzma)?,
        Compression::Xz => open(Format::Xz)?,
        Compression::Lz4 => Box::new(Lz4::new(payload)),
        Compression::Zstd => open(Format::Zstd)?,
        Compression::Lzo => {
            let detail = "it is compressed with lzo, which is not supported".to_owned();
            return Err(KernelConfigError::Unpack { what: "payload", detail });
        }
    };
    let mut kernel = Vec::new();
    match (&mut decoder).take(MAX_PAYLOAD).read_to_end(&mut kernel) {
        // The length after lz4 data is not a chunk; the output before it is complete.
        Err(_) if compression == Compression::Lz4 && !kernel.is_empty() => Ok(kernel),
        Err(error) => Err(payload_error(&error)),
        Ok(_) => Ok(kernel),
    }
}

fn without_feature(what: &'static str, feature: &str) -> KernelConfigError {
    let detail = format!("this program was built without the feature {feature} of mkinitramfs-rs");
    KernelConfigError::Unpack { what, detail }
}

fn payload_error(error: &dyn std::error::Error) -> KernelConfigError {
    KernelConfigError::Unpack { what: "payload", detail: error.to_string() }
}

/// Returns the text of the configuration in an uncompressed kernel.
fn text(kernel: &[u8]) -> Result<Option<Vec<u8>>, KernelConfigError> {
    const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
    let mut rest = kernel;
    while let Some(at) = find_bytes(rest, START) {
        rest = &rest[at + START.len()..];
        // The code that prints the configuration contains the marker too, followed by other bytes.
        if !rest.starts_with(&MAGIC) {
            continue;
        }
        if let Some(feature) = disabled_feature(Compression::Gzip) {
            return Err(without_feature("configuration", feature));
        }
        let mut text = Vec::new();
        let read = decoder(Format::Gzip, rest).and_then(|gzip| gzip.take(MAX_CONFIG).read_to_end(&mut text));
        read.map_err(|error| KernelConfigError::Unpack { what: "configuration", detail: error.to_string() })?;
        return Ok(Some(text));
    }
    Ok(None)
}

fn find_bytes(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut start = 0;
    while let Some(at) = bytes.get(start..)?.iter().position(|byte| *byte == first) {
        start += at;
        if bytes[start..].starts_with(wanted) {
            return Some(start);
        }
        start += 1;
    }
    None
}
