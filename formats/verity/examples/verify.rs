//! Verifies a file against a hash area, as `veritysetup verify --no-superblock` does:
//! `cargo run --release -p dm-verity-rs --example verify -- DATA HASH PARAMETERS [THREADS]`.
//!
//! The parameters are a line as the example `format` prints it. The first bad block is reported.
#![expect(clippy::disallowed_types, reason = "a program reads a file")]

use std::env::args_os;
use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use dm_verity::{Parameters, Verifier, VerifyError, plan};

const CHUNK: u64 = 1 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<_> = args_os().skip(1).collect();
    let [data, hash, parameters, rest @ ..] = arguments.as_slice() else {
        return Err("the arguments are DATA HASH PARAMETERS [THREADS]".into());
    };
    let text = |argument: &std::ffi::OsString| argument.to_string_lossy().into_owned();
    let threads: usize = rest.first().map_or(Ok(2), |threads| text(threads).parse())?;

    let parameters: Parameters = text(parameters).parse()?;
    let layout = plan(&parameters.options(), parameters.data_len())?;
    let (file, area) = (File::open(data)?, fs::read(hash)?);
    let verifier = Verifier::new(&layout, &parameters.root_hash, &area, 0)?;
    let next = AtomicU64::new(0);
    // Each thread ends at its first bad block; chunks are taken in order, so the first of all is
    // among these.
    let verify_chunks = || -> Result<Option<(u64, VerifyError)>> {
        let mut buffer = vec![0; usize::try_from(CHUNK)?];
        loop {
            let offset = next.fetch_add(CHUNK, Ordering::Relaxed);
            if offset >= layout.data_len() {
                return Ok(None);
            }
            let len = CHUNK.min(layout.data_len() - offset);
            let chunk = &mut buffer[..usize::try_from(len)?];
            file.read_exact_at(chunk, offset)?;
            let first = offset / u64::from(parameters.data_block_size.bytes());
            if let Err(error) = verifier.verify(first, chunk) {
                return Ok(Some((offset, error)));
            }
        }
    };
    let bad = thread::scope(|scope| -> Result<Vec<(u64, VerifyError)>> {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(verify_chunks)).collect();
        let ended = workers.into_iter().map(|worker| worker.join().expect("no worker panics"));
        ended.filter_map(std::result::Result::transpose).collect()
    })?;
    match bad.into_iter().min_by_key(|(offset, _)| *offset) {
        Some((_, error)) => Err(error.into()),
        None => {
            println!("{} blocks are verified", layout.data_blocks());
            Ok(())
        }
    }
}
