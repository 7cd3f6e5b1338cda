//! The program in a command line of a rule.

/// Returns the first word of a command line, without its quotes. A backslash is literal.
pub(super) fn first_word(command: &[u8]) -> Vec<u8> {
    let mut word = Vec::new();
    let mut quote = None;
    for byte in command.trim_ascii_start() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, byte) if byte.is_ascii_whitespace() => break,
            (Some(open), byte) if open == *byte => quote = None,
            _ => word.push(*byte),
        }
    }
    word
}

/// The substitutions whose values depend on the device: after `$` by name, after `%` by letter.
const OF_DEVICE: [(&[u8], u8); 16] = [
    (b"devnode", b'N'),
    (b"tempnode", b'N'),
    (b"attr", b's'),
    (b"sysfs", b's'),
    (b"env", b'E'),
    (b"kernel", b'k'),
    (b"number", b'n'),
    (b"driver", b'd'),
    (b"devpath", b'p'),
    (b"id", b'b'),
    (b"major", b'M'),
    (b"minor", b'm'),
    (b"result", b'c'),
    (b"parent", b'P'),
    (b"name", b'D'),
    (b"links", b'L'),
];

/// The substitutions with the same value for every device. `$sys` is tried after `$sysfs`.
const FIXED: [(&[u8], u8, &[u8]); 2] = [(b"root", b'r', b"/dev"), (b"sys", b'S', b"/sys")];

/// Returns a text after the substitutions of udev, or `None` if it depends on the device. A `$` or
/// `%` in front of something else is literal.
pub(super) fn substituted(text: &[u8]) -> Option<Vec<u8>> {
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [sign, after @ ..] = rest {
        rest = after;
        if !matches!(sign, b'$' | b'%') {
            result.push(*sign);
            continue;
        }
        // The length of a name, if there is one after the sign.
        let len = |name: &[u8], letter: u8| match sign {
            b'$' => after.starts_with(name).then_some(name.len()),
            _ => after.starts_with(&[letter]).then_some(1),
        };
        if OF_DEVICE.iter().any(|(name, letter)| len(name, *letter).is_some()) {
            return None;
        }
        let fixed = FIXED.iter().find_map(|(name, letter, value)| Some((len(name, *letter)?, *value)));
        if let Some((len, value)) = fixed {
            result.extend(value);
            rest = &after[len..];
        } else {
            result.push(*sign);
            rest = after.strip_prefix(&[*sign]).unwrap_or(after);
        }
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_unquoted() {
        let check = |command: &str, word: &str| assert_eq!(first_word(command.as_bytes()), word.as_bytes());
        check("  /bin/a b", "/bin/a");
        check("/bin/a\tb", "/bin/a");
        check("'/my programs/'a\"b c\" d", "/my programs/ab c");
        check("/bin/a\\ b", "/bin/a\\");
        check("'open end", "open end");
        check("", "");
    }

    #[test]
    fn substitutions_of_the_device_are_unknown() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(substituted(text.as_bytes()).as_deref(), expected.map(str::as_bytes), "{text}");
        };
        check("/bin/a", Some("/bin/a"));
        check("a$$b%%c$%", Some("a$b%c$%"));
        check("$root/x%S", Some("/dev/x/sys"));
        check("$foo%y$", Some("$foo%y$"));
        check("$sysfs{x}", None);
        check("/bin/$kernel", None);
        check("%k", None);
        check("$$k$env{X}", None);
    }
}
