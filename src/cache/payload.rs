//! Decoded packages, by the digest of the package's file.
//!
//! ```text
//! DIR/p7f…   digest of a package's file ─▶ files (a tar archive) │ description (a tar archive) │ trailer
//! trailer    magic (16) │ length of the package (8), the files (8), the description (8) │ SHA-256 (32)
//! ```
//!
//! The digest at the end is that of everything before it, so that an entry that was damaged is not
//! used; the digest of the package in its name is not that of the entry's bytes.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;

use sha2::{Digest, Sha256};

use super::{Addressed, Cache, NewAddressed};

/// The magic number of a trailer. It changes with the meaning of entries.
const MAGIC: [u8; 16] = *b"rootcast deb 001";

/// The length of the part of a trailer that is hashed, in bytes.
const HEAD: usize = 16 + 3 * 8;

/// The length of a trailer, in bytes.
const TRAILER: usize = HEAD + 32;

/// The size of a read, in bytes.
const CHUNK: usize = 1 << 18;

/// The lengths of the parts of an entry, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PayloadLens {
    /// The file of the package, which is not in the entry.
    pub(crate) package: u64,
    /// The files, at the start of the entry.
    pub(crate) data: u64,
    /// The description, behind the files.
    pub(crate) control: u64,
}

impl PayloadLens {
    fn trailer_head(self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..16].copy_from_slice(&MAGIC);
        for (place, len) in head[16..].chunks_exact_mut(8).zip([self.package, self.data, self.control]) {
            place.copy_from_slice(&len.to_le_bytes());
        }
        head
    }
}

/// An entry whose digest was verified.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) file: File,
    pub(crate) lens: PayloadLens,
}

/// The result of looking for an entry.
#[derive(Debug)]
pub(crate) enum FoundPayload {
    Verified(Payload),
    /// It is there, and not what was written.
    Damaged,
    Missing,
}

impl Cache {
    /// Opens the entry of a package with this digest, in hexadecimal digits, verifies it, and updates
    /// its time of use. `check` is called for each part of the entry, and its error ends the reading.
    ///
    /// # Errors
    /// Those of `check`.
    pub(crate) fn open_payload<E>(
        &self,
        digits: &str,
        mut check: impl FnMut() -> Result<(), E>,
    ) -> Result<FoundPayload, E> {
        let Some(file) = self.open_addressed(Addressed::Package, digits) else {
            return Ok(FoundPayload::Missing);
        };
        let Some((lens, trailer)) = lens(&file) else { return Ok(FoundPayload::Damaged) };
        let (mut digest, mut offset, end) = (Sha256::new(), 0, lens.data + lens.control);
        let mut buffer = vec![0; CHUNK];
        while offset < end {
            check()?;
            let count = usize::try_from(end - offset).unwrap_or(CHUNK).min(CHUNK);
            if file.read_exact_at(&mut buffer[..count], offset).is_err() {
                return Ok(FoundPayload::Damaged);
            }
            digest.update(&buffer[..count]);
            offset += count as u64;
        }
        digest.update(lens.trailer_head());
        Ok(match trailer[HEAD..] == *digest.finalize().as_slice() {
            true => FoundPayload::Verified(Payload { file, lens }),
            false => FoundPayload::Damaged,
        })
    }

    /// Begins the entry of a package; `None` if nothing can be stored. The files are to be written to
    /// its start.
    ///
    /// # Errors
    /// If no file can be created.
    pub(crate) fn begin_payload(&self, digits: &str) -> io::Result<Option<NewAddressed<'_>>> {
        self.begin_addressed(Addressed::Package, digits)
    }
}

impl NewAddressed<'_> {
    /// Writes what follows the files of a package, whose digest is `digest`, and gives the entry its
    /// name. Returns false if it is larger than the whole cache may be, and not kept.
    ///
    /// # Errors
    /// If it cannot be written or named; there is no new entry then.
    pub(crate) fn keep_payload(
        self,
        mut digest: Sha256,
        lens: PayloadLens,
        control: &[u8],
    ) -> io::Result<bool> {
        let head = lens.trailer_head();
        digest.update(control);
        digest.update(head);
        let end = [control, &head, digest.finalize().as_slice()].concat();
        self.file().write_all_at(&end, lens.data)?;
        self.file().flush()?;
        self.keep()
    }
}

/// Reads the trailer, if the lengths in it are those of the file.
fn lens(file: &File) -> Option<(PayloadLens, [u8; TRAILER])> {
    let len = file.metadata().ok()?.len();
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, len.checked_sub(TRAILER as u64)?).ok()?;
    let mut numbers = trailer[16..HEAD].chunks_exact(8).map(|bytes| {
        let mut number = [0; 8];
        number.copy_from_slice(bytes);
        u64::from_le_bytes(number)
    });
    let lens = PayloadLens { package: numbers.next()?, data: numbers.next()?, control: numbers.next()? };
    let all = lens.data.checked_add(lens.control)?.checked_add(TRAILER as u64)?;
    (trailer[..16] == MAGIC && all == len).then_some((lens, trailer))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "11111111111111111111111111111111111111111111111111111111111111aa";

    fn open(cache: &Cache) -> FoundPayload {
        cache.open_payload::<()>(DIGITS, || Ok(())).expect("nothing stops it")
    }

    fn store(cache: &Cache) -> PayloadLens {
        let lens = PayloadLens { package: 7, data: 5, control: 3 };
        let new = cache.begin_payload(DIGITS).expect("room").expect("it can be written");
        new.file().write_all_at(b"files", 0).expect("room");
        let digest = Sha256::new().chain_update(b"files");
        assert!(new.keep_payload(digest, lens, b"ctl").expect("room"));
        lens
    }

    #[test]
    fn an_entry_has_both_parts() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let cache = Cache::open(directory.path(), 1 << 30).expect("a directory of our own");
        assert!(matches!(open(&cache), FoundPayload::Missing));
        let lens = store(&cache);
        let FoundPayload::Verified(found) = open(&cache) else { panic!("it was stored") };
        assert_eq!(found.lens, lens);
        let mut bytes = [0; 8];
        found.file.read_exact_at(&mut bytes, 0).expect("both parts");
        assert_eq!(&bytes, b"filesctl");
        assert!(cache.open_payload(DIGITS, || Err("stopped")).is_err());
    }

    #[test]
    fn a_damaged_entry_is_not_used() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let cache = Cache::open(directory.path(), 1 << 30).expect("a directory of our own");
        store(&cache);
        let path = directory.path().join(format!("p{DIGITS}"));
        let bytes = std::fs::read(&path).expect("an entry");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            std::fs::remove_file(&path).expect("our own");
            std::fs::write(&path, &changed).expect("room");
            assert!(matches!(open(&cache), FoundPayload::Damaged), "byte {at}");
        }
        for len in 0..bytes.len() {
            std::fs::write(&path, &bytes[..len]).expect("room");
            assert!(matches!(open(&cache), FoundPayload::Damaged), "{len} bytes");
        }
        store(&cache);
        assert!(matches!(open(&cache), FoundPayload::Verified(_)));
    }
}
