//! Microcode in the firmware of a tree, by the names that the kernel and its tools give it.

use std::io;

use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories, Kind};

use crate::Compression;
use crate::compressed_file;

/// The vendor of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vendor {
    /// `intel-ucode/FF-MM-SS`: family, model and stepping in lowercase hexadecimal digits.
    Intel,
    /// `amd-ucode/microcode_amd*.bin`.
    Amd,
}

/// The name of a file of microcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MicrocodeName<'n> {
    /// The name without the suffix of a compression.
    pub base: &'n [u8],
    /// The compression by the suffix: xz or zstd, in which the kernel loads firmware.
    pub compression: Option<Compression>,
}

/// A file of microcode.
#[derive(Debug)]
pub struct Microcode<'t, C> {
    /// The vendor, by the directory.
    pub vendor: Vendor,
    /// The name.
    pub name: MicrocodeName<'t>,
    /// The path of the directory.
    pub directory: String,
    /// The bytes, perhaps compressed.
    pub content: &'t C,
}

impl Vendor {
    /// Both vendors, in the order of the archive.
    pub const ALL: [Self; 2] = [Self::Amd, Self::Intel];

    /// The directory of a firmware directory.
    #[must_use]
    pub fn directory(self) -> &'static str {
        match self {
            Self::Intel => "intel-ucode",
            Self::Amd => "amd-ucode",
        }
    }

    /// Parses the name of a file in that directory. Returns `None` for one that is not microcode.
    #[must_use]
    pub fn parse(self, name: &[u8]) -> Option<MicrocodeName<'_>> {
        let suffixes = [(&b".xz"[..], Compression::Xz), (b".zst", Compression::Zstd)];
        let compressed = suffixes.into_iter().find_map(|(suffix, compression)| {
            Some(MicrocodeName { base: name.strip_suffix(suffix)?, compression: Some(compression) })
        });
        let found = compressed.unwrap_or(MicrocodeName { base: name, compression: None });
        let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        let is_named = match self {
            Self::Intel => {
                let mut parts = found.base.split(|byte| *byte == b'-');
                parts.by_ref().take(3).filter(|part| part.len() == 2 && part.iter().all(is_digit)).count()
                    == 3
                    && parts.next().is_none()
            }
            Self::Amd => found.base.starts_with(b"microcode_amd") && found.base.ends_with(b".bin"),
        };
        is_named.then_some(found)
    }
}

/// Returns the microcode of `lib/firmware` or `usr/lib/firmware`, AMD's first, in the order of the
/// names. Of a file that is there compressed too, only the uncompressed one is returned, and links
/// in the two directories are skipped.
#[must_use]
pub fn find<T: Directories>(tree: &T) -> Vec<Microcode<'_, T::Content>> {
    let mut found: Vec<Microcode<'_, T::Content>> = Vec::new();
    for vendor in Vendor::ALL {
        let paths = ["/lib", "/usr/lib"].map(|lib| format!("{lib}/firmware/{}", vendor.directory()));
        let directory =
            paths.into_iter().find_map(|path| Some((resolve_in_root(tree, path.as_bytes())?, path)));
        let Some((id, path)) = directory else { continue };
        let mut files = Vec::new();
        for (name, id) in tree.entries(id).into_iter().flatten() {
            if let (Some(name), Kind::Regular(content)) = (vendor.parse(name.as_bytes()), &tree.get(*id).kind)
            {
                files.push(Microcode { vendor, name, directory: path.clone(), content });
            }
        }
        // An uncompressed file comes before a compressed one of the same name.
        files.sort_by_key(|file| (file.name.base, file.name.compression.is_some()));
        files.dedup_by_key(|file| file.name.base);
        found.append(&mut files);
    }
    found
}

/// The longest microcode of one file, in bytes. The longest ones have some hundred thousand.
pub const MAX_MICROCODE: u64 = 64 << 20;

