//! The line of parameters that container runtimes read.

use std::fmt;
use std::str::FromStr;

use crate::{BlockSize, Error, Layout, Options, RootHash, Salt, plan};

const NAMES: [&str; 5] = ["root_hash", "salt", "data_blocks", "data_block_size", "hash_block_size"];

/// The parameters of a hash tree of hash type 1, and its root hash.
///
/// As text, they are `root_hash=…,salt=…,data_blocks=…,data_block_size=…,hash_block_size=…`, with
/// `-` for an empty salt. The algorithm is not part of it; readers of such lines use SHA-256, and
/// this crate derives it from the length of the root hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The root hash.
    pub root_hash: RootHash,
    /// The salt of all digests.
    pub salt: Salt,
    /// The number of data blocks.
    pub data_blocks: u64,
    /// The size of data blocks.
    pub data_block_size: BlockSize,
    /// The size of hash blocks.
    pub hash_block_size: BlockSize,
}

impl Parameters {
    /// The options of a tree with these parameters, without superblock and forward error
    /// correction.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            algorithm: self.root_hash.algorithm(),
            data_block_size: self.data_block_size,
            hash_block_size: self.hash_block_size,
            ..Options::new(self.salt.clone())
        }
    }

    /// The length of the data in bytes.
    #[must_use]
    pub fn data_len(&self) -> u64 {
        self.data_blocks.saturating_mul(self.data_block_size.as_u64())
    }
}

impl Layout {
    /// The parameters that describe the hash tree with this root hash.
    #[must_use]
    pub fn parameters(&self, root_hash: RootHash) -> Parameters {
        Parameters {
            root_hash,
            salt: self.options().salt.clone(),
            data_blocks: self.data_blocks(),
            data_block_size: self.options().data_block_size,
            hash_block_size: self.options().hash_block_size,
        }
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root_hash, salt, data_blocks, data_block_size, hash_block_size } = self;
        write!(f, "root_hash={root_hash},salt={salt},data_blocks={data_blocks},")?;
        write!(f, "data_block_size={data_block_size},hash_block_size={hash_block_size}")
    }
}

impl FromStr for Parameters {
    type Err = Error;

    /// Parses the parameters in any order; one newline at the end, as in a file of one line, is
    /// permitted.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut values = [None; NAMES.len()];
        for word in text.strip_suffix('\n').unwrap_or(text).split(',') {
            let unknown = || Error::UnknownParameter { word: word.to_owned() };
            let (name, value) = word.split_once('=').ok_or_else(unknown)?;
            let index = NAMES.iter().position(|known| *known == name).ok_or_else(unknown)?;
            if values[index].replace(value).is_some() {
                return Err(Error::ParameterCount { name: NAMES[index] });
            }
        }
        let value = |index: usize| values[index].ok_or(Error::ParameterCount { name: NAMES[index] });
        let number = |index: usize| parse_number(NAMES[index], value(index)?);
        let parameters = Self {
            root_hash: value(0)?.parse()?,
            salt: value(1)?.parse()?,
            data_blocks: number(2)?,
            data_block_size: BlockSize::new(number(3)?)?,
            hash_block_size: BlockSize::new(number(4)?)?,
        };
        // Also refuses data of no bytes, and of more than any file has.
        let data_len = parameters.data_blocks.checked_mul(parameters.data_block_size.as_u64());
        plan(&parameters.options(), data_len.ok_or(Error::TooLong)?)?;
        Ok(parameters)
    }
}

fn parse_number(name: &'static str, value: &str) -> Result<u64, Error> {
    // `parse` alone would take a sign.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| value.parse::<u64>().ok()).flatten();
    number.ok_or_else(|| Error::NotNumber { name, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::Parameters;
    use crate::{Error, HashAlgorithm, Salt};

    const HASH: &str = "f211b9f1921ef726d57a72bf82be23a510076639fa8549ade10f85e214e0ddb4";

    fn line(rest: &str) -> String {
        format!("root_hash={HASH},{rest}")
    }

    #[test]
    fn a_line_is_parsed_in_any_order_and_written_in_one() {
        let text = line("salt=00ff,data_blocks=92041,data_block_size=4096,hash_block_size=512");
        let parameters: Parameters = text.parse().expect("valid");
        assert_eq!(parameters.to_string(), text);
        assert_eq!(parameters.data_len(), 92_041 * 4096);
        let mut words: Vec<&str> = text.split(',').collect();
        words.reverse();
        assert_eq!((words.join(",") + "\n").parse(), Ok(parameters.clone()));
        let without_salt = Parameters { salt: Salt::EMPTY, ..parameters };
        assert_eq!(without_salt.to_string(), text.replace("00ff", "-"));
        assert_eq!(without_salt.to_string().parse(), Ok(without_salt));
    }

    #[test]
    fn the_algorithm_follows_from_the_length_of_the_root_hash() {
        for (digits, algorithm) in
            [(HASH.to_owned(), HashAlgorithm::Sha256), (HASH.repeat(2), HashAlgorithm::Sha512)]
        {
            let text =
                format!("root_hash={digits},salt=-,data_blocks=1,data_block_size=4096,hash_block_size=4096");
            let parameters: Parameters = text.parse().expect("valid");
            assert_eq!(parameters.options().algorithm, algorithm);
        }
    }

    #[test]
    fn data_longer_than_any_file_is_refused() {
        for (blocks, is_number) in
            [("2251799813685248", true), ("18446744073709551615", true), ("18446744073709551616", false)]
        {
            let text =
                line(&format!("salt=-,data_blocks={blocks},data_block_size=4096,hash_block_size=4096"));
            let found = text.parse::<Parameters>();
            match is_number {
                true => assert_eq!(found, Err(Error::TooLong), "{blocks}"),
                false => {
                    assert!(matches!(found, Err(Error::NotNumber { name: "data_blocks", .. })), "{found:?}")
                }
            }
        }
    }

    #[test]
    fn wrong_lines_are_refused() {
        let missing = line("salt=-,data_blocks=1,data_block_size=4096");
        assert_eq!(missing.parse::<Parameters>(), Err(Error::ParameterCount { name: "hash_block_size" }));
        let ok = "salt=-,data_blocks=1,data_block_size=4096,hash_block_size=4096";
        assert!(line(ok).parse::<Parameters>().is_ok());
        for (from, to) in [
            ("salt=-", "salt="),
            ("salt=-", "salt=0"),
            ("data_blocks=1", "data_blocks=0"),
            ("data_blocks=1", "data_blocks=+1"),
            ("data_blocks=1", "data_blocks=-1"),
            ("data_blocks=1", "data_blocks="),
            ("data_blocks=1", "data_blocks=1,data_blocks=1"),
            ("data_block_size=4096", "data_block_size=4095"),
            ("salt=-", "salt"),
            ("salt=-", " salt=-"),
            ("salt=-", "salt=-,"),
            ("salt=-", "salt=-,hash=sha256"),
            ("4096", "4096\n\n"),
        ] {
            let wrong = line(ok).replace(from, to);
            assert!(wrong.parse::<Parameters>().is_err(), "{wrong:?}");
        }
    }
}
