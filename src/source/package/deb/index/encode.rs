//! The form of a parsed index in the cache.
//!
//! ```text
//! text │ names: 2 numbers each │ packages: 8 each │ provided names: 4 each │ 4 lengths │ magic
//! ```
//!
//! Numbers are 32-bit, little-endian. The text is in front, so that it is not moved.

use super::model::{Entry, Index, MultiArch, Priority, Provided, Range};

const MAGIC: [u8; 16] = *b"deb packages 1\n\0";

/// The length of the end in bytes: four lengths and the magic number.
const END: usize = 32;

impl Index {
    /// Returns bytes that [`decode`](Self::decode) reads faster than the text can be parsed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Returns the index of encoded bytes; `None` if they are damaged.
    #[must_use]
    pub fn decode(bytes: Vec<u8>) -> Option<Self> {
        decode(bytes)
    }
}

fn encode(index: &Index) -> Vec<u8> {
    let Index { text, names, entries, provided } = index;
    let numbers = names.len() * 2 + entries.len() * 8 + provided.len() * 4;
    let mut bytes = Vec::with_capacity(text.len() + numbers * 4 + END);
    bytes.extend_from_slice(text);
    let mut put =
        |numbers: &[u32]| numbers.iter().for_each(|one| bytes.extend_from_slice(&one.to_le_bytes()));
    for Range { offset, len } in names {
        put(&[*offset, *len]);
    }
    for entry in entries {
        let Entry { name, version, architecture, paragraph, priority, multi_arch, is_essential } = *entry;
        put(&[name, version.offset, version.len, architecture.offset, architecture.len]);
        let kinds = priority as u32 | (multi_arch as u32) << 4 | u32::from(is_essential) << 8;
        put(&[paragraph.offset, paragraph.len, kinds]);
    }
    for Provided { name, entry, version } in provided {
        put(&[*name, *entry, version.offset, version.len]);
    }
    let lengths = [text.len(), names.len(), entries.len(), provided.len()];
    put(&lengths.map(|len| u32::try_from(len).unwrap_or(u32::MAX)));
    bytes.extend_from_slice(&MAGIC);
    bytes
}

fn decode(mut bytes: Vec<u8>) -> Option<Index> {
    let (front, end) = bytes.split_last_chunk::<END>()?;
    let (lengths, magic) = end.split_at(16);
    if magic != MAGIC {
        return None;
    }
    let [text, names, entries, provided] = numbers::<4>(lengths)?.map(|len| len as usize);
    let (_, tables) = front.split_at_checked(text)?;
    let (names, tables) = table(tables, names)?;
    let (entries, tables) = table(tables, entries)?;
    let (provided, rest) = table(tables, provided)?;
    let names: Vec<Range> = names.into_iter().map(|[offset, len]| Range { offset, len }).collect();
    let entries: Vec<Entry> = entries.into_iter().map(entry).collect::<Option<_>>()?;
    let provides =
        |[name, entry, offset, len]: [u32; 4]| Provided { name, entry, version: Range { offset, len } };
    let provided: Vec<Provided> = provided.into_iter().map(provides).collect();
    let is_known = |name: u32| (name as usize) < names.len();
    let is_sound = entries.iter().all(|entry| is_known(entry.name))
        && provided.iter().all(|one| is_known(one.name) && (one.entry as usize) < entries.len());
    if !is_sound || !rest.is_empty() {
        return None;
    }
    bytes.truncate(text);
    Some(Index { text: bytes, names, entries, provided })
}

fn entry(numbers: [u32; 8]) -> Option<Entry> {
    let [name, version, version_len, architecture, architecture_len, paragraph, paragraph_len, kinds] =
        numbers;
    Some(Entry {
        name,
        version: Range { offset: version, len: version_len },
        architecture: Range { offset: architecture, len: architecture_len },
        paragraph: Range { offset: paragraph, len: paragraph_len },
        priority: *Priority::ALL.get((kinds & 0xf) as usize)?,
        multi_arch: *MultiArch::ALL.get((kinds >> 4 & 0xf) as usize)?,
        is_essential: kinds >> 8 == 1,
    })
}

/// Splits `count` rows of numbers off.
fn table<const N: usize>(bytes: &[u8], count: usize) -> Option<(Vec<[u32; N]>, &[u8])> {
    let (table, rest) = bytes.split_at_checked(count.checked_mul(N * 4)?)?;
    let rows: Option<Vec<[u32; N]>> = table.chunks_exact(N * 4).map(numbers).collect();
    Some((rows?, rest))
}

fn numbers<const N: usize>(bytes: &[u8]) -> Option<[u32; N]> {
    let mut numbers = [0; N];
    let (words, _) = bytes.as_chunks::<4>();
    for (number, word) in numbers.iter_mut().zip(words.get(..N)?) {
        *number = u32::from_le_bytes(*word);
    }
    Some(numbers)
}
