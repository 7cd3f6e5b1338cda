//! Flags of dm-verity, named as the options of `veritysetup format`.

use std::path::PathBuf;

use clap::Args;
use dm_verity::{BlockSize, FecRoots, HashAlgorithm, HashType, Salt};
use uuid::Uuid;

use super::output::usage;
use crate::cli::help::group;
use crate::quantity;
use crate::recipe::verity::{HashTreeRecipe, VerityRecipe};

/// The parameters that a reader of a hash tree has to know.
#[derive(Debug, Args)]
#[command(next_help_heading = group::VERITY)]
pub(in crate::cli) struct HashTreeArguments {
    /// Hash algorithm: sha256 or sha512 [default: sha256]
    #[arg(long, value_name = "NAME", value_parser = algorithm)]
    hash: Option<HashAlgorithm>,

    /// Salt in hexadecimal digits, or - for none
    ///
    /// It has at most 256 bytes. Images derive it from the seed by default; root-hash has none by default.
    #[arg(long, value_name = "HEX", allow_hyphen_values = true)]
    salt: Option<Salt>,

    /// Size of data blocks in bytes, from 512 to the page of the kernel [default: 4096]
    #[arg(long, value_name = "BYTES", value_parser = block_size)]
    data_block_size: Option<BlockSize>,

    /// Size of hash blocks in bytes, from 512 to 64K [default: 4096]
    #[arg(long, value_name = "BYTES", value_parser = block_size)]
    hash_block_size: Option<BlockSize>,

    /// Version of the hash tree: 1, or 0 for the original of Chrome OS [default: 1]
    #[arg(long, value_name = "N", value_parser = hash_type)]
    format: Option<HashType>,
}

impl HashTreeArguments {
    pub(in crate::cli) fn recipe(&self) -> HashTreeRecipe {
        HashTreeRecipe {
            algorithm: self.hash.unwrap_or_default(),
            salt: self.salt.clone(),
            data_block_size: self.data_block_size.unwrap_or(BlockSize::BYTES_4096),
            hash_block_size: self.hash_block_size.unwrap_or(BlockSize::BYTES_4096),
            hash_type: self.format.unwrap_or_default(),
        }
    }

    /// The algorithm, if it was given.
    pub(in crate::cli) fn algorithm(&self) -> Option<HashAlgorithm> {
        self.hash
    }

    /// The first flag that was given.
    pub(in crate::cli) fn first(&self) -> Option<&'static str> {
        let given = [
            (self.hash.is_some(), "--hash"),
            (self.salt.is_some(), "--salt"),
            (self.data_block_size.is_some(), "--data-block-size"),
            (self.hash_block_size.is_some(), "--hash-block-size"),
            (self.format.is_some(), "--format"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, flag)| flag)
    }
}

/// The hash tree of an image.
#[derive(Debug, Args)]
#[command(next_help_heading = group::VERITY)]
pub(in crate::cli) struct VerityArguments {
    /// Add a partition with the dm-verity hash tree of the filesystem
    ///
    /// In a GPT, the partitions have the types of the Discoverable Partitions Specification and UUIDs from the root
    /// hash, so that systemd finds them by roothash=. The root hash is printed, and written to root_hash.txt.
    #[arg(long, visible_alias = "measured")]
    verity: bool,

    #[command(flatten)]
    tree: HashTreeArguments,

    /// Leave out the superblock, which has the parameters of the tree
    #[arg(long)]
    no_superblock: bool,

    /// UUID of the superblock [default: derived from the seed]
    #[arg(long, value_name = "UUID")]
    verity_uuid: Option<Uuid>,

    /// Add Reed-Solomon parity behind the hash tree, with which the kernel repairs damaged blocks
    #[arg(long)]
    fec: bool,

    /// Parity bytes for each 255 bytes, 2 to 24 [default: 2]
    #[arg(long, value_name = "N", value_parser = roots, requires = "fec")]
    fec_roots: Option<FecRoots>,

    /// File for root hash and parameters [default: root_hash.txt beside the output]
    #[arg(long, value_name = "FILE")]
    root_hash_file: Option<PathBuf>,
}

impl VerityArguments {
    /// Returns the hash tree and the file for its root hash. Kata's runtimes read no superblock.
    pub(in crate::cli) fn recipe(
        self,
        for_kata: bool,
    ) -> Result<(Option<VerityRecipe>, Option<PathBuf>), clap::Error> {
        if !self.verity {
            let others = [
                (self.no_superblock, "--no-superblock"),
                (self.verity_uuid.is_some(), "--verity-uuid"),
                (self.fec, "--fec"),
                (self.root_hash_file.is_some(), "--root-hash-file"),
            ];
            let other = others.into_iter().find(|(is_given, _)| *is_given).map(|(_, flag)| flag);
            return match self.tree.first().or(other) {
                Some(flag) => Err(usage(format!("{flag} is for a hash tree: add --verity, or leave it out"))),
                None => Ok((None, None)),
            };
        }
        let superblock = !self.no_superblock && !for_kata;
        if !superblock && self.verity_uuid.is_some() {
            let message = "--verity-uuid is for a superblock, and the hash tree has none: leave it out";
            return Err(usage(message.to_owned()));
        }
        let fec = self.fec.then_some(self.fec_roots.unwrap_or(FecRoots::DEFAULT));
        let tree = self.tree.recipe();
        if fec.is_some() && tree.data_block_size != tree.hash_block_size {
            return Err(usage(
                "--fec requires data blocks and hash blocks of the same size: give --data-block-size and \
                 --hash-block-size the same value"
                    .to_owned(),
            ));
        }
        Ok((Some(VerityRecipe { tree, superblock, uuid: self.verity_uuid, fec }), self.root_hash_file))
    }
}

fn algorithm(name: &str) -> Result<HashAlgorithm, String> {
    name.parse().map_err(|error: dm_verity::Error| error.to_string())
}

fn block_size(text: &str) -> Result<BlockSize, String> {
    BlockSize::new(quantity::bytes(text)?).map_err(|error| error.to_string())
}

fn hash_type(text: &str) -> Result<HashType, String> {
    let number = text.parse().map_err(|_| format!("\"{text}\" is not 0 or 1"))?;
    HashType::new(number).map_err(|error| error.to_string())
}

fn roots(text: &str) -> Result<FecRoots, String> {
    let number = text.parse().map_err(|_| format!("\"{text}\" is not a number from 2 to 24"))?;
    FecRoots::new(number).map_err(|error| error.to_string())
}
