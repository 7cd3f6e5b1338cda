//! What tells a content from every other without reading it.

use super::KeyBuilder;
use crate::blob::Blob;

/// A content that may be known by something else than its bytes.
pub trait Identify {
    /// Puts into `key` what is different when the bytes are; none when nothing but the bytes says what they are.
    #[must_use]
    fn identify(&self, key: &mut KeyBuilder) -> Option<()>;
}

/// Files of the host are known by their identity, ranges of an archive by that of the archive.
impl Identify for Blob {
    fn identify(&self, key: &mut KeyBuilder) -> Option<()> {
        match self.itself() {
            Blob::Host(file) => {
                let (size, identity) = file.identity();
                key.number(0);
                identity.put_into(size, key)
            }
            Blob::Range(range) => {
                let (size, identity) = range.archive_identity()?;
                let (offset, len) = range.place();
                key.number(1);
                key.number(offset);
                key.number(len);
                identity.put_into(size, key)
            }
            Blob::Sparse(_) | Blob::Mapped(_) => None,
            Blob::Memory(bytes) => {
                key.number(2);
                key.number(bytes.len() as u64);
                key.bytes(bytes);
                Some(())
            }
        }
    }
}

impl crate::blob::Identity {
    fn put_into(&self, size: u64, key: &mut KeyBuilder) -> Option<()> {
        key.number(self.device);
        key.number(self.inode);
        key.number(size);
        // A modification sets the change time too, and the other way round it does not matter.
        key.number(self.mtime.0.cast_unsigned());
        key.number(u64::from(self.mtime.1));
        key.changed(self.ctime)
    }
}
