//! Reading a cache.

use super::{
    BIG_ENDIAN, Cache, CacheError, ENTRY_LEN, EXTENSION_HEADER_LEN, EXTENSION_MAGIC, Entry, HEADER_LEN,
    HWCAP_EXTENSION, Hwcaps, ISA_LEVEL_SHIFT, LITTLE_ENDIAN, MAGIC, MAX_ENTRIES, MAX_ISA_LEVEL, SECTION_LEN,
    TAG_GENERATOR, TAG_GLIBC_HWCAPS,
};

/// The older format, which `ldconfig -c compat` writes before the newer one for dynamic linkers
/// older than glibc 2.2.
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const OLD_HEADER_LEN: usize = 16;
const OLD_ENTRY_LEN: usize = 12;

/// The maximum path length, and so the maximum length of a string in a cache.
const MAX_STRING_LEN: usize = 4096;

impl Cache {
    /// Parses a file in either byte order.
    ///
    /// `wanted_big_endian` is the byte order assumed for files of glibc older than 2.33, which do
    /// not record theirs.
    ///
    /// # Errors
    /// Returns an error if the file is not a cache, is damaged, or has more than [`MAX_ENTRIES`]
    /// entries.
    pub fn parse(file: &[u8], wanted_big_endian: bool) -> Result<Self, CacheError> {
        let start = start(file, wanted_big_endian)?;
        let bytes = &file[start..];
        if !bytes.starts_with(MAGIC) {
            return Err(CacheError::Magic);
        }
        let big = match bytes.get(28).map(|flags| flags & 3) {
            None => return Err(CacheError::Damaged("it ends in its header")),
            Some(0) => wanted_big_endian,
            Some(LITTLE_ENDIAN) => false,
            Some(BIG_ENDIAN) => true,
            Some(_) => return Err(CacheError::Damaged("it is marked as not valid")),
        };
        let reader = Reader { bytes, big };
        let count = reader.u32(20)?;
        if count > MAX_ENTRIES {
            return Err(CacheError::TooMany(count));
        }
        // Offsets of extensions are relative to the start of the file, all others to that of the
        // newer format.
        let extensions = Extensions::parse(Reader { bytes: file, big }, reader.u32(32)?)?;
        let entries = (0..to_usize(count)).map(|index| reader.entry(index, &extensions));
        Ok(Self {
            big_endian: big,
            entries: entries.collect::<Result<_, _>>()?,
            generator: extensions.generator.to_vec(),
        })
    }
}

/// Returns the offset of the newer format.
fn start(file: &[u8], big: bool) -> Result<usize, CacheError> {
    if !file.starts_with(OLD_MAGIC) {
        return Ok(0);
    }
    let count = to_usize(Reader { bytes: file, big }.u32(12)?);
    let end = count.checked_mul(OLD_ENTRY_LEN).and_then(|len| len.checked_add(OLD_HEADER_LEN));
    let end = end.and_then(|end| end.checked_next_multiple_of(8));
    end.filter(|end| *end <= file.len()).ok_or(CacheError::Magic)
}

#[derive(Default)]
struct Extensions<'a> {
    generator: &'a [u8],
    /// Offsets of the names of subdirectories.
    hwcaps: Vec<u32>,
}

impl<'a> Extensions<'a> {
    fn parse(file: Reader<'a>, offset: u32) -> Result<Self, CacheError> {
        let mut extensions = Self::default();
        let offset = to_usize(offset);
        if offset == 0 {
            return Ok(extensions);
        }
        if file.u32(offset)? != EXTENSION_MAGIC {
            return Err(CacheError::Damaged("its extension directory is not valid"));
        }
        let count = to_usize(file.u32(offset + 4)?);
        let first = offset + EXTENSION_HEADER_LEN;
        if count > file.bytes.len() / SECTION_LEN {
            return Err(CacheError::Damaged("it has more extensions than room for them"));
        }
        for index in 0..count {
            let section = first + index * SECTION_LEN;
            let (at, len) = (to_usize(file.u32(section + 8)?), to_usize(file.u32(section + 12)?));
            let end = at.checked_add(len).ok_or(CacheError::Damaged("an extension lies beyond its end"))?;
            let data = file.bytes.get(at..end);
            let data = data.ok_or(CacheError::Damaged("an extension lies beyond its end"))?;
            match file.u32(section)? {
                TAG_GENERATOR => extensions.generator = data,
                TAG_GLIBC_HWCAPS => {
                    let places = data.chunks_exact(4).take(to_usize(MAX_ENTRIES));
                    extensions.hwcaps = places.map(|place| file.number(place)).collect();
                }
                _ => {}
            }
        }
        Ok(extensions)
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl<'a> Reader<'a> {
    fn entry(self, index: usize, extensions: &Extensions<'_>) -> Result<Entry, CacheError> {
        let at = HEADER_LEN + index * ENTRY_LEN;
        let (low, high) = if self.big { (at + 20, at + 16) } else { (at + 16, at + 20) };
        let hwcap = u64::from(self.u32(low)?) | u64::from(self.u32(high)?) << 32;
        Ok(Entry {
            flags: self.u32(at)?,
            name: self.string(self.u32(at + 4)?)?.to_vec(),
            path: self.string(self.u32(at + 8)?)?.to_vec(),
            hwcaps: self.hwcaps(hwcap, extensions)?,
        })
    }

    /// Returns `None` for an entry for all processors, and for the legacy kind of `hwcap` that
    /// dynamic linkers since glibc 2.37 ignore.
    fn hwcaps(self, hwcap: u64, extensions: &Extensions<'_>) -> Result<Option<Hwcaps>, CacheError> {
        let isa_level = u16::try_from(hwcap >> ISA_LEVEL_SHIFT & u64::from(MAX_ISA_LEVEL));
        let isa_level = isa_level.expect("ten bits are taken");
        let rest = hwcap >> ISA_LEVEL_SHIFT & !u64::from(MAX_ISA_LEVEL);
        if rest != HWCAP_EXTENSION >> ISA_LEVEL_SHIFT {
            return Ok(None);
        }
        let index = usize::try_from(hwcap & u64::from(u32::MAX)).ok();
        let place = index.and_then(|index| extensions.hwcaps.get(index));
        let place = *place.ok_or(CacheError::Damaged("an entry is of a subdirectory that is not listed"))?;
        Ok(Some(Hwcaps { subdirectory: self.string(place)?.to_vec(), isa_level }))
    }

    fn string(self, place: u32) -> Result<&'a [u8], CacheError> {
        let bytes = self.bytes.get(to_usize(place)..);
        let bytes = bytes.ok_or(CacheError::Damaged("a string lies beyond its end"))?;
        let end = bytes.iter().take(MAX_STRING_LEN).position(|byte| *byte == 0);
        end.map(|end| &bytes[..end]).ok_or(CacheError::Damaged("a string has no end"))
    }

    fn u32(self, at: usize) -> Result<u32, CacheError> {
        let bytes = at.checked_add(4).and_then(|end| self.bytes.get(at..end));
        bytes.map(|bytes| self.number(bytes)).ok_or(CacheError::Damaged("it ends early"))
    }

    /// Decodes four bytes as a number.
    fn number(self, bytes: &[u8]) -> u32 {
        let bytes = bytes.try_into().expect("four bytes are taken");
        if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).expect("addresses have 32 bits or more")
}
