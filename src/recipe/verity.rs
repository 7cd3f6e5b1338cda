//! The parameters of dm-verity.

use std::io;

use dm_verity::{BlockSize, FecRoots, HashAlgorithm, HashType, Options, Salt};
use uuid::Uuid;

use crate::seed::{Seed, label};

/// The parameters of a hash tree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerityRecipe {
    /// The parameters that a reader of the tree has to know.
    pub tree: HashTreeRecipe,
    /// True if the tree has a superblock with its parameters.
    pub superblock: bool,
    /// The UUID of the superblock; `None` derives it from the seed.
    pub uuid: Option<Uuid>,
    /// The strength of the forward error correction, if there is any.
    pub fec: Option<FecRoots>,
}

/// The parameters that a reader of a hash tree has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashTreeRecipe {
    /// The hash algorithm.
    pub algorithm: HashAlgorithm,
    /// The salt; `None` derives it from the seed, or reads it from a superblock.
    pub salt: Option<Salt>,
    /// The size of data blocks.
    pub data_block_size: BlockSize,
    /// The size of hash blocks.
    pub hash_block_size: BlockSize,
    /// The version of the tree.
    pub hash_type: HashType,
}

impl Default for VerityRecipe {
    /// The parameters that systemd expects, with identifiers of the seed.
    fn default() -> Self {
        let tree = HashTreeRecipe {
            algorithm: HashAlgorithm::default(),
            salt: None,
            data_block_size: BlockSize::BYTES_4096,
            hash_block_size: BlockSize::BYTES_4096,
            hash_type: HashType::default(),
        };
        Self { tree, superblock: true, uuid: None, fec: None }
    }
}

impl HashTreeRecipe {
    /// Returns the options of a tree without superblock and forward error correction.
    #[must_use]
    pub fn options(&self, salt: Salt) -> Options {
        let mut options = Options::new(salt);
        options.algorithm = self.algorithm;
        options.data_block_size = self.data_block_size;
        options.hash_block_size = self.hash_block_size;
        options.hash_type = self.hash_type;
        options
    }
}

impl VerityRecipe {
    /// Returns the options, with identifiers from a seed where the recipe has none.
    #[must_use]
    pub fn options(&self, seed: &Seed) -> Options {
        let derived = || Salt::new(seed.bytes32(label::VERITY_SALT));
        // OK to unwrap: 32 bytes are not too many.
        let salt = self.tree.salt.clone().unwrap_or_else(|| derived().expect("a salt of 32 bytes"));
        let mut options = self.tree.options(salt);
        let uuid = self.uuid.unwrap_or_else(|| seed.uuid(label::VERITY_UUID));
        options.superblock = self.superblock.then_some(uuid);
        options.fec = self.fec;
        options
    }

    /// Writes the parameters, all of which affect the bytes, one a line.
    ///
    /// # Errors
    /// Those of `text`.
    pub fn write(&self, text: &mut dyn io::Write) -> io::Result<()> {
        let HashTreeRecipe { algorithm, salt, data_block_size, hash_block_size, hash_type } = &self.tree;
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "derived".to_owned());
        writeln!(text, "verity {algorithm} {} {data_block_size} {hash_block_size}", hash_type.number())?;
        writeln!(text, "verity-salt {}", or_dash(salt.as_ref().map(Salt::to_string)))?;
        writeln!(text, "verity-superblock {}", self.superblock)?;
        writeln!(text, "verity-uuid {}", or_dash(self.uuid.map(|uuid| uuid.to_string())))?;
        writeln!(text, "verity-fec {}", self.fec.map_or(0, FecRoots::get))
    }
}
