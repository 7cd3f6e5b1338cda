//! Lines of service files, as libpam reads them.

/// The kinds of modules. A line of another kind is an error, for which no module is opened.
const TYPES: [&[u8]; 4] = [b"auth", b"account", b"session", b"password"];

/// The kind of modules that a line is for.
pub(super) type Type = &'static [u8];

/// A line of a service file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// The lines of another file, those for one kind of modules or all.
    Include { name: &'a [u8], only: Option<Type> },
    /// A module.
    Module {
        of: Type,
        name: &'a [u8],
        arguments: Vec<&'a [u8]>,
        /// True if the service fails without the module.
        required: bool,
    },
}

impl<'a> Line<'a> {
    /// Parses a line without comments. Returns `None` for one without a meaning.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = Words { rest: line };
        let kind = words.next()?;
        if kind.eq_ignore_ascii_case(b"@include") {
            return Some(Self::Include { name: words.next()?, only: None });
        }
        let (kind, may_be_missing) = match kind.strip_prefix(b"-") {
            Some(kind) => (kind, true),
            None => (kind, false),
        };
        let of = *TYPES.iter().find(|known| known.eq_ignore_ascii_case(kind))?;
        let control = words.next()?;
        let name = words.next()?;
        let is = |word: &str| control.eq_ignore_ascii_case(word.as_bytes());
        if is("include") || is("substack") {
            return Some(Self::Include { name, only: Some(of) });
        }
        let required = !may_be_missing && !is("optional") && !is("sufficient") && !ignores_unknown(control);
        Some(Self::Module { of, name, arguments: words.collect(), required })
    }
}

/// Returns true if a control such as `[success=ok module_unknown=ignore default=bad]` ignores a module
/// that cannot be opened.
fn ignores_unknown(control: &[u8]) -> bool {
    let pairs = control.split(|byte| byte.is_ascii_whitespace());
    let action = |name: &[u8]| {
        pairs.clone().find_map(|pair| pair.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")))
    };
    let action = action(b"module_unknown").or_else(|| action(b"default"));
    action.is_some_and(|action| action.eq_ignore_ascii_case(b"ignore"))
}

/// Splits a line into words. One that starts with `[` ends at the next `]` that has no backslash
/// before it, and is returned without the brackets.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.trim_ascii_start();
        let (word, rest) = match text.strip_prefix(b"[") {
            Some(inside) => {
                let is_end = |at: &usize| inside[*at] == b']' && (*at == 0 || inside[*at - 1] != b'\\');
                let end = (0..inside.len()).find(is_end).unwrap_or(inside.len());
                (&inside[..end], inside.get(end + 1..).unwrap_or_default())
            }
            None if text.is_empty() => return None,
            None => text.split_at(text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len())),
        };
        self.rest = rest;
        Some(word)
    }
}

/// Splits a text into lines without comments, joining those that end in a backslash. A comment ends
/// a line.
pub(super) fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut is_open = false;
    for line in text.split(|byte| *byte == b'\n') {
        let comment = line.iter().position(|byte| *byte == b'#');
        let line = line[..comment.unwrap_or(line.len())].trim_ascii();
        // Empty lines and comments do not end a continued line.
        if line.is_empty() {
            continue;
        }
        let (part, continues) = match line.strip_suffix(b"\\") {
            Some(part) if comment.is_none() => (part, true),
            _ => (line, false),
        };
        match lines.last_mut().filter(|_| is_open) {
            Some(last) => last.extend([b" ", part].concat()),
            None => lines.push(part.to_vec()),
        }
        is_open = continues;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_as_by_libpam() {
        let text = b"a \\\n b\\  \n# x\n\n c # d \\\ne\\";
        assert_eq!(lines(text), [&b"a  b c"[..], b"e"]);
    }

    #[test]
    fn words_are_compared_without_regard_to_case() {
        let include = |name, only| Some(Line::Include { name, only });
        assert_eq!(Line::parse(b"@Include a"), include(b"a", None));
        assert_eq!(Line::parse(b"AUTH InClude a"), include(b"a", Some(b"auth")));
        assert_eq!(Line::parse(b"-account SUBSTACK /a"), include(b"/a", Some(b"account")));
        assert_eq!(Line::parse(b"weird required a.so"), None);
        assert_eq!(Line::parse(b"auth sufficient"), None);
        assert_eq!(Line::parse(b""), None);
    }

    #[test]
    fn a_module_is_required_unless_its_control_ignores_that_it_is_unknown() {
        let check = |line: &str, expected: bool| match Line::parse(line.as_bytes()) {
            Some(Line::Module { name, required, .. }) => {
                assert_eq!((name, required), (&b"a.so"[..], expected), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        };
        check("auth required a.so", true);
        check("auth Requisite a.so", true);
        check("auth bogus a.so", true);
        check("-auth required a.so", false);
        check("auth Optional a.so", false);
        check("auth sufficient a.so", false);
        check("auth [success=1 default=ignore] a.so", false);
        check("auth [success=1 default=bad]a.so", true);
        check("auth [success=1] a.so", true);
        check("auth [default=bad module_unknown=ignore] a.so", false);
        check("auth [default=ignore module_unknown=bad] a.so", true);
    }

    #[test]
    fn arguments_may_be_in_brackets() {
        let Some(Line::Module { arguments, .. }) = Line::parse(b"auth required a.so b [c \\] d] e") else {
            panic!("it is a module");
        };
        assert_eq!(arguments, [&b"b"[..], b"c \\] d", b"e"]);
    }
}
