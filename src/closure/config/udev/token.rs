//! The tokens of a rule, and their values.

/// The longest prefix of a value: `e` and `i`.
const MAX_PREFIX: usize = 2;

/// `KEY{ATTRIBUTE}OPERATOR"VALUE"`.
pub(super) struct Token<'a> {
    pub(super) key: &'a [u8],
    /// The attribute; empty if there is none.
    pub(super) attribute: &'a [u8],
    pub(super) operator: Operator,
    /// True for a value that is compared without regard to case (`i"..."`).
    pub(super) ignores_case: bool,
    /// The value, without quotes and escapes.
    pub(super) value: Vec<u8>,
}

/// The operator between a key and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Add,
    Remove,
    AssignFinal,
    Assign,
}

impl Operator {
    const ALL: [(&'static [u8], Self); 6] = [
        (b"==", Self::Equal),
        (b"!=", Self::NotEqual),
        (b"+=", Self::Add),
        (b"-=", Self::Remove),
        (b":=", Self::AssignFinal),
        (b"=", Self::Assign),
    ];

    /// Returns true if the value is compared, not assigned.
    pub(super) fn is_match(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Token<'_> {
    /// Returns true if udev accepts the attribute and the operator, as far as the key is of
    /// interest here.
    pub(super) fn is_valid(&self) -> bool {
        let is_removed = self.operator == Operator::Remove;
        if self.ignores_case && !self.operator.is_match() {
            return false;
        }
        match self.key {
            b"RUN" | b"OWNER" | b"GROUP" => !self.operator.is_match() && !is_removed,
            b"PROGRAM" => self.attribute.is_empty() && !is_removed,
            b"IMPORT" | b"ENV" => !self.attribute.is_empty() && !is_removed,
            _ => true,
        }
    }
}

/// Iterates over the tokens of a rule. An invalid token is `None` and the last item.
pub(super) struct Tokens<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(rule: &'a [u8]) -> Self {
        Self { rest: Some(rule) }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Option<Token<'a>>;

    fn next(&mut self) -> Option<Option<Token<'a>>> {
        let rest = self.rest.take()?;
        let start = rest.iter().position(|byte| !(byte.is_ascii_whitespace() || *byte == b','))?;
        let Some((token, rest)) = token(&rest[start..]) else { return Some(None) };
        self.rest = Some(rest);
        Some(Some(token))
    }
}

/// Parses a token, and returns it with the text after it.
fn token(text: &[u8]) -> Option<(Token<'_>, &[u8])> {
    let ends = |at: usize| {
        let is_operator = |byte: u8| b"+-!:".contains(&byte) && text.get(at + 1) == Some(&b'=');
        text[at].is_ascii_whitespace() || b"={".contains(&text[at]) || is_operator(text[at])
    };
    let (key, rest) = text.split_at((0..text.len()).find(|at| ends(*at))?);
    let (attribute, rest) = match rest.strip_prefix(b"{") {
        Some(rest) => {
            let end = rest.iter().position(|byte| *byte == b'}')?;
            (&rest[..end], &rest[end + 1..])
        }
        None => (&b""[..], rest),
    };
    let rest = rest.trim_ascii_start();
    let (sign, operator) = *Operator::ALL.iter().find(|(sign, _)| rest.starts_with(sign))?;
    let text = rest[sign.len()..].trim_ascii_start();
    let ignores_case = text.iter().take_while(|byte| **byte != b'"').any(|byte| *byte == b'i');
    let (value, rest) = value(text)?;
    Some((Token { key, attribute, operator, ignores_case, value }, rest))
}

/// Parses a value in quotes, and returns it with the text after it. `e"..."` has C escapes, others
/// only an escape for the quote; `i` may stand beside it. Each prefix may occur once.
fn value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let quote = text.iter().take(MAX_PREFIX + 1).position(|byte| *byte == b'"')?;
    let (prefix, text) = (&text[..quote], &text[quote + 1..]);
    let has_escapes = match prefix {
        b"" | b"i" => false,
        b"e" | b"ei" | b"ie" => true,
        _ => return None,
    };
    let mut end = 0;
    while *text.get(end)? != b'"' {
        // Without `e`, a backslash in front of another backslash does not hide a quote after it.
        let is_escape = text[end] == b'\\' && (has_escapes || text.get(end + 1) == Some(&b'"'));
        end += 1 + usize::from(is_escape);
    }
    let (inside, rest) = (&text[..end], &text[end + 1..]);
    let value = if has_escapes { unescape(inside)? } else { unescape_quotes(inside) };
    Some((value, rest))
}

fn unescape_quotes(mut text: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(text.len());
    while let [byte, rest @ ..] = text {
        text = rest;
        match rest {
            [b'"', after @ ..] if *byte == b'\\' => {
                value.push(b'"');
                text = after;
            }
            _ => value.push(*byte),
        }
    }
    value
}

/// Replaces C escapes as systemd does. Returns `None` for one that is not valid, or stands for NUL.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            value.push(*byte);
            continue;
        }
        let (escape, after) = rest.split_first()?;
        let (digits, radix, len) = match escape {
            b'x' => (after, 16, 2),
            b'u' => (after, 16, 4),
            b'U' => (after, 16, 8),
            b'0'..=b'7' => (rest, 8, 3),
            _ => {
                value.push(simple_escape(*escape)?);
                rest = after;
                continue;
            }
        };
        let number = number(digits.get(..len)?, radix).filter(|number| *number != 0)?;
        if matches!(escape, b'u' | b'U') {
            value.extend(char::from_u32(number)?.encode_utf8(&mut [0; 4]).bytes());
        } else {
            value.push(u8::try_from(number).ok()?);
        }
        rest = &digits[len..];
    }
    Some(value)
}

fn simple_escape(escape: u8) -> Option<u8> {
    Some(match escape {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b's' => b' ',
        b'\\' | b'"' | b'\'' => escape,
        _ => return None,
    })
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        number.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unescaped_as_their_prefix_says() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(value, rest)| (value.as_bytes().to_vec(), rest.as_bytes()));
            assert_eq!(value(text.as_bytes()), expected, "{text}");
        };
        check(r#""a\tb\"c"d"#, Some((r#"a\tb"c"#, "d")));
        // A backslash is special in front of a quote only, even after another backslash.
        check(r#""a\\"b"c"#, Some((r#"a\"b"#, "c")));
        check(r#"e"a\tb\"c\\"d"#, Some(("a\tb\"c\\", "d")));
        check(r#"e"\x2fbin\057a\u00e9\U0001F600\s'"x"#, Some(("/bin/a\u{e9}\u{1f600} '", "x")));
        check(r#"i"a""#, Some(("a", "")));
        check(r#"ei"\x41"ie"#, Some(("A", "ie")));
        for text in [
            "a",
            "",
            "e",
            r#"ee"a""#,
            r#"x"a""#,
            r#""a"#,
            r#""a\""#,
            r#"e"a\""#,
            r#"e"\q""#,
            r#"e"\x0""#,
            r#"e"\x00""#,
            r#"e"\400""#,
            r#"e"\08""#,
            r#"e"\ud800""#,
            r#"e"\x+1""#,
            r#"eie"a""#,
        ] {
            check(text, None);
        }
    }
}
