//! The peer `unpack`: the cost of decompressing, hashing and copying only the layers of an image.
//!
//! Two threads take the compressed layers of an OCI image layout, the largest first, decompress each
//! into an unnamed file beside the output, and compute the digests of both forms meanwhile. Then two
//! threads copy the unnamed files to the output, one behind the other, in pieces. Nothing is parsed or
//! verified: it is the least that a program does that keeps unpacked layers in files.

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

/// The size of a buffer in bytes.
const BUFFER: usize = 1 << 20;
/// The length of a piece that one thread copies, in bytes.
const PIECE: u64 = 16 << 20;
const THREADS: usize = 2;

/// Decompresses the layers of the layout into the file `out`.
pub(crate) fn unpack(layout: &Path, out: &Path) -> Result<()> {
    let output = File::create(out).with_context(|| out.display().to_string())?;
    let directory = out.parent().unwrap_or(Path::new("."));
    let mut layers = Vec::new();
    for entry in std::fs::read_dir(layout.join("blobs/sha256"))? {
        let entry = entry?;
        let mut start = [0; 4];
        if File::open(entry.path())?.read(&mut start)? == 4 && start[0] != b'{' {
            layers.push((entry.metadata()?.len(), entry.path()));
        }
    }
    layers.sort();
    let layers = Mutex::new(layers);
    let unpacked = Mutex::new(Vec::new());
    in_threads(|| {
        while let Some((_, path)) = take(&layers) {
            let file = decompress(&path, directory).with_context(|| path.display().to_string())?;
            unpacked.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        }
        Ok(())
    })?;
    let unpacked = unpacked.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut pieces = Vec::new();
    let mut position = 0;
    for file in &unpacked {
        let len = file.metadata()?.len();
        let starts = (0..len.div_ceil(PIECE)).map(|index| index * PIECE);
        pieces.extend(starts.map(|start| (file, start, PIECE.min(len - start), position + start)));
        position += len;
    }
    let pieces = Mutex::new(pieces);
    in_threads(|| {
        let mut buffer = vec![0; BUFFER];
        while let Some((file, start, len, at)) = take(&pieces) {
            for offset in (0..len).step_by(BUFFER) {
                let part = usize::try_from(len - offset).unwrap_or(BUFFER).min(BUFFER);
                file.read_exact_at(&mut buffer[..part], start + offset)?;
                output.write_all_at(&buffer[..part], at + offset)?;
            }
        }
        Ok(())
    })
}

fn take<T>(work: &Mutex<Vec<T>>) -> Option<T> {
    work.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn in_threads(work: impl Fn() -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(&work)).collect();
        // OK to unwrap: a thread that panicked has already printed its message.
        threads.into_iter().try_for_each(|thread| thread.join().unwrap())
    })
}

/// Decompresses a layer into an unnamed file, and hashes both forms.
fn decompress(path: &Path, directory: &Path) -> Result<File> {
    let mut file = tempfile::tempfile_in(directory)?;
    let mut stored = Hashed { inner: File::open(path)?, hasher: Sha256::new() };
    let mut start = [0; 2];
    File::open(path)?.read_exact(&mut start)?;
    let mut buffered = std::io::BufReader::with_capacity(BUFFER, &mut stored);
    let mut reader: Box<dyn Read + '_> = match start {
        [0x1f, 0x8b] => Box::new(MultiGzDecoder::new(&mut buffered)),
        _ => Box::new(zstd::Decoder::with_buffer(&mut buffered)?),
    };
    let (mut buffer, mut hasher) = (vec![0; BUFFER], Sha256::new());
    loop {
        let len = reader.read(&mut buffer)?;
        if len == 0 {
            break;
        }
        hasher.update(&buffer[..len]);
        file.write_all(&buffer[..len])?;
    }
    drop(reader);
    // The digests are computed, and not used.
    std::hint::black_box((hasher.finalize(), stored.hasher.finalize()));
    Ok(file)
}

/// Hashes the bytes that are read.
struct Hashed {
    inner: File,
    hasher: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..len]);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_in_the_output() {
        let scratch = tempfile::tempdir().unwrap();
        let blobs = scratch.path().join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        let layer = |byte, len| vec![byte; len];
        let (first, second) = (layer(b'a', 3 * BUFFER + 1), layer(b'b', usize::try_from(PIECE).unwrap() + 5));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&first).unwrap();
        std::fs::write(blobs.join("1"), gzip.finish().unwrap()).unwrap();
        std::fs::write(blobs.join("2"), zstd::bulk::compress(&second, 1).unwrap()).unwrap();
        std::fs::write(blobs.join("3"), "{\"a\":1}").unwrap();
        let out = scratch.path().join("out");
        unpack(scratch.path(), &out).unwrap();
        let found = std::fs::read(&out).unwrap();
        let count = |byte| found.iter().filter(|one| **one == byte).count();
        assert_eq!(
            (count(b'a'), count(b'b'), found.len()),
            (first.len(), second.len(), first.len() + second.len())
        );
    }
}
