//! The disk around a filesystem, as the recipe requests it.

use dm_verity::BlockSize;
use image_tree::Tree;

use crate::architecture::{self, Architecture};
use crate::blob::{Blob, classify_read_error};
use crate::disk::{DiskFrame, DiskLayout, DiskLength, DiskOptions, HashTreePartition, Partition};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::Size;
use crate::recipe::verity::VerityRecipe;
use crate::recipe::{ImageRecipe, TreeRecipe};
use crate::seed::{Seed, label};

/// Returns the disk, whose partition types are those of the tree's architecture.
pub(super) fn frame(
    (tree_recipe, recipe): (&TreeRecipe, &ImageRecipe),
    tree: &Tree<Blob>,
    seed: &Seed,
) -> Result<DiskFrame> {
    let needs_architecture = recipe.layout == DiskLayout::Gpt || recipe.verity.is_some();
    let architecture = match tree_recipe.architecture {
        None if needs_architecture => architecture::detect(tree).map_err(classify_read_error)?,
        given => given,
    };
    if let Some(verity) = &recipe.verity {
        check_page(verity, architecture)?;
    }
    let hash_tree = recipe.verity.as_ref().map(|verity| HashTreePartition {
        partition: Partition::hash_tree(architecture, seed.uuid(label::GPT_HASH_PARTITION)),
        verity: verity.options(seed),
    });
    Ok(DiskFrame {
        options: disk_options(recipe, seed),
        filesystem: Partition::root(architecture, seed.uuid(label::GPT_ROOT_PARTITION)),
        hash_tree,
    })
}

fn disk_options(recipe: &ImageRecipe, seed: &Seed) -> DiskOptions {
    let length = match recipe.size {
        // The filesystem alone may be some bytes shorter, as it consists of whole blocks.
        Size::Total { bytes } if recipe.layout != DiskLayout::Bare => DiskLength::Exact(bytes),
        _ => DiskLength::Multiple(recipe.size_multiple()),
    };
    DiskOptions {
        layout: recipe.layout,
        dax: recipe.dax,
        sector_size: recipe.sector_size,
        length,
        disk_guid: seed.uuid(label::GPT_DISK),
        mbr_signature: seed.u32(label::MBR_SIGNATURE),
    }
}

/// Fails if no kernel for the architecture has pages as large as a data block.
fn check_page(verity: &VerityRecipe, architecture: Option<Architecture>) -> Result<()> {
    let page = architecture.map_or(BlockSize::BYTES_4096.bytes(), Architecture::max_page_size);
    let block = verity.tree.data_block_size;
    if block.bytes() <= page {
        return Ok(());
    }
    let name = architecture.map_or("an unknown architecture", Architecture::name);
    let message = format!(
        "a data block of {block} bytes is larger than a page of kernels for {name}, {page} bytes, and they refuse it: \
         --data-block-size {page} or less"
    );
    Err(Error::new(ErrorKind::Usage, message))
}
