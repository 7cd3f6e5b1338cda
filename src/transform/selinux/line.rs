//! One line of file_contexts: `pattern [type] context`.

use image_tree::FileType;
use thiserror::Error;

/// The fields of a line that is neither empty nor a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    pub(super) pattern: &'t str,
    /// The file type; `None` for all types.
    pub(super) file_type: Option<FileType>,
    /// The context; `None` for `<<none>>`.
    pub(super) context: Option<&'t str>,
}

/// The reason why a line is not a valid specification.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum LineError {
    #[error("byte {:#04x} is not ASCII text", .0)]
    NotAscii(u8),
    #[error("there is only {0}; a line is a pattern, a file type if it is for one only, and a context")]
    OneField(String),
    #[error("\"{0}\" is not a file type; the valid values are -- -d -c -b -l -p and -s")]
    FileType(String),
    #[error("\"{0}\" is not a context such as system_u:object_r:etc_t:s0, or <<none>>")]
    Context(String),
}

impl<'t> Line<'t> {
    /// Parses a line without its line end; `None` if it is empty or a comment.
    pub(super) fn parse(line: &'t [u8]) -> Result<Option<Self>, LineError> {
        let start = line.iter().position(|byte| !is_space(*byte)).unwrap_or(line.len());
        if matches!(line.get(start), None | Some(b'#')) {
            return Ok(None);
        }
        if let Some(byte) = line.iter().find(|byte| !byte.is_ascii() || **byte == 0) {
            return Err(LineError::NotAscii(*byte));
        }
        // OK to default: ASCII is UTF-8.
        let text = std::str::from_utf8(line).unwrap_or_default();
        let mut fields =
            text.split(|c: char| u8::try_from(c).is_ok_and(is_space)).filter(|field| !field.is_empty());
        let pattern = fields.next().unwrap_or_default();
        let Some(second) = fields.next() else { return Err(LineError::OneField(pattern.to_owned())) };
        // Fields after the third are ignored, as by libselinux.
        let (file_type, context) = match fields.next() {
            None => (None, second),
            Some(third) => (Some(file_type(second)?), third),
        };
        Ok(Some(Self { pattern, file_type, context: self::context(context)? }))
    }
}

/// `isspace` of the C locale.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn file_type(field: &str) -> Result<FileType, LineError> {
    match field {
        "--" => Ok(FileType::Regular),
        "-d" => Ok(FileType::Directory),
        "-c" => Ok(FileType::CharacterDevice),
        "-b" => Ok(FileType::BlockDevice),
        "-l" => Ok(FileType::Symlink),
        "-p" => Ok(FileType::Fifo),
        "-s" => Ok(FileType::Socket),
        _ => Err(LineError::FileType(field.to_owned())),
    }
}

/// Parses a user, role, type, and a range if the policy has levels. Whether they are defined
/// depends on the policy and is not checked.
fn context(field: &str) -> Result<Option<&str>, LineError> {
    if field == "<<none>>" {
        return Ok(None);
    }
    let parts = field.split(':').take(4);
    if parts.clone().count() < 3 || parts.clone().any(str::is_empty) || field.bytes().any(|b| b < b' ') {
        return Err(LineError::Context(field.to_owned()));
    }
    Ok(Some(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_fields() {
        let line = |pattern, file_type, context| Ok(Some(Line { pattern, file_type, context }));
        for (text, expected) in [
            ("", Ok(None)),
            (" \t\r", Ok(None)),
            ("  # /a u:r:t", Ok(None)),
            ("# h\u{e4}ndisch", Ok(None)),
            ("/a u:r:t", line("/a", None, Some("u:r:t"))),
            (
                "  /a\t--  u:r:t:s0:c0.c1023 \r",
                line("/a", Some(FileType::Regular), Some("u:r:t:s0:c0.c1023")),
            ),
            ("/a -d <<none>>", line("/a", Some(FileType::Directory), None)),
            ("/a -s u:r:t ignored", line("/a", Some(FileType::Socket), Some("u:r:t"))),
            ("/a", Err(LineError::OneField("/a".into()))),
            ("/a -x u:r:t", Err(LineError::FileType("-x".into()))),
            ("/a --", Err(LineError::Context("--".into()))),
            ("/a u:r", Err(LineError::Context("u:r".into()))),
            ("/a u::t", Err(LineError::Context("u::t".into()))),
            ("/\u{e4} u:r:t", Err(LineError::NotAscii(0xc3))),
            ("/a\0 u:r:t", Err(LineError::NotAscii(0))),
        ] {
            assert_eq!(Line::parse(text.as_bytes()), expected, "{text:?}");
        }
    }
}
