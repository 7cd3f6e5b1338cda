//! Names of the host in messages and in JSON.
//!
//! Every path and argument quoted in a message is escaped by [`path`] or [`name`], so that none can
//! move the cursor, begin a line or hide a part of itself. `tests/invariants.rs` finds those that
//! are not.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use image_tree::Shown;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// Returns the path of a file of the host, for messages.
#[must_use]
pub fn path(path: &Path) -> Shown<'_> {
    name(path.as_os_str())
}

/// Returns a name or argument from the host, for messages.
#[must_use]
pub fn name(name: &OsStr) -> Shown<'_> {
    Shown(name.as_bytes())
}

/// A path or name in JSON, without loss: a string if it is UTF-8, else `{"hex": "…"}` with two
/// hexadecimal digits for each byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonName(pub Vec<u8>);

impl From<&Path> for JsonName {
    fn from(path: &Path) -> Self {
        Self(path.as_os_str().as_bytes().to_vec())
    }
}

impl Serialize for JsonName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(bytes) = self;
        match str::from_utf8(bytes) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("hex", &hex)?;
                map.end()
            }
        }
    }
}

/// A number of things with their name, in the singular or the plural: `1 file`, `2 files`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<N>(pub N, pub &'static str, pub &'static str);

impl<N: fmt::Display + PartialEq + From<u8>> fmt::Display for Count<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, one, many) = self;
        write!(f, "{number} {}", if *number == N::from(1) { one } else { many })
    }
}

/// A number of bytes, shown exactly and, from 10 KiB on, also in binary units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteCount(pub u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        write!(f, "{}", Count(self.0, "byte", "bytes"))?;
        if self.0 < 10 << 10 {
            return Ok(());
        }
        let Some((unit, shift)) = UNITS.into_iter().find(|(_, shift)| self.0 >> shift > 0) else {
            return Ok(());
        };
        // Tenths, rounded down, in integer arithmetic.
        let tenths = (u128::from(self.0) * 10) >> shift;
        write!(f, " ({}.{} {unit})", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_json_without_loss() {
        let json = |bytes: &[u8]| serde_json::to_string(&JsonName(bytes.to_vec())).expect("it is JSON");
        assert_eq!(json("/a\n\\é".as_bytes()), r#""/a\n\\é""#);
        assert_eq!(json(b"bad\xff\xfe"), r#"{"hex":"626164fffe"}"#);
    }

    #[test]
    fn byte_counts_are_exact_and_in_binary_units() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (10_239, "10239 bytes"),
            (10_240, "10240 bytes (10.0 KiB)"),
            ((1 << 20) - 1, "1048575 bytes (1023.9 KiB)"),
            (1_610_612_736, "1610612736 bytes (1.5 GiB)"),
            (u64::MAX, "18446744073709551615 bytes (16777215.9 TiB)"),
        ] {
            assert_eq!(ByteCount(bytes).to_string(), text);
        }
    }
}
