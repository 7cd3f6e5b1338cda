//! Prints the SHA-256 of the disk of a tree, without writing it: `digest rootfs`.

use rootcast::{Build, Watch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sources: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", Build::new(sources).plan(&Watch::default())?.digest()?);
    Ok(())
}
