//! Writes an image of 1 GiB that is mostly a hole:
//! `cargo run -p image-runs --example sparse -- disk.img`.

use std::env::args_os;
use std::error::Error;

use image_runs::{Image, Run, Source, write_sparse};

/// A file at the start and at the end of zeros.
struct Ends {
    file: Vec<u8>,
    len: u64,
}

impl Image<Vec<u8>> for Ends {
    fn len(&self) -> u64 {
        self.len
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
        let len = self.file.len() as u64;
        let file = Run { len, source: Source::Content { content: &self.file, offset: 0 } };
        Box::new([file, Run::zeros(self.len - 2 * len), file].into_iter())
    }
}

#[expect(clippy::disallowed_types, reason = "the library reads no file; this program writes one")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = args_os().nth(1).ok_or("the path of the image is missing")?;
    let image = Ends { file: b"guest\n".to_vec(), len: 1 << 30 };
    write_sparse(&image, &std::fs::File::create(path)?)?;
    Ok(())
}
