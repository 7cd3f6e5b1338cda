//! Tables of the device-mapper target `verity`
//! (`Documentation/admin-guide/device-mapper/verity.rst`, "Construction Parameters"), and the
//! parameter `dm-mod.create=` (`dm-init.rst` beside it).

use crate::{Error, Layout, RootHash, limits};

/// The unit of a table's first two numbers, in bytes.
const SECTOR: u64 = 512;

/// The line of a device-mapper table for a verity device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table<'a> {
    /// The layout of the hash tree.
    pub layout: &'a Layout,
    /// The root hash.
    pub root_hash: &'a RootHash,
    /// The device of the data, such as `/dev/vda1`. The data starts at its first byte.
    pub data_device: &'a str,
    /// The device of the hash area.
    pub hash_device: &'a str,
    /// The offset of the hash area (of its superblock, if it has one) on its device, in bytes.
    pub hash_offset: u64,
    /// The kernel's reaction to a bad block.
    pub on_corruption: OnCorruption,
    /// Makes the kernel return zeros for data blocks with the digest of zeros, without reading
    /// them.
    pub ignore_zero_blocks: bool,
    /// Makes the kernel verify each data block only when it is first read.
    pub check_at_most_once: bool,
    /// The device of the FEC area, if the layout has one.
    pub fec: Option<FecDevice<'a>>,
}

/// The place of an FEC area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FecDevice<'a> {
    /// The device.
    pub device: &'a str,
    /// The offset of the FEC area on the device, in bytes.
    pub offset: u64,
}

/// The kernel's reaction to a block whose digest is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnCorruption {
    /// Reading the block fails: the default.
    #[default]
    Fail,
    /// It is logged only.
    Ignore,
    /// The system restarts.
    Restart,
    /// The kernel panics.
    Panic,
}

impl<'a> Table<'a> {
    /// The kernel reads fewer bytes than this of the value of `dm-mod.create=`.
    pub const DM_MOD_CREATE_MAX: usize = limits::DM_MOD_CREATE_MAX;

    /// The table without optional parameters for a hash area at the start of its device.
    #[must_use]
    pub fn new(
        layout: &'a Layout,
        root_hash: &'a RootHash,
        data_device: &'a str,
        hash_device: &'a str,
    ) -> Self {
        Self {
            layout,
            root_hash,
            data_device,
            hash_device,
            hash_offset: 0,
            on_corruption: OnCorruption::Fail,
            ignore_zero_blocks: false,
            check_at_most_once: false,
            fec: None,
        }
    }

    /// Returns the line: `START COUNT verity PARAMETERS`, with START and COUNT in sectors of 512
    /// bytes.
    ///
    /// # Errors
    /// Returns an error if a device has a name that would not survive in the line, if the root hash
    /// is one of another algorithm, if an offset is not a multiple of the block, or if only one of
    /// layout and table has an FEC area.
    pub fn line(&self) -> Result<String, Error> {
        let options = self.layout.options();
        self.layout.check_root_hash(self.root_hash)?;
        let mut words = vec![
            "0".to_owned(),
            (self.layout.data_len() / SECTOR).to_string(),
            "verity".to_owned(),
            options.hash_type.number().to_string(),
            word("data device", self.data_device)?,
            word("hash device", self.hash_device)?,
            options.data_block_size.to_string(),
            options.hash_block_size.to_string(),
            self.layout.data_blocks().to_string(),
            self.layout.hash_start_block(self.hash_offset)?.to_string(),
            options.algorithm.to_string(),
            self.root_hash.to_string(),
            options.salt.to_string(),
        ];
        let optional = self.optional()?;
        if !optional.is_empty() {
            words.push(optional.len().to_string());
            words.extend(optional);
        }
        Ok(words.join(" "))
    }

