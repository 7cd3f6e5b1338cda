//! Serves the disk of a tree read-only without writing it: `serve rootfs`.
//!
//! Each line of standard input is an offset and a length in bytes; their bytes go to standard
//! output. A server of a network or virtio block device answers its requests in the same way.

use std::io::{BufRead, Write};

use rootcast::{Build, Watch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sources: Vec<String> = std::env::args().skip(1).collect();
    // The image owns the plan, so that threads of a server can share it: it is `Send` and `Sync`.
    let served = Build::new(sources).plan(&Watch::default())?.into_image()?;
    let image = served.image();
    eprintln!("{} bytes, read-only", image.len());

    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (offset, len) = line.split_once(' ').ok_or("a line is OFFSET LENGTH")?;
        let mut buffer = vec![0; len.parse()?];
        image.read_at(&mut buffer, offset.parse()?)?;
        out.write_all(&buffer)?;
    }
    Ok(())
}
