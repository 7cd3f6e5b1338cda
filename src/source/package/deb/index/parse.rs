//! The parser of an index, which reads its text once.

use memchr::memchr;

use super::mentions::Mentions;
use super::model::{Entry, Index, MultiArch, Priority, Provided, Range};
use crate::closure::packages::dpkg::deb822;
use crate::source::package::deb::relation::{self, Operator};
use crate::source::package::deb::version;

/// The maximum length of an index in bytes. That of Debian has 57 MiB.
pub const MAX_LEN: usize = 1 << 30;

/// The fields with relations, in the order in which apt reads them.
const RELATIONS: [&[u8]; 8] = [
    b"pre-depends",
    b"depends",
    b"conflicts",
    b"breaks",
    b"recommends",
    b"suggests",
    b"replaces",
    b"enhances",
];

/// The fields of a paragraph that are read.
#[derive(Default)]
struct Fields<'t> {
    package: &'t [u8],
    version: &'t [u8],
    architecture: &'t [u8],
    priority: &'t [u8],
    multi_arch: &'t [u8],
    essential: &'t [u8],
    provides: &'t [u8],
    relations: [&'t [u8]; RELATIONS.len()],
}

impl Index {
    /// Parses the text of an index, or of a control file.
    ///
    /// # Errors
    /// A message with the line if a paragraph lacks its name, version or architecture, or they have
    /// characters that they must not have; if the text is longer than [`MAX_LEN`].
    pub fn parse(text: Vec<u8>) -> Result<Self, String> {
        parse(text)
    }
}

fn parse(text: Vec<u8>) -> Result<Index, String> {
    if text.len() > MAX_LEN {
        return Err(format!("has {} bytes, more than the limit of {MAX_LEN}", text.len()));
    }
    let (mut entries, mut provided) = (Vec::new(), Vec::new());
    let mut mentions = Mentions::new(&text);
    let mut at = 0;
    while let Some((start, end)) = paragraph(&text, at) {
        at = end;
        let fields = Fields::of(&text[start..end]);
        let entry = entry(&mut mentions, &fields, (start, end));
        let entry = entry.map_err(|what| at_line(&text, start, &what))?;
        // The resolver reads relations again; here only their names get numbers.
        for field in fields.relations {
            mentions.relations(field);
        }
        // OK to cast: each package has at least one byte of a text of at most 1 GiB.
        let number = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        for group in relation::groups(fields.provides) {
            for one in group.alternatives {
                let version = match one.version {
                    None => Range::default(),
                    Some((Operator::Equal, version)) => mentions.range(version),
                    // apt ignores it as well.
                    Some(_) => continue,
                };
                let name = mentions.number(one.full_name());
                provided.push(Provided { name, entry: number, version });
            }
        }
        entries.push(entry);
    }
    let names = mentions.finish();
    Ok(Index { text, names, entries, provided })
}

/// Returns the range of the next paragraph: up to an empty line.
fn paragraph(text: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    let mut start = None;
    while at < text.len() {
        let end = memchr(b'\n', &text[at..]).map_or(text.len(), |len| at + len + 1);
        let line = &text[at..end];
        // Almost all lines begin with a letter or a blank that goes on with text.
        let is_end = line.first().is_some_and(u8::is_ascii_whitespace) && is_blank(line);
        match start {
            Some(start) if is_end => return Some((start, at)),
            None if !is_end && !line.starts_with(b"#") => start = Some(at),
            _ => {}
        }
        at = end;
    }
    start.map(|start| (start, text.len()))
}

impl<'t> Fields<'t> {
    fn of(paragraph: &'t [u8]) -> Self {
        let mut fields = Self::default();
        let mut rest = paragraph;
        let mut current: Option<&mut &'t [u8]> = None;
        // The start of the value of the current field in the paragraph.
        let mut value = 0;
        while !rest.is_empty() {
            let len = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let (line, after) = rest.split_at(len);
            let begin = paragraph.len() - rest.len();
            rest = after;
            if matches!(line[0], b' ' | b'\t' | b'#') {
                if let Some(field) = &mut current {
                    **field = paragraph[value..begin + len].trim_ascii();
                }
                continue;
            }
            current = None;
            // No field that is read is longer.
            let Some(colon) = line.iter().take(16).position(|byte| *byte == b':') else { continue };
            current = fields.field(&line[..colon]);
            if let Some(field) = &mut current {
                value = begin + colon + 1;
                **field = paragraph[value..begin + len].trim_ascii();
            }
        }
        fields
    }

    fn field(&mut self, name: &[u8]) -> Option<&mut &'t [u8]> {
        // The first letter rules most names out.
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.first()?.to_ascii_lowercase() {
            b'p' if is(b"package") => Some(&mut self.package),
            b'p' if is(b"priority") => Some(&mut self.priority),
            b'p' if is(b"provides") => Some(&mut self.provides),
            b'v' if is(b"version") => Some(&mut self.version),
            b'a' if is(b"architecture") => Some(&mut self.architecture),
            b'm' if is(b"multi-arch") => Some(&mut self.multi_arch),
            b'e' if is(b"essential") => Some(&mut self.essential),
            b'p' | b'd' | b'c' | b'b' | b'r' | b's' | b'e' => {
                let number = RELATIONS.iter().position(|known| is(known))?;
                Some(&mut self.relations[number])
            }
            _ => None,
        }
    }
}

fn entry(mentions: &mut Mentions<'_>, fields: &Fields<'_>, range: (usize, usize)) -> Result<Entry, String> {
    let lacks = |what: &str| Err(format!("the paragraph has no {what}"));
    let odd = |what: &str, text: &[u8]| Err(format!("\"{}\" is not {what}", text.escape_ascii()));
    let name = fields.package;
    if name.is_empty() {
        return lacks("Package");
    }
    if !is_name(name) {
        return odd("the name of a package", name);
    }
    if fields.version.is_empty() {
        return lacks("Version");
    }
    if !version::is_valid(fields.version) {
        return odd("a version", fields.version);
    }
    if fields.architecture.is_empty() {
        return lacks("Architecture");
    }
    let is_architecture = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    if !fields.architecture.iter().all(is_architecture) {
        return odd("an architecture", fields.architecture);
    }
    let to_u32 = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Entry {
        name: mentions.number(name),
        version: mentions.range(fields.version),
        architecture: mentions.range(fields.architecture),
        paragraph: Range { offset: to_u32(range.0), len: to_u32(range.1 - range.0) },
        priority: Priority::parse(fields.priority),
        multi_arch: MultiArch::parse(fields.multi_arch),
        is_essential: fields.essential == b"yes",
    })
}

/// Returns true for a name that is safe as a part of paths. Those of Debian have no capitals.
fn is_name(name: &[u8]) -> bool {
    const MAX: usize = 255;
    name.len() <= MAX
        && name[0].is_ascii_alphanumeric()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+.-_".contains(byte))
}

fn at_line(text: &[u8], offset: usize, what: &str) -> String {
    let line = 1 + text[..offset].iter().filter(|byte| **byte == b'\n').count();
    let first = deb822::lines(&text[offset..]).next().unwrap_or_default();
    let first = &first[..first.len().min(100)];
    format!("line {line} (\"{}\"): {what}", first.escape_ascii())
}