    /// Returns the optional parameters in the order in which cryptsetup gives them.
    fn optional(&self) -> Result<Vec<String>, Error> {
        let mut words = Vec::new();
        match self.on_corruption {
            OnCorruption::Fail => {}
            OnCorruption::Ignore => words.push("ignore_corruption".to_owned()),
            OnCorruption::Restart => words.push("restart_on_corruption".to_owned()),
            OnCorruption::Panic => words.push("panic_on_corruption".to_owned()),
        }
        for (is_set, name) in
            [(self.ignore_zero_blocks, "ignore_zero_blocks"), (self.check_at_most_once, "check_at_most_once")]
        {
            words.extend(is_set.then(|| name.to_owned()));
        }
        let (fec, device) = match (self.layout.fec(), self.fec) {
            (None, None) => return Ok(words),
            (Some(fec), Some(device)) => (fec, device),
            _ => return Err(Error::FecDevice),
        };
        let block_size = self.layout.options().data_block_size;
        if !device.offset.is_multiple_of(block_size.as_u64()) {
            return Err(Error::Offset { offset: device.offset, block_size: block_size.bytes() });
        }
        let values = [
            ("use_fec_from_device", word("FEC device", device.device)?),
            ("fec_start", (device.offset / block_size.as_u64()).to_string()),
            ("fec_blocks", fec.blocks().to_string()),
            ("fec_roots", fec.roots().get().to_string()),
        ];
        words.extend(values.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
        Ok(words)
    }

    /// Returns the parameter for the kernel's command line that creates a read-only device of this
    /// name at boot: `dm-mod.create="NAME,,,ro,TABLE"`. The first device is `/dev/dm-0`.
    ///
    /// The kernel must have the device mapper and the target built in, not as modules.
    ///
    /// # Errors
    /// Same as [`Table::line`], and if the name would not survive, or the value is too long for the
    /// kernel.
    pub fn dm_mod_create(&self, name: &str) -> Result<String, Error> {
        // UUID and minor number are left to the kernel.
        let value = format!("{},,,ro,{}", word("device name", name)?, self.line()?);
        if value.len() >= Self::DM_MOD_CREATE_MAX {
            return Err(Error::DmModCreateTooLong { len: value.len() });
        }
        Ok(format!("dm-mod.create=\"{value}\""))
    }
}

/// Checks that a word is one word: the kernel splits tables at blanks, commas and semicolons, and
/// has no escapes.
fn word(what: &'static str, text: &str) -> Result<String, Error> {
    let splits = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '"' | '\'' | '\\');
    if text.is_empty() || text.contains(splits) {
        return Err(Error::Word { what, text: text.to_owned() });
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{FecDevice, OnCorruption, Table};
    use crate::{Error, FecRoots, Options, Parameters, RootHash, plan};

    const PARAMETERS: &str = "root_hash=f211b9f1921ef726d57a72bf82be23a510076639fa8549ade10f85e214e0ddb4,\
        salt=065c13dfb5b4e0af034685aa5442bddda47b17c182ee44ba55a373835d18a038,data_blocks=92041,\
        data_block_size=4096,hash_block_size=4096";

    fn sample() -> (Options, u64, RootHash) {
        let parameters: Parameters = PARAMETERS.parse().expect("valid");
        (parameters.options(), parameters.data_len(), parameters.root_hash)
    }

    /// The line is an example in the source of a container runtime.
    #[test]
    fn the_kernel_parameter_is_what_runtimes_emit() {
        let (options, data_len, root_hash) = sample();
        let layout = plan(&options, data_len).expect("valid");
        let table = Table::new(&layout, &root_hash, "/dev/vda1", "/dev/vda2");
        assert_eq!(
            table.dm_mod_create("dm-verity").as_deref(),
            Ok("dm-mod.create=\"dm-verity,,,ro,0 736328 verity 1 /dev/vda1 /dev/vda2 4096 4096 92041 0 \
                sha256 f211b9f1921ef726d57a72bf82be23a510076639fa8549ade10f85e214e0ddb4 \
                065c13dfb5b4e0af034685aa5442bddda47b17c182ee44ba55a373835d18a038\"")
        );
    }

    #[test]
    fn optional_parameters_are_counted() {
        let (options, data_len, root_hash) = sample();
        let options = Options {
            fec: Some(FecRoots::DEFAULT),
            superblock: Some(uuid::Uuid::nil()),
            salt: crate::Salt::EMPTY,
            ..options
        };
        let layout = plan(&options, data_len).expect("valid");
        let mut table = Table::new(&layout, &root_hash, "/dev/sda1", "/dev/sda2");
        assert_eq!(table.line(), Err(Error::FecDevice));
        table.fec = Some(FecDevice { device: "/dev/sda2", offset: 8192 });
        table.on_corruption = OnCorruption::Panic;
        table.ignore_zero_blocks = true;
        table.hash_offset = 4096;
        let line = table.line().expect("valid");
        // 92041 data blocks, and 720 + 6 + 1 of the tree.
        let rest = "panic_on_corruption ignore_zero_blocks use_fec_from_device /dev/sda2 fec_start 2 \
            fec_blocks 92768 fec_roots 2";
        assert!(line.ends_with(&format!(" 92041 2 sha256 {root_hash} - 10 {rest}")), "{line}");
        table.fec = Some(FecDevice { device: "/dev/sda2", offset: 8193 });
        assert_eq!(table.line(), Err(Error::Offset { offset: 8193, block_size: 4096 }));
    }

    #[test]
    fn a_root_hash_of_another_algorithm_is_refused() {
        let (options, data_len, _) = sample();
        let layout = plan(&options, data_len).expect("valid");
        let longer = RootHash::new([7; 64]).expect("a digest of SHA-512");
        let table = Table::new(&layout, &longer, "/dev/vda1", "/dev/vda2");
        let expected = Error::RootHashAlgorithm { given: "sha512", expected: "sha256" };
        assert_eq!(table.line(), Err(expected));
    }

    #[test]
    fn names_that_would_split_are_refused() {
        let (options, data_len, root_hash) = sample();
        let layout = plan(&options, data_len).expect("valid");
        for name in ["", "a b", "a,b", "a;b", "a\"b", "a\nb", "a\\b", "\u{a0}", "a\0b", "\u{7f}"] {
            let table = Table::new(&layout, &root_hash, name, "/dev/vda2");
            assert!(matches!(table.line(), Err(Error::Word { .. })), "{name:?}");
            let table = Table::new(&layout, &root_hash, "/dev/vda1", "/dev/vda2");
            assert!(matches!(table.dm_mod_create(name), Err(Error::Word { .. })), "{name:?}");
        }
        let table = Table::new(&layout, &root_hash, "/dev/vda1", "/dev/vda2");
        let longest = 4095 - table.line().expect("valid").len() - ",,,ro,".len();
        assert!(table.dm_mod_create(&"n".repeat(longest)).is_ok());
        let error = table.dm_mod_create(&"n".repeat(longest + 1));
        assert_eq!(error, Err(Error::DmModCreateTooLong { len: 4096 }));
    }
}
