//! The disk image to make of a tree.

use image_tree::Timestamp;
use uuid::Uuid;

use super::TreeRecipe;
use super::filesystem::FilesystemRecipe;
use super::preset::{self, DiskPreset};
use super::verity::VerityRecipe;
use crate::architecture::Architecture;
use crate::disk::{DAX_UNIT, DISK_UNIT, DiskLayout, SectorSize};
use crate::filesystem::Size;
use crate::output::Reflink;
use crate::seed::Seed;

/// A disk image to make of a tree, without the tree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImageRecipe {
    /// The policy for sharing extents between the image and the sources.
    pub reflink: Reflink,
    /// The filesystem.
    pub filesystem: FilesystemRecipe,
    /// The partition table around the filesystem.
    pub layout: DiskLayout,
    /// True if the layout of a Kata guest has the header with which it can be mounted with DAX.
    pub dax: bool,
    /// The purpose that preset options, if there is one.
    pub preset: Option<DiskPreset>,
    /// The logical sector size of the disk.
    pub sector_size: SectorSize,
    /// The size of the image. [`Size::Total`] includes the partition table and the hash tree.
    pub size: Size,
    /// The multiple of the image's size in bytes; `None` for that of the layout.
    pub size_multiple: Option<u64>,
    /// The hash tree of the filesystem, if it is measured.
    pub verity: Option<VerityRecipe>,
    /// The name of a guest extension of Kata, if it is one with a name.
    pub extension: Option<String>,
    /// The seed that identifiers derive from; `None` takes a digest of the tree's metadata and of
    /// this recipe.
    pub seed: Option<Uuid>,
}

impl Default for ImageRecipe {
    /// The smallest GPT disk, with the options that the command line has without flags.
    fn default() -> Self {
        Self {
            reflink: Reflink::Auto,
            filesystem: FilesystemRecipe::default(),
            layout: DiskLayout::Gpt,
            dax: true,
            preset: None,
            sector_size: SectorSize::Bytes512,
            size: Size::Smallest,
            size_multiple: None,
            verity: None,
            extension: None,
            seed: None,
        }
    }
}

impl ImageRecipe {
    /// The multiple of the image's size in bytes.
    #[must_use]
    pub fn size_multiple(&self) -> u64 {
        self.size_multiple.unwrap_or(self.layout_multiple())
    }

    /// The least multiple that an image of the layout has, in bytes.
    fn layout_multiple(&self) -> u64 {
        match self.layout {
            DiskLayout::Bare => 1,
            DiskLayout::Kata if self.dax => DAX_UNIT,
            DiskLayout::Gpt | DiskLayout::Mbr | DiskLayout::Kata => DISK_UNIT,
        }
    }

    /// True if Kata's runtimes and guests are to use the disk.
    #[must_use]
    pub fn is_for_kata(&self) -> bool {
        self.layout == DiskLayout::Kata || self.preset.is_some()
    }

    /// Returns the seed of every identifier that was not given, from the canonical text of the tree
    /// and of all options that affect the bytes. The number of threads and the output do not, and
    /// are left out.
    ///
    /// # Errors
    /// The errors of `write_tree`.
    pub fn seed(
        &self,
        tree: &TreeRecipe,
        write_tree: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
    ) -> std::io::Result<Seed> {
        if let Some(uuid) = self.seed {
            return Ok(Seed::from_uuid(uuid));
        }
        let byte_layout = self.filesystem.filesystem().properties().byte_layout;
        Seed::digest(|text| {
            writeln!(text, "{byte_layout}")?;
            writeln!(text, "layout {}", self.layout)?;
            if self.layout == DiskLayout::Kata && !self.dax {
                writeln!(text, "dax false")?;
            }
            writeln!(text, "sector-size {}", self.sector_size.bytes())?;
            writeln!(text, "arch {}", tree.architecture.map_or("-", Architecture::name))?;
            writeln!(text, "size {:?}", self.size)?;
            if self.size_multiple() != self.layout_multiple() {
                writeln!(text, "size-multiple {}", self.size_multiple())?;
            }
            if let Some(verity) = &self.verity {
                verity.write(text)?;
            }
            self.filesystem.write(text)?;
            writeln!(text, "source-date-epoch {:?}", tree.source_date_epoch.map(Timestamp::seconds))?;
            write_tree(text)
        })
    }

    /// Checks for options that contradict each other.
    ///
    /// # Errors
    /// A message with the flags that conflict, and those that help.
    pub fn check(&self) -> Result<(), String> {
        let Self { layout, size, sector_size, .. } = *self;
        let has_dax = layout == DiskLayout::Kata && self.dax;
        if let (Size::Total { bytes }, true) = (size, layout != DiskLayout::Bare) {
            let unit = if has_dax { DAX_UNIT } else { DISK_UNIT };
            if !bytes.is_multiple_of(unit) {
                let what = if has_dax { "the size of persistent memory" } else { "a disk's size" };
                return Err(format!("--size {bytes} is not a multiple of {unit}, as {what} must be"));
            }
        }
        if !self.dax && layout != DiskLayout::Kata {
            return Err("--no-dax is for --layout kata, which --preset kata has: leave it out".to_owned());
        }
        self.filesystem.check()?;
        self.filesystem.check_size(size)?;
        if has_dax && self.size_multiple.is_some_and(|multiple| multiple < DAX_UNIT) {
            return Err(format!(
                "the size of persistent memory is a multiple of 2 MiB: --size-multiple {} or more, or --no-dax",
                DAX_UNIT
            ));
        }
        if has_dax && sector_size != SectorSize::Bytes512 {
            return Err(
                "persistent memory has sectors of 512 bytes: leave out --sector-size, or add --no-dax"
                    .to_owned(),
            );
        }
        match &self.verity {
            Some(verity) => self.check_verity(verity),
            None => Ok(()),
        }
    }

    fn check_verity(&self, verity: &VerityRecipe) -> Result<(), String> {
        if self.layout == DiskLayout::Bare {
            let message =
                "a disk without a partition table has no place for the hash tree: choose --layout gpt or mbr";
            return Err(message.to_owned());
        }
        if self.filesystem.is_for_writing() {
            let message = "a measured filesystem cannot be written to, which --profile rw is for: choose another profile";
            return Err(message.to_owned());
        }
        let data_block = verity.tree.data_block_size;
        if let Some(limit) = self.filesystem.max_data_block()
            && u64::from(data_block.bytes()) > limit
        {
            return Err(format!(
                "--data-block-size {data_block} is more than the {limit} bytes of a block of the filesystem, which kernels \
                 refuse: --data-block-size {limit}"
            ));
        }
        let sector = self.sector_size.bytes();
        for (flag, block) in [
            ("--data-block-size", verity.tree.data_block_size),
            ("--hash-block-size", verity.tree.hash_block_size),
        ] {
            if u64::from(block.bytes()) < sector {
                return Err(format!(
                    "{flag} {block} is less than the {sector} bytes of a sector, which kernels refuse"
                ));
            }
        }
        if self.is_for_kata() {
            preset::check_for_kata(verity)?;
        }
        Ok(())
    }
}
