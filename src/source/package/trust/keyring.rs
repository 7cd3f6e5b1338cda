//! The keys that are trusted.

use std::fmt;
use std::io::BufReader;
use std::path::Path;

use pgp::armor::BlockType;
use pgp::composed::{Deserializable as _, SignedPublicKey};
use pgp::packet::{PacketParser, Signature};

use super::armor;
use super::certificate::{Certificate, Key};
use crate::error::{Error, ErrorKind, Result};

/// The largest file of keys, in bytes; Debian's has 60 KB.
const MAX_LEN: usize = 64 << 20;

/// The magic number of a keybox of GnuPG, and its offset.
const KEYBOX: (usize, &[u8]) = (8, b"KBXf");

/// Keys that are trusted to sign, from one or more files.
#[derive(Default)]
pub struct Keyring {
    certificates: Vec<Certificate>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} certificates", self.certificates.len())
    }
}

impl Keyring {
    /// Returns the keys of a file: certificates in binary form, or in text form, one after another.
    ///
    /// # Errors
    /// [`BadInput`](ErrorKind::BadInput) if it has no key that can be read.
    pub fn read(bytes: &[u8], path: &Path) -> Result<Self> {
        let mut keyring = Self::default();
        keyring.add(bytes, path)?;
        Ok(keyring)
    }

    /// Adds the keys of a further file.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn add(&mut self, bytes: &[u8], path: &Path) -> Result<()> {
        let unusable = |why: String| Error::at(ErrorKind::BadInput, path, format!("{why} (keyring)"));
        if bytes.len() > MAX_LEN {
            return Err(unusable(format!("has more than {MAX_LEN} bytes")));
        }
        if bytes.get(KEYBOX.0..).is_some_and(|rest| rest.starts_with(KEYBOX.1)) {
            let hint = "is a keybox of GnuPG, which is not a file of keys: write one with gpg --export";
            return Err(unusable(hint.to_owned()));
        }
        let blocks = match armor::is_armored(bytes) {
            true => armor::blocks(bytes, BlockType::PublicKey).map_err(unusable)?,
            false => vec![bytes.to_vec()],
        };
        let before = self.certificates.len();
        let mut fault = None;
        for block in &blocks {
            let packets = PacketParser::new(BufReader::new(&block[..]));
            // Keys of kinds that are not supported are left out, and those after them are read.
            for key in SignedPublicKey::from_packets(packets.peekable()) {
                match key {
                    Ok(key) => self.certificates.push(Certificate { key, path: path.to_owned() }),
                    Err(error) => fault = fault.or(Some(error.to_string())),
                }
            }
        }
        if self.certificates.len() == before {
            let why = fault.map(|fault| format!(": {fault}")).unwrap_or_default();
            return Err(unusable(format!("has no key of OpenPGP that can be read{why}")));
        }
        Ok(())
    }

    /// The number of keys, without subkeys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Returns true if it has no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Returns the keys that a signature names.
    pub(super) fn named<'k>(&'k self, signature: &'k Signature) -> impl Iterator<Item = Key<'k>> {
        let (ids, fingerprints) = (signature.issuer_key_id(), signature.issuer_fingerprint());
        self.certificates.iter().flat_map(Certificate::keys).filter(move |key| {
            let fingerprint = key.fingerprint();
            match fingerprints.is_empty() {
                true => ids.iter().any(|id| **id == key.id()),
                false => fingerprints.iter().any(|named| **named == fingerprint),
            }
        })
    }

    /// Returns the paths of the files, without duplicates.
    pub(super) fn paths(&self) -> Vec<&Path> {
        let mut paths: Vec<&Path> =
            self.certificates.iter().map(|certificate| certificate.path.as_path()).collect();
        paths.dedup();
        paths
    }
}
