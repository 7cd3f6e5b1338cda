//! `rootcast root-hash`: computes or checks the dm-verity root hash of a file or partition.

mod input;

use std::path::Path;

use dm_verity::{DataHasher, Layout, Options, Parameters, RootHash, Salt, Superblock, Verifier, VerifyError};

use self::input::Input;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::recipe::root_hash::{Expected, RootHashRecipe};
use crate::run::print::print;
use crate::shown;
use crate::threads::Threads;
use crate::zeros;

/// The number of bytes that a thread reads and hashes at once: the data of whole hash blocks.
const CHUNK: u64 = 1 << 20;

/// The alignment in bytes at which a hash tree is looked for behind the data: that of partitions.
const ALIGNMENT: u64 = 1 << 20;

/// Prints the root hash, or checks it.
///
/// # Errors
/// [`Rejected`](ErrorKind::Rejected) if the data has another root hash than the expected one, with
/// the first bad block if there is a hash tree; [`BadInput`](ErrorKind::BadInput) if the file is
/// too short; other errors if a file cannot be read.
pub fn root_hash(recipe: &RootHashRecipe, interrupt: &Interrupt) -> Result<()> {
    let data = Input::open(&recipe.file)?;
    let hashes = recipe.hash_file.as_deref().map(Input::open).transpose()?;
    let hash_offset = recipe.hash_offset.or(hashes.as_ref().map(|_| 0));
    let hashes = hashes.as_ref().unwrap_or(&data);
    let superblock = match hash_offset {
        Some(offset) => hashes.superblock(offset)?,
        None => None,
    };
    let job = Job { data: &data, offset: recipe.offset, threads: &recipe.threads, interrupt };
    let layout = job.layout(recipe, superblock.as_ref())?;
    let Some(expected) = &recipe.expected else {
        let parameters = job.compute(&layout)?;
        return print(&match recipe.print_parameters {
            true => format!("{parameters}\n").into_bytes(),
            false => format!("{}\n", parameters.root_hash).into_bytes(),
        });
    };
    let found = match hash_offset {
        Some(offset) => Some((layout.clone(), hashes, offset)),
        None => {
            job.find_tree(&layout, expected.root_hash())?.map(|(layout, offset)| (layout, hashes, offset))
        }
    };
    match found {
        Some((layout, hashes, offset)) => job.verify(&layout, expected.root_hash(), hashes, offset)?,
        None => job.compare(&layout, expected.root_hash())?,
    }
    let (name, blocks) = (shown::path(&recipe.file), layout.data_blocks());
    print(format!("{name}: {blocks} data blocks are those of the root hash\n").as_bytes())
}

/// The data, and what hashes it.
struct Job<'j> {
    data: &'j Input<'j>,
    offset: u64,
    threads: &'j Threads,
    interrupt: &'j Interrupt,
}

