//! Makes a disk of the layers of an image of containers: `layers_to_disk oci:DIR:REF disk.img`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rootcast::{Build, Cancel, ImageRecipe, Progress, Size, Watch};

/// Counts the bytes that were found and written.
#[derive(Default)]
struct Counter(AtomicU64);

impl Progress for Counter {
    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, output] = &arguments[..] else { return Err("usage: layers_to_disk SOURCE OUTPUT".into()) };

    let mut image = ImageRecipe::default();
    image.size = Size::Free { bytes: 16 << 20 };
    let mut build = Build::new([source]).making(image);
    build.tree.guest_files = true;
    let counter = Arc::new(Counter::default());
    let plan = build.plan(&Watch::new(counter.clone(), Cancel::new()))?;
    let report = plan.write_file(output)?;

    println!("{}", plan.summary(output, &report).trim_end());
    println!("{} bytes passed", counter.0.load(Ordering::Relaxed));
    Ok(())
}
