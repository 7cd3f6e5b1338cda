//! Names of the host in messages and in JSON.
//!
//! Every path and argument quoted in a message is escaped by [`path`] or [`name`], so that none can
//! move the cursor, begin a line or hide a part of itself. `tests/invariants.rs` finds those that
//! are not.

use std::ffi::OsStr;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_json_without_loss() {
        let json = |bytes: &[u8]| serde_json::to_string(&JsonName(bytes.to_vec())).expect("it is JSON");
        assert_eq!(json("/a\n\\é".as_bytes()), r#""/a\n\\é""#);
        assert_eq!(json(b"bad\xff\xfe"), r#"{"hex":"626164fffe"}"#);
    }
}
