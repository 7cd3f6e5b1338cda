//! `/etc/ld.so.preload`: libraries that every program loads before its own.

use std::io;

use image_tree::resolve::Resolved;
use image_tree::{Content, Directories};

use crate::closure::files::Files;

/// The path of the file.
pub(in crate::closure) const PATH: &[u8] = b"/etc/ld.so.preload";

/// The maximum number of bytes of it that are read.
const MAX_BYTES: usize = 1 << 16;

/// The file, and the libraries that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::closure) struct Preload {
    pub(in crate::closure) file: Resolved,
    /// Names, which are searched as those in `DT_NEEDED` of the program, in order.
    pub(in crate::closure) names: Vec<Vec<u8>>,
}

/// Reads the file, if it exists.
pub(super) fn read<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
) -> io::Result<Option<Preload>> {
    let Ok(file) = files.trace(PATH) else { return Ok(None) };
    let text = files.head(file.id, MAX_BYTES)?;
    Ok(Some(Preload { names: names(&text), file }))
}

/// Returns the names in the text: words between blanks or colons, without comments.
fn names(text: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let words = line.split(|byte| matches!(byte, b' ' | b'\t' | b':')).filter(|word| !word.is_empty());
        names.extend(words.map(<[u8]>::to_vec));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_blanks_colons_and_comments() {
        let text = b"/a.so:b.so\t/c.so # /d.so\n#/e.so\n\n /f.so";
        assert_eq!(names(text), [&b"/a.so"[..], b"b.so", b"/c.so", b"/f.so"]);
    }
}