impl Job<'_> {
    /// Returns the layout of the tree: by its superblock, the expected parameters, or the flags.
    fn layout(&self, recipe: &RootHashRecipe, superblock: Option<&Superblock>) -> Result<Layout> {
        let block_size = |options: &Options| u64::from(options.data_block_size.bytes());
        let (options, len) = match (superblock, &recipe.expected) {
            (Some(superblock), _) => {
                let mut options = superblock.options();
                options.superblock = Some(superblock.uuid);
                let len = superblock.data_blocks.saturating_mul(block_size(&options));
                (options, Some(len))
            }
            (None, Some(Expected::Parameters(parameters))) => {
                (parameters.options(), Some(parameters.data_len()))
            }
            (None, _) => (recipe.tree.options(recipe.tree.salt.clone().unwrap_or(Salt::EMPTY)), None),
        };
        if let (Some(given), Some(len)) = (recipe.size, len)
            && given != len
        {
            let message =
                format!("--size {given} is not the length of the data of the hash tree, {len} bytes");
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let len = self.data.check_range(self.offset, recipe.size.or(len))?;
        let block = block_size(&options);
        if len == 0 || !len.is_multiple_of(block) {
            let way_out = match len / block * block {
                0 => "a smaller --data-block-size, or a larger --size, is needed".to_owned(),
                whole => format!("--size {whole} leaves the rest out"),
            };
            let message = format!(
                "{len} bytes of data are not a positive multiple of the {block}-byte data block: {way_out}"
            );
            return Err(Error::at(ErrorKind::BadInput, self.data.path(), message));
        }
        dm_verity::plan(&options, len)
            .map_err(|error| Error::at(ErrorKind::BadInput, self.data.path(), error))
    }

    /// Calls `each` with the offset of each chunk in the data and with its bytes, on all threads.
    fn for_each_chunk(&self, layout: &Layout, each: impl Fn(u64, &[u8]) -> Result<()> + Sync) -> Result<()> {
        let len = layout.data_len();
        let count = usize::try_from(len.div_ceil(CHUNK)).unwrap_or(usize::MAX);
        self.threads.map(count, |number, buffer: &mut Vec<u8>| {
            self.interrupt.check()?;
            let start = number as u64 * CHUNK;
            // OK to unwrap: a chunk fits in memory.
            buffer.resize(usize::try_from(CHUNK.min(len - start)).expect("a chunk"), 0);
            self.data.read(buffer, self.offset + start)?;
            each(start, buffer)
        })?;
        Ok(())
    }

    fn compute(&self, layout: &Layout) -> Result<Parameters> {
        let failed = |error| Error::at(ErrorKind::Verification, self.data.path(), error);
        let hasher = DataHasher::new(layout).map_err(|error| Error::new(ErrorKind::Io, error))?;
        self.for_each_chunk(layout, |offset, bytes| {
            // A long hole takes no memory for its digests.
            let given = match zeros::is_zero(bytes) {
                true => hasher.zeros_at(offset, bytes.len() as u64),
                false => hasher.write_at(offset, bytes),
            };
            given.map_err(failed)
        })?;
        Ok(hasher.finish().map_err(failed)?.parameters())
    }

    /// Compares the root hash, without a hash tree that would name the bad block.
    fn compare(&self, layout: &Layout, expected: &RootHash) -> Result<()> {
        let found = self.compute(layout)?.root_hash;
        if &found == expected {
            return Ok(());
        }
        let message = format!(
            "the data has the root hash {found}, not {expected}; no hash tree of that was found behind the data: \
             --hash-offset or --hash-file name one, which names the first bad block"
        );
        Err(Error::at(ErrorKind::Rejected, self.data.path(), message))
    }

    /// Looks for the hash tree of a root hash behind the data: directly, and at the next start of a
    /// partition.
    fn find_tree(&self, layout: &Layout, root_hash: &RootHash) -> Result<Option<(Layout, u64)>> {
        let end = self.offset + layout.data_len();
        let places = [Some(end), end.checked_next_multiple_of(ALIGNMENT)];
        for place in places.into_iter().flatten() {
            if let Some(superblock) = self.data.superblock(place)? {
                let mut options = superblock.options();
                options.superblock = Some(superblock.uuid);
                if let Ok(found) = dm_verity::plan(&options, layout.data_len())
                    && superblock.data_blocks == found.data_blocks()
                    && root_hash.algorithm() == options.algorithm
                {
                    return Ok(Some((found, place)));
                }
            }
            if self.is_tree(layout, root_hash, place)? {
                return Ok(Some((layout.clone(), place)));
            }
        }
        Ok(None)
    }

    /// Returns true if the top block of the hash tree of a root hash is at a place in the file.
    fn is_tree(&self, layout: &Layout, root_hash: &RootHash, place: u64) -> Result<bool> {
        // The only data block has no hash block that would name it.
        let Some(top) = layout.levels().len().checked_sub(1) else { return Ok(false) };
        // OK to unwrap: a block fits in memory.
        let block_size = usize::try_from(layout.options().data_block_size.bytes()).expect("a block");
        let mut first = vec![0; block_size];
        self.data.read(&mut first, self.offset)?;
        // The blocks of level 0 are read together with their data.
        let verified = Verifier::new(layout, root_hash, self.data, place)
            .and_then(|verifier| verifier.verify(0, &first));
        Ok(match verified {
            Err(VerifyError::HashBlock { level, .. }) => level != top,
            Err(VerifyError::AreaTooShort { .. }) => false,
            _ => true,
        })
    }

    fn verify(
        &self,
        layout: &Layout,
        root_hash: &RootHash,
        hashes: &Input<'_>,
        hash_offset: u64,
    ) -> Result<()> {
        let verifier = Verifier::new(layout, root_hash, hashes, hash_offset)
            .map_err(|error| self.rejected(error, hashes.path()))?;
        let block_size = u64::from(layout.options().data_block_size.bytes());
        self.for_each_chunk(layout, |offset, bytes| {
            verifier.verify(offset / block_size, bytes).map_err(|error| self.rejected(error, hashes.path()))
        })
    }

    /// Returns the error of a failed verification, with offsets in the files.
    fn rejected(&self, error: VerifyError, hashes: &Path) -> Error {
        match error {
            VerifyError::DataBlock { block, offset } => {
                let message = format!(
                    "data block {block}, at byte {} of the file, is not what the root hash was made of",
                    self.offset + offset
                );
                Error::at(ErrorKind::Rejected, self.data.path(), message)
            }
            error @ VerifyError::HashBlock { .. } => Error::at(ErrorKind::Rejected, hashes, error),
            VerifyError::Read(error) => Error::io(hashes, error),
            error => Error::at(ErrorKind::BadInput, hashes, error),
        }
    }
}
