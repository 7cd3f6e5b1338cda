//! zstd frames: RFC 8878, section 3.1.1.1.

use super::entries::Entries;
use super::input::Input;
use super::report::Rule;
use super::stream::Stop;
use crate::compression::decode::ZSTD_MAX_WINDOW_LOG;

/// Checks the header of the frame that begins here, without consuming it.
pub(super) fn header(input: &mut Input<'_>, entries: &mut Entries<'_>) -> Result<(), Stop> {
    /// The maximum length of a header, with the magic.
    const MAX_LEN: usize = 18;
    let at = input.position();
    let bytes = input.peek(MAX_LEN)?.to_vec();
    let Some(header) = parse(&bytes) else {
        let detail = "the header of a zstd frame is truncated".to_owned();
        return entries.stop(Rule::Corrupt, (at, None), None, detail);
    };
    if header.window > 1 << ZSTD_MAX_WINDOW_LOG {
        let detail = format!(
            "the frame needs a window of {} bytes, the limit is {}",
            header.window,
            1 << ZSTD_MAX_WINDOW_LOG
        );
        return entries.stop(Rule::ZstdWindow, (at + 5, None), None, detail);
    }
    if header.dictionary != 0 {
        let detail = format!("the frame needs dictionary {}, and the kernel has none", header.dictionary);
        return entries.stop(Rule::ZstdDictionary, (at, None), None, detail);
    }
    Ok(())
}

struct FrameHeader {
    window: u64,
    dictionary: u32,
}

fn parse(bytes: &[u8]) -> Option<FrameHeader> {
    let bytes = bytes.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (&descriptor, mut rest) = bytes.split_first()?;
    let single_segment = descriptor & 0x20 != 0;
    let mut window = None;
    if !single_segment {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        let base = 1u64 << (10 + (byte >> 3));
        window = Some(base + base / 8 * u64::from(byte & 7));
    }
    let dictionary = little_endian(&mut rest, [0, 1, 2, 4][usize::from(descriptor & 3)])?;
    let size_len = [usize::from(single_segment), 2, 4, 8][usize::from(descriptor >> 6)];
    let size = little_endian(&mut rest, size_len)?;
    // A two-byte size has an offset of 256.
    let size = if size_len == 2 { size + 256 } else { size };
    Some(FrameHeader { window: window.unwrap_or(size), dictionary: u32::try_from(dictionary).ok()? })
}

fn little_endian(bytes: &mut &[u8], len: usize) -> Option<u64> {
    let (number, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(number.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(rest: &[u8]) -> Option<u64> {
        parse(&[&[0x28, 0xb5, 0x2f, 0xfd], rest].concat()).map(|header| header.window)
    }

    #[test]
    fn windows_are_parsed() {
        assert_eq!(window(&[0, 0]), Some(1024));
        assert_eq!(window(&[0, 17 << 3]), Some(1 << 27));
        assert_eq!(window(&[0, 17 << 3 | 1]), Some((1 << 27) + (1 << 24)));
        assert_eq!(window(&[0, 0xff]), Some((1 << 41) + 7 * (1 << 38)));
        assert_eq!(window(&[0x20, 200]), Some(200));
        assert_eq!(window(&[0x60, 0, 1]), Some(512));
        assert_eq!(window(&[0xe0, 0, 0, 0, 0, 1, 0, 0, 0]), Some(1 << 32));
        assert_eq!(window(&[0xe0, 0, 0, 0, 0, 1, 0, 0]), None);
        assert_eq!(window(&[]), None);
    }

    #[test]
    fn dictionary_ids_are_parsed() {
        let header = parse(&[0x28, 0xb5, 0x2f, 0xfd, 0x22, 1, 2, 9]).expect("it is whole");
        assert_eq!((header.dictionary, header.window), (0x0201, 9));
    }
}
