//! The signature behind a module (`include/linux/module_signature.h`).
//!
//! ```text
//! module │ signature │ algo hash id_type signer_len key_id_len 0 0 0 │ sig_len │ ~Module signature appended~\n
//!                      8 bytes                                        4 bytes, big-endian
//! ```

use image_tree::Content;

use crate::error::ModuleError;

const MAGIC: &[u8; 28] = b"~Module signature appended~\n";

/// The length of `struct module_signature` in bytes.
const HEADER: usize = 12;

/// The signature of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// The length of the module without it, in bytes.
    pub module_len: u64,
    /// The type of the key's identifier; 2 is PKCS#7.
    pub id_type: u8,
    /// The length of the signature in bytes, without header and magic.
    pub len: u32,
}

impl Signature {
    /// Finds the signature of a module, which is not compressed; `None` if it has none.
    ///
    /// # Errors
    /// If the file cannot be read, or is shorter than the signature.
    pub fn find<C: Content + ?Sized>(content: &C) -> Result<Option<Self>, ModuleError> {
        let mut trailer = [0; HEADER + MAGIC.len()];
        let Some(start) = content.len().checked_sub(trailer.len() as u64) else { return Ok(None) };
        content.read_at(&mut trailer, start).map_err(ModuleError::Read)?;
        let (header, magic) = trailer.split_at(HEADER);
        if magic != MAGIC {
            return Ok(None);
        }
        let len = header[8..].iter().fold(0, |len, byte| len << 8 | u32::from(*byte));
        let module_len = start.checked_sub(u64::from(len)).ok_or(ModuleError::Signature { len })?;
        Ok(Some(Self { module_len, id_type: header[2], len }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(module: &[u8], len: [u8; 4]) -> Vec<u8> {
        [module, b"SIG", &[0, 0, 2, 0, 0, 0, 0, 0], &len, MAGIC].concat()
    }

    #[test]
    fn a_signature_is_found_by_its_trailer() {
        let found = Signature::find(&signed(b"module", [0, 0, 0, 3])).expect("it is valid");
        assert_eq!(found, Some(Signature { module_len: 6, id_type: 2, len: 3 }));
        for unsigned in [&b""[..], b"module", &signed(b"module", [0, 0, 0, 3])[..45]] {
            assert_eq!(Signature::find(unsigned).expect("it is readable"), None);
        }
        let error = Signature::find(&signed(b"module", [0, 0, 1, 0])).expect_err("it is too long");
        assert_eq!(error.to_string(), "its signature of 256 bytes is longer than the file");
    }
}
