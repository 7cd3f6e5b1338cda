//! Makes a disk with two partitions: `cargo run -p partition-table --example gpt_disk -- disk.img`.

use std::env::args_os;
use std::error::Error;

use partition_table::image_runs::{Image, Run, Source, write_sparse};
use partition_table::uuid::{Uuid, uuid};
use partition_table::{Gpt, GptPartition, LINUX_FILESYSTEM, Options, SectorSize, Table, plan};

/// The image of a partition: bytes, and zeros up to a length. A filesystem is such an image too.
struct Bytes {
    bytes: Vec<u8>,
    len: u64,
}

impl Image<Vec<u8>> for Bytes {
    fn len(&self) -> u64 {
        self.len
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
        let len = self.bytes.len() as u64;
        let bytes = Run { len, source: Source::Bytes(&self.bytes) };
        Box::new([bytes, Run::zeros(self.len - len)].into_iter())
    }
}

fn partition(name: &str, guid: Uuid, image: &Bytes) -> GptPartition {
    GptPartition { name: name.into(), type_guid: LINUX_FILESYSTEM, guid, attributes: 0, len: image.len }
}

#[expect(clippy::disallowed_types, reason = "the library reads no file; this program writes one")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = args_os().nth(1).ok_or("the path of the disk is missing")?;
    let root = Bytes { bytes: b"a filesystem\n".to_vec(), len: 8 << 20 };
    let data = Bytes { bytes: b"another filesystem\n".to_vec(), len: 16 << 20 };
    let table = Table::Gpt(Gpt {
        // Identifiers are the caller's, so that the same partitions give the same bytes.
        disk_guid: uuid!("1b0bd4b4-0a86-4b0f-8a0a-4f0b2f3c8a11"),
        partitions: vec![
            partition("root", uuid!("7d2e5a43-2d0c-4f4e-9a53-7d2c6ed2f8c2"), &root),
            partition("data", uuid!("c5b1e0b4-6d0a-4f57-8f0e-54b1f7a5c3d6"), &data),
        ],
    });
    let disk = plan(&table, &Options::new(SectorSize::Bytes512))?.assemble(&[&root, &data])?;
    write_sparse(&disk, &std::fs::File::create(path)?)?;
    println!("{} bytes", disk.len());
    Ok(())
}
