//! Prints the speed of each engine of this processor, on one thread.
//!
//! ```sh
//! cargo run --release -p sha256-lanes --example speed
//! ```

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a program measures time")]

use std::time::Instant;

use sha2::{Digest as _, Sha256};
use sha256_lanes::{BlockHasher, Engine};

/// The size of a block in bytes, that of a page.
const BLOCK: usize = 4096;
/// The number of blocks that are hashed at once: 1 MiB of them.
const COUNT: usize = 256;
/// The number of measurements, of which the best counts.
const ROUNDS: usize = 200;

fn main() {
    let data: Vec<u8> = (0..BLOCK * COUNT).map(|index| index.to_le_bytes()[0]).collect();
    let blocks: Vec<&[u8]> = data.chunks_exact(BLOCK).collect();
    let salt = [7; 32];
    print("sha2", || {
        let state = Sha256::new_with_prefix(salt);
        let mut last = [0; 32];
        for block in &blocks {
            let mut state = state.clone();
            state.update(block);
            last.copy_from_slice(&state.finalize());
        }
        last
    });
    for engine in Engine::ALL {
        let Some(hasher) = BlockHasher::with_engine(&salt, b"", engine) else { continue };
        print(&engine.to_string(), || {
            let mut last = [0; 32];
            hasher.hash(&blocks, |_, digest| last = digest);
            last
        });
        for count in [1, 2, 4, 8, 12] {
            let few = &blocks[..count];
            let one = best(|| {
                let mut last = [0; 32];
                hasher.hash(few, |_, digest| last = digest);
                last
            });
            println!("  {count:2} blocks: {:.2} µs", one * 1e6);
        }
    }
}

fn print(name: &str, run: impl FnMut() -> [u8; 32]) {
    println!("{name:9} {:.2} GB/s", (BLOCK * COUNT) as f64 / best(run) / 1e9);
}

/// The shortest time of a run in seconds.
fn best(mut run: impl FnMut() -> [u8; 32]) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        std::hint::black_box(run());
        best = best.min(began.elapsed().as_secs_f64());
    }
    best
}