/// Decompresses a file of microcode.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if the data is corrupt or longer than [`MAX_MICROCODE`],
/// [`io::ErrorKind::Unsupported`] if the compression is neither xz nor zstd or its cargo feature is
/// disabled, and the error of the content if it cannot be read.
pub fn decompress<C: Content + ?Sized>(content: &C, compression: Compression) -> io::Result<Vec<u8>> {
    match compression {
        Compression::Xz | Compression::Zstd => {
            compressed_file::decompress(content, compression, MAX_MICROCODE)
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use image_tree::{Inode, Metadata, Tree};

    use super::*;

    #[test]
    fn names_are_those_of_the_kernel() {
        let parsed = |vendor: Vendor, name: &'static str| {
            let found = vendor.parse(name.as_bytes())?;
            Some((found.base.escape_ascii().to_string(), found.compression))
        };
        let intel = |name| parsed(Vendor::Intel, name);
        assert_eq!(intel("06-8f-0a"), Some(("06-8f-0a".to_owned(), None)));
        assert_eq!(intel("06-8f-0a.xz"), Some(("06-8f-0a".to_owned(), Some(Compression::Xz))));
        assert_eq!(intel("06-8f-0a.zst"), Some(("06-8f-0a".to_owned(), Some(Compression::Zstd))));
        for name in [
            "06-8F-0A",
            "06-8f",
            "06-8f-0",
            "06-8f-0a-00",
            "06-8f-0a.initramfs",
            "6-8f-0a",
            "list",
            "",
            ".xz",
        ] {
            assert_eq!(intel(name), None, "{name}");
        }
        let amd = |name| parsed(Vendor::Amd, name);
        assert_eq!(amd("microcode_amd.bin"), Some(("microcode_amd.bin".to_owned(), None)));
        let family = Some(("microcode_amd_fam19h.bin".to_owned(), Some(Compression::Zstd)));
        assert_eq!(amd("microcode_amd_fam19h.bin.zst"), family);
        for name in ["microcode_amd.bin.asc", "README", "microcode_amd", "amd.bin"] {
            assert_eq!(amd(name), None, "{name}");
        }
    }

    /// Returns the directories, names and compressions of the microcode in a tree of these files.
    fn found(paths: &[&str]) -> Vec<String> {
        let directory = Metadata::new(0o755);
        let mut tree = Tree::new(directory.clone());
        for path in paths {
            let kind = Kind::Regular(path.as_bytes().to_vec());
            let inode = Inode { metadata: Metadata::new(0o644), kind };
            tree.insert_path(path.as_bytes(), inode, &directory).expect("it is new");
        }
        let shown = |one: &Microcode<'_, Vec<u8>>| {
            let name = String::from_utf8_lossy(one.name.base).into_owned();
            assert!(String::from_utf8_lossy(one.content).starts_with(&format!("{}/{name}", one.directory)));
            format!("{}/{name} {:?}", one.directory, one.name.compression)
        };
        find(&tree).iter().map(shown).collect()
    }

    #[test]
    fn uncompressed_microcode_comes_before_a_compressed_copy() {
        let paths = [
            "/lib/firmware/intel-ucode/06-8f-0a.xz",
            "/lib/firmware/intel-ucode/06-8f-0a",
            "/lib/firmware/intel-ucode/06-01-02.zst",
            "/lib/firmware/intel-ucode/list",
            "/usr/lib/firmware/intel-ucode/06-00-00",
            "/usr/lib/firmware/amd-ucode/microcode_amd.bin",
        ];
        let expected = [
            "/usr/lib/firmware/amd-ucode/microcode_amd.bin None",
            "/lib/firmware/intel-ucode/06-01-02 Some(Zstd)",
            "/lib/firmware/intel-ucode/06-8f-0a None",
        ];
        assert_eq!(found(&paths), expected);
    }

    /// Contents of this many zeros.
    struct Zeros(u64);

    impl Content for Zeros {
        fn len(&self) -> u64 {
            self.0
        }

        fn read_at(&self, buffer: &mut [u8], _offset: u64) -> io::Result<()> {
            buffer.fill(0);
            Ok(())
        }
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn microcode_is_limited_packed_and_unpacked() {
        let too_long = "it is longer than 67108864 bytes";
        let packed = |len: u64| zstd::encode_all(io::repeat(0).take(len), 1).expect("memory does not fail");
        let unpacked = |len: u64| {
            let found = decompress(&packed(len), Compression::Zstd);
            found.map(|bytes| bytes.len() as u64).map_err(|error| error.to_string())
        };
        assert_eq!(unpacked(MAX_MICROCODE), Ok(MAX_MICROCODE));
        assert_eq!(unpacked(MAX_MICROCODE + 1), Err(too_long.to_owned()));
        let error = |len: u64| decompress(&Zeros(len), Compression::Zstd).expect_err("not zstd").to_string();
        assert_eq!(error(MAX_MICROCODE + 1), too_long);
        assert_ne!(error(4096), too_long);
    }
}
