//! `rootcast image`: a tree becomes a disk.

use std::fmt::Write as _;
use std::path::Path;

use image_runs::Image;
use image_tree::dump::{self, Body};
use image_tree::{Timestamp, Tree};
use mkfs_ext4::{Signedness, Size};

use crate::architecture;
use crate::blob::Blob;
use crate::disk::{self, DISK_UNIT, Disk, DiskLayout, DiskOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::output::{self, WriteOptions, digest, sparse_file, stream};
use crate::recipe::{ImageRecipe, Output};
use crate::report::progress::Bar;
use crate::seed::{Seed, label};

/// The name of the GPT partition, which the Discoverable Partitions Specification leaves free.
const PARTITION_NAME: &str = "root";

/// Makes the image and puts it where the recipe says.
///
/// # Errors
/// When the tree cannot be read or expressed, does not fit, or the image cannot be written. Nothing is left behind then.
pub fn image(recipe: &ImageRecipe, interrupt: &Interrupt) -> Result<()> {
    let tree = super::read_tree(&recipe.tree, interrupt)?;
    interrupt.check()?;
    let seed = recipe
        .seed(|mut text| dump::write(&tree, &mut text, |_, _| Ok(Body::None)))
        .map_err(|error| Error::new(ErrorKind::Io, error))?;
    let disk_options = disk_options(recipe, &tree, &seed)?;
    let overhead = disk::overhead(&disk_options)?;
    let filesystem = mkfs_ext4::plan(&tree, &filesystem_options(recipe, &seed, overhead))
        .map_err(|error| blame(recipe, overhead, error))?;
    let disk = disk::place(&filesystem, &disk_options)?;
    put(recipe, &disk, interrupt)?;
    if !recipe.quiet && recipe.output != Output::Digest {
        eprint!("{}", summary(recipe, &disk, &filesystem.summary()));
    }
    Ok(())
}

fn disk_options(recipe: &ImageRecipe, tree: &Tree<Blob>, seed: &Seed) -> Result<DiskOptions> {
    let architecture = match (recipe.architecture, recipe.layout) {
        (None, DiskLayout::Gpt) => architecture::detect(tree).map_err(output::classify_read_error)?,
        (given, _) => given,
    };
    Ok(DiskOptions {
        layout: recipe.layout,
        sector_size: recipe.sector_size,
        architecture,
        disk_guid: seed.uuid(label::GPT_DISK),
        partition_guid: seed.uuid(label::GPT_ROOT_PARTITION),
        mbr_signature: seed.u32(label::MBR_SIGNATURE),
        partition_name: PARTITION_NAME.to_owned(),
    })
}

fn filesystem_options(recipe: &ImageRecipe, seed: &Seed, overhead: u64) -> mkfs_ext4::Options {
    let size = match recipe.size {
        Size::Total { bytes } => Size::Total { bytes: bytes.saturating_sub(overhead) },
        size => size,
    };
    mkfs_ext4::Options {
        uuid: recipe.uuid.unwrap_or_else(|| seed.uuid(label::EXT4_UUID)),
        hash_seed: seed.uuid(label::EXT4_HASH_SEED),
        hash_signedness: Signedness::Signed,
        label: recipe.label,
        size,
        inodes: recipe.inodes,
        reserved_percent: recipe.reserved_percent,
        journal: recipe.journal,
        created: recipe.tree.source_date_epoch.unwrap_or(Timestamp::EPOCH),
    }
}

/// Whose fault it is that no filesystem could be planned. Sizes are those of the whole image, as the user gave them.
fn blame(recipe: &ImageRecipe, overhead: u64, error: mkfs_ext4::Error) -> Error {
    use mkfs_ext4::Error as E;
    match (error, recipe.size) {
        (E::TooSmall { needed_bytes, .. }, Size::Total { bytes }) => {
            let needed = (needed_bytes + overhead).next_multiple_of(DISK_UNIT);
            let message = format!(
                "the image is {missing} bytes too small: --size gives {bytes} bytes, the tree needs {needed}; \
                 give --size {needed} or more, or leave it out for the smallest",
                missing = needed.saturating_sub(bytes),
            );
            Error::new(ErrorKind::DoesNotFit, message)
        }
        (error @ (E::TooSmall { .. } | E::TooFewInodes { .. }), _) => {
            Error::new(ErrorKind::DoesNotFit, error)
        }
        (error @ E::Inexpressible { .. }, _) => Error::new(ErrorKind::BadInput, error),
        (error @ (E::TooManyInodes { .. } | E::TooLarge { .. }), _) => {
            Error::new(ErrorKind::DoesNotFit, error)
        }
        (error, _) => Error::new(ErrorKind::Usage, error),
    }
}

fn put(recipe: &ImageRecipe, disk: &Disk<'_, Blob>, interrupt: &Interrupt) -> Result<()> {
    let bar = Bar::on_stderr(disk.len(), recipe.quiet);
    let options = WriteOptions { threads: recipe.tree.threads, interrupt, progress: &bar };
    match &recipe.output {
        Output::File(path) => {
            sparse_file::write(disk, path, &options)?;
        }
        Output::Stream => {
            let mut out = stream::standard_output()?;
            // A reader that goes away has read what it wanted.
            let _ = stream::write(disk, &mut out, Path::new("standard output"), &options)?;
        }
        Output::Digest => {
            let digest = digest::sha256(disk, &options)?;
            drop(bar);
            let hex = digest.iter().fold(String::new(), |mut hex, byte| {
                // OK to ignore: a String takes whatever is written to it.
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            println!("{hex}");
        }
    }
    Ok(())
}

fn summary(recipe: &ImageRecipe, disk: &Disk<'_, Blob>, filesystem: &mkfs_ext4::Summary) -> String {
    let name = match &recipe.output {
        Output::File(path) => path.display().to_string(),
        Output::Stream | Output::Digest => "standard output".to_owned(),
    };
    let free = filesystem.free_blocks * u64::from(filesystem.block_size);
    let mut text = format!(
        "{name}: {} bytes, {} with an ext4 filesystem of {} files, {free} bytes free\n",
        disk.len(),
        recipe.layout,
        filesystem.files,
    );
    if let Some(root) = disk.root_partition() {
        text += &format!("boot it with root=PARTUUID={}\n", root.partuuid);
    }
    text
}
