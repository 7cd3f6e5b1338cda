//! Hexadecimal text.

use std::fmt;

use crate::Error;

/// Writes bytes as lower-case digits.
pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Parses pairs of digits of either case; at least one pair.
pub(crate) fn parse_hex(what: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    match digits {
        Some(digits) if !digits.is_empty() && digits.len().is_multiple_of(2) => {
            // OK to unwrap: two digits are at most 255.
            let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte");
            Ok(digits.chunks_exact(2).map(byte).collect())
        }
        _ => Err(Error::NotHex { what, text: text.to_owned() }),
    }
}
