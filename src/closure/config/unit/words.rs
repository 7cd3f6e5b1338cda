//! Words of values: command lines and lists.

/// Returns the words of a list.
pub(super) fn words(value: &[u8]) -> Vec<Vec<u8>> {
    Words { rest: value }.map(|word| word.text).collect()
}

/// One word.
pub(super) struct Word {
    pub(super) text: Vec<u8>,
    /// True for an unquoted `;`.
    pub(super) is_separator: bool,
}

/// Splits a value as systemd does, with single or double quotes around parts of words, and C
/// escapes.
pub(super) struct Words<'a> {
    pub(super) rest: &'a [u8],
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.is_empty() {
            return None;
        }
        let start = self.rest;
        let mut text = Vec::new();
        let mut quote = None;
        while let [byte, after @ ..] = self.rest {
            self.rest = after;
            match (*byte, quote) {
                (byte, Some(open)) if byte == open => quote = None,
                (byte @ (b'"' | b'\''), None) => quote = Some(byte),
                (b'\\', _) => self.unescape(&mut text),
                (byte, None) if byte.is_ascii_whitespace() => break,
                (byte, _) => text.push(byte),
            }
        }
        let is_separator = text == b";" && start.starts_with(b";");
        Some(Word { text, is_separator })
    }
}

impl Words<'_> {
    /// Decodes the escape after a backslash.
    fn unescape(&mut self, text: &mut Vec<u8>) {
        let escape = self.rest;
        let [byte, after @ ..] = escape else {
            text.push(b'\\');
            return;
        };
        self.rest = after;
        match *byte {
            b'a' => text.push(7),
            b'b' => text.push(8),
            b'f' => text.push(0x0c),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'v' => text.push(0x0b),
            b's' => text.push(b' '),
            b'x' => self.number(text, b"\\x", 16, 2),
            b'0'..=b'3' => {
                self.rest = escape;
                self.number(text, b"\\", 8, 3);
            }
            b'\\' | b'"' | b'\'' | b';' => text.push(*byte),
            // Not a valid escape: systemd keeps both bytes.
            other => text.extend([b'\\', other]),
        }
    }

    /// Decodes a byte in `count` digits; if they are not valid digits, adds `otherwise`.
    fn number(&mut self, text: &mut Vec<u8>, otherwise: &[u8], radix: u32, count: usize) {
        let digits = self.rest.get(..count).and_then(|digits| str::from_utf8(digits).ok());
        // The number parser would accept a sign as a digit.
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, radix).ok()) {
            Some(byte) => {
                text.push(byte);
                self.rest = &self.rest[count..];
            }
            None => text.extend(otherwise),
        }
    }
}
