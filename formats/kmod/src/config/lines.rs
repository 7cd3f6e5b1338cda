//! Lines and words, as kmod divides them.

/// Returns the lines with their numbers. A backslash joins a line with the next one, and makes
/// every other byte literal.
pub(super) fn lines(text: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut found = Vec::new();
    let (mut number, mut line) = (0, Vec::new());
    let mut bytes = text.iter();
    loop {
        match bytes.next() {
            Some(b'\n') => {
                number += 1;
                found.push((number, std::mem::take(&mut line)));
            }
            Some(b'\\') => match bytes.next() {
                Some(b'\n') => number += 1,
                Some(byte) => line.push(*byte),
                None => {}
            },
            Some(byte) => line.push(*byte),
            None => break,
        }
    }
    if !line.is_empty() {
        found.push((number + 1, line));
    }
    found
}

/// Takes the next word, between blanks and tabs.
pub(super) fn word<'t>(rest: &mut &'t [u8]) -> Option<&'t [u8]> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = rest.iter().position(|byte| !is_blank(byte))?;
    let text = &rest[start..];
    let end = text.iter().position(is_blank).unwrap_or(text.len());
    // One blank ends the word; the rest begins behind it.
    *rest = text.get(end + 1..).unwrap_or_default();
    Some(&text[..end])
}

/// Returns all that is left of a line, if there is something.
pub(super) fn rest(words: &[u8]) -> Option<&[u8]> {
    (!words.is_empty()).then_some(words)
}
