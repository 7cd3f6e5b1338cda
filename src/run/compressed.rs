//! Writes compressed members to the output of a recipe.

use std::io::{self, Write};
use std::path::Path;

use initramfs::codec::Codec;
use sha2::{Digest as _, Sha256};

use super::output;
use crate::blob::Blob;
use crate::error::Result;
use crate::output::Destination;
use crate::output::compress::{self, CompressOptions, Compressed, Member};
use crate::report::{Artifact, Transfer};

/// Writes members to their destination, or digests them if there is none, and adds the results to
/// the report.
pub(super) fn write(
    members: &[Member<'_, Blob>],
    codec: &Codec,
    destination: Option<&Destination>,
    options: &CompressOptions<'_>,
    artifact: &mut Artifact<Option<u64>>,
) -> Result<Compressed> {
    let compressed = match destination {
        Some(destination) => {
            let compressed = compress::write(members, codec, destination, options)?;
            let copied_bytes = compressed.written_bytes;
            artifact.record_transfer(Transfer { cloned_bytes: 0, copied_bytes, hole_bytes: 0 });
            compressed
        }
        None => {
            let mut digest = Digesting(Sha256::new());
            let compressed = compress::stream(members, codec, &mut digest, Path::new("the digest"), options)?;
            artifact.sha256 = Some(output::hex(&digest.0.finalize()));
            compressed
        }
    };
    artifact.size = Some(compressed.written_bytes);
    Ok(compressed)
}

/// Digests the bytes that are written.
struct Digesting(Sha256);

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
