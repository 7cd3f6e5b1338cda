//! xz streams, as far as XZ Embedded supports them: sections 2.1.1 and 3.1 of The .xz File Format.

use super::entries::Entries;
use super::input::Input;
use super::report::Rule;
use super::stream::Stop;

/// The dictionary size above which a warning is added, in bytes: it is a large part of a guest's
/// memory.
const LARGE_DICTIONARY: u64 = 64 << 20;

/// Checks the header of the stream that begins here, and that of its first block, without consuming
/// them.
pub(super) fn header(input: &mut Input<'_>, entries: &mut Entries<'_>) -> Result<(), Stop> {
    const HEADER_LEN: usize = 12;
    /// The maximum length of a block header, in bytes.
    const BLOCK_HEADER_LEN: usize = 1024;
    const CRC32: u8 = 1;
    let at = input.position();
    let bytes = input.peek(HEADER_LEN + BLOCK_HEADER_LEN)?.to_vec();
    let Some((header, block)) = bytes.split_at_checked(HEADER_LEN) else {
        let detail = "the initramfs ends within a header of xz".to_owned();
        return entries.stop(Rule::Corrupt, (at, None), None, detail);
    };
    if !header.starts_with(b"\xfd7zXZ\0") {
        let detail = "the magic of xz is truncated".to_owned();
        return entries.stop(Rule::Corrupt, (at, None), None, detail);
    }
    let check = header[7];
    if check > CRC32 {
        let name = match check {
            4 => "CRC64",
            10 => "SHA-256",
            _ => "an unknown check",
        };
        let detail = format!("the blocks are checked with {name}; compress with --check=crc32");
        return entries.stop(Rule::XzCheck, (at + 7, None), None, detail);
    }
    // A header that cannot be parsed is rejected by the decoder.
    for filter in filters(block).unwrap_or_default() {
        check_filter(&filter, at + HEADER_LEN as u64, entries)?;
    }
    Ok(())
}

struct Filter {
    id: u64,
    properties: Vec<u8>,
}

fn check_filter(filter: &Filter, at: u64, entries: &mut Entries<'_>) -> Result<(), Stop> {
    const LZMA2: u64 = 0x21;
    /// The BCJ filters, from x86 to RISC-V.
    const BRANCHES: std::ops::RangeInclusive<u64> = 0x04..=0x0b;
    match filter.id {
        LZMA2 => {
            let dictionary = dictionary_len(filter.properties.first().copied().unwrap_or(0));
            if dictionary > LARGE_DICTIONARY {
                let detail =
                    format!("the kernel allocates a dictionary of {dictionary} bytes to unpack this");
                entries.found(Rule::XzDictionary, (at, None), None, detail);
            }
            Ok(())
        }
        id if BRANCHES.contains(&id) => Ok(()),
        id => {
            let detail = format!("the first block has filter {id:#x}, which the kernel does not know");
            entries.stop(Rule::XzFilter, (at, None), None, detail)
        }
    }
}

/// Returns the dictionary size in bytes (section 5.3.1).
fn dictionary_len(bits: u8) -> u64 {
    let bits = u64::from(bits & 0x3f);
    if bits >= 40 { u64::from(u32::MAX) } else { (2 | bits & 1) << (bits / 2 + 11) }
}

fn filters(block: &[u8]) -> Option<Vec<Filter>> {
    let (&size, rest) = block.split_first()?;
    // 0 is the index, not a block.
    if size == 0 {
        return Some(Vec::new());
    }
    let mut rest = rest.get(..usize::from(size) * 4 + 3)?;
    let (&flags, after) = rest.split_first()?;
    rest = after;
    for present in [0x40, 0x80] {
        if flags & present != 0 {
            number(&mut rest)?;
        }
    }
    let mut filters = Vec::new();
    for _ in 0..=flags & 3 {
        let id = number(&mut rest)?;
        let len = usize::try_from(number(&mut rest)?).ok()?;
        let (properties, after) = rest.split_at_checked(len)?;
        rest = after;
        filters.push(Filter { id, properties: properties.to_vec() });
    }
    Some(filters)
}

/// Parses a number with 7 bits per byte, the lowest first (section 1.2).
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionary_lengths_are_decoded() {
        assert_eq!(
            [0, 1, 2, 16, 30, 39, 40, 63].map(dictionary_len),
            [4096, 6144, 8192, 1 << 20, 128 << 20, 3 << 30, u64::from(u32::MAX), u64::from(u32::MAX)]
        );
    }

    #[test]
    fn truncated_and_overlong_numbers_are_rejected() {
        assert_eq!(number(&mut &[0x80, 1][..]), Some(128));
        assert_eq!(number(&mut &[0x80][..]), None);
        assert_eq!(number(&mut &[0xff; 10][..]), None);
    }
}
