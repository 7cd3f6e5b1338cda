//! Makes the hash area of a file, as `veritysetup format --no-superblock` does:
//! `cargo run --release -p dm-verity-rs --example format -- DATA HASH SALT [THREADS]`.
//!
//! The threads read chunks in any order; the root hash does not depend on it.
#![expect(clippy::disallowed_types, reason = "a program reads a file")]

use std::env::args_os;
use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use dm_verity::{DataHasher, Options, plan};
use image_runs::read_all;

const CHUNK: u64 = 1 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<_> = args_os().skip(1).collect();
    let [data, hash, salt, rest @ ..] = arguments.as_slice() else {
        return Err("the arguments are DATA HASH SALT [THREADS]".into());
    };
    let text = |argument: &std::ffi::OsString| argument.to_string_lossy().into_owned();
    let threads: usize = rest.first().map_or(Ok(2), |threads| text(threads).parse())?;

    let file = File::open(data)?;
    let layout = plan(&Options::new(text(salt).parse()?), file.metadata()?.len())?;
    let hasher = DataHasher::new(&layout)?;
    let next = AtomicU64::new(0);
    let hash_chunks = || -> Result<()> {
        let mut buffer = vec![0; usize::try_from(CHUNK)?];
        loop {
            let offset = next.fetch_add(CHUNK, Ordering::Relaxed);
            if offset >= layout.data_len() {
                return Ok(());
            }
            let len = CHUNK.min(layout.data_len() - offset);
            let chunk = &mut buffer[..usize::try_from(len)?];
            file.read_exact_at(chunk, offset)?;
            hasher.write_at(offset, chunk)?;
        }
    };
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(hash_chunks)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;

    let tree = hasher.finish()?;
    fs::write(hash, read_all::<Vec<u8>>(&tree.hash_area())?)?;
    println!("{}", tree.parameters());
    Ok(())
}
