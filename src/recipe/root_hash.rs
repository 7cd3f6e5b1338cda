//! The root hash of a file or partition, to be computed or checked.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use dm_verity::{Error, Parameters, RootHash};

use super::verity::HashTreeRecipe;
use crate::threads::Threads;

/// A root hash to compute or check.
#[derive(Clone, Debug)]
pub struct RootHashRecipe {
    /// The file with the data: a regular file or a block device.
    pub file: PathBuf,
    /// The offset of the data in the file, in bytes.
    pub offset: u64,
    /// The length of the data in bytes; `None` for that of the superblock or the expected
    /// parameters, or else to the end of the file.
    pub size: Option<u64>,
    /// The parameters of the tree, which a superblock or the expected parameters replace.
    pub tree: HashTreeRecipe,
    /// The file with the hash tree; `None` for the file with the data.
    pub hash_file: Option<PathBuf>,
    /// The offset of the superblock or else of the hash tree in its file, in bytes.
    pub hash_offset: Option<u64>,
    /// The root hash that the data is to have; `None` to compute it.
    pub expected: Option<Expected>,
    /// True to print the parameters with the root hash.
    pub print_parameters: bool,
    /// The threads to work in.
    pub threads: Arc<Threads>,
}

/// The expected root hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A root hash.
    Hash(RootHash),
    /// A root hash with the parameters of its tree.
    Parameters(Parameters),
}

impl Expected {
    /// The root hash.
    #[must_use]
    pub fn root_hash(&self) -> &RootHash {
        match self {
            Self::Hash(root_hash) => root_hash,
            Self::Parameters(parameters) => &parameters.root_hash,
        }
    }
}

impl FromStr for Expected {
    type Err = Error;

    /// Parses a root hash in hexadecimal, or a line of parameters such as `root_hash.txt` has.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.contains('=') {
            text.parse().map(Self::Parameters)
        } else {
            text.trim_end().parse().map(Self::Hash)
        }
    }
}
