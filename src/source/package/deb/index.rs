//! An index of packages (`Packages`), parsed: names, versions and the places of paragraphs. The
//! relations of a package are parsed when the resolver asks for them.

mod encode;
mod mentions;
mod parse;

pub use parse::MAX_LEN;

/// A parsed index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// The text of all paragraphs.
    text: Vec<u8>,
    /// The names of packages in the order in which they are first mentioned, as ranges of the text.
    /// apt numbers packages in this order.
    names: Vec<Range>,
    /// The packages in order.
    entries: Vec<Entry>,
    /// The names that packages provide.
    provided: Vec<Provided>,
}

/// A range of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    offset: u32,
    len: u32,
}

/// A package of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The number of its name.
    name: u32,
    version: Range,
    architecture: Range,
    paragraph: Range,
    priority: Priority,
    multi_arch: MultiArch,
    is_essential: bool,
}

/// A name that a package provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Provided {
    /// The number of the name.
    name: u32,
    /// The number of the package.
    entry: u32,
    /// The version; empty if none is stated.
    version: Range,
}

/// The priority of a package, the highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// `required`
    Required,
    /// `important`
    Important,
    /// `standard`
    Standard,
    /// `optional`
    Optional,
    /// `extra`, and any other.
    Extra,
    /// None is stated.
    Unknown,
}

/// The architectures of packages that may depend on a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultiArch {
    /// That of the package.
    No,
    /// That of the package, which can be installed for several at once.
    Same,
    /// That of the package, and all for a dependency on `NAME:any`.
    Allowed,
    /// All.
    Foreign,
}

/// A package of an index, for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'i> {
    /// The number of its name.
    pub name: usize,
    /// The version.
    pub version: &'i [u8],
    /// The architecture, or `all`.
    pub architecture: &'i [u8],
    /// The text of its paragraph.
    pub paragraph: &'i [u8],
    /// The priority.
    pub priority: Priority,
    /// The architectures of packages that may depend on it.
    pub multi_arch: MultiArch,
    /// True for `Essential: yes`.
    pub is_essential: bool,
}

impl Index {
    /// Parses the text of an index, or of a control file.
    ///
    /// # Errors
    /// A message with the line if a paragraph lacks its name, version or architecture, or they have
    /// characters that they must not have; if the text is longer than [`MAX_LEN`].
    pub fn parse(text: Vec<u8>) -> Result<Self, String> {
        parse::parse(text)
    }

    /// Returns bytes that [`decode`](Self::decode) reads faster than the text can be parsed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode::encode(self)
    }

    /// Returns the index of encoded bytes; `None` if they are damaged.
    #[must_use]
    pub fn decode(bytes: Vec<u8>) -> Option<Self> {
        encode::decode(bytes)
    }

    /// The names in the order in which they are first mentioned.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.names.iter().map(|range| self.slice(*range))
    }

    /// The packages in order.
    pub fn packages(&self) -> impl Iterator<Item = Listed<'_>> {
        self.entries.iter().map(|entry| self.listed(entry))
    }

    /// Returns a package by its number.
    #[must_use]
    pub fn package(&self, number: usize) -> Option<Listed<'_>> {
        self.entries.get(number).map(|entry| self.listed(entry))
    }

    /// The names that packages provide: the numbers of the name and of the package, and the version.
    pub fn provided(&self) -> impl Iterator<Item = (usize, usize, Option<&[u8]>)> {
        self.provided.iter().map(|one| {
            let version = self.slice(one.version);
            (one.name as usize, one.entry as usize, (!version.is_empty()).then_some(version))
        })
    }

    fn listed(&self, entry: &Entry) -> Listed<'_> {
        Listed {
            name: entry.name as usize,
            version: self.slice(entry.version),
            architecture: self.slice(entry.architecture),
            paragraph: self.slice(entry.paragraph),
            priority: entry.priority,
            multi_arch: entry.multi_arch,
            is_essential: entry.is_essential,
        }
    }

    fn slice(&self, range: Range) -> &[u8] {
        let start = range.offset as usize;
        self.text.get(start..start + range.len as usize).unwrap_or_default()
    }
}

impl Priority {
    /// The priorities in order.
    const ALL: [Self; 6] =
        [Self::Required, Self::Important, Self::Standard, Self::Optional, Self::Extra, Self::Unknown];

    fn parse(text: &[u8]) -> Self {
        match text {
            b"required" => Self::Required,
            b"important" => Self::Important,
            b"standard" => Self::Standard,
            b"optional" => Self::Optional,
            b"" => Self::Unknown,
            _ => Self::Extra,
        }
    }

    /// The name in an index.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Important => "important",
            Self::Standard => "standard",
            Self::Optional => "optional",
            Self::Extra => "extra",
            Self::Unknown => "",
        }
    }
}

impl MultiArch {
    const ALL: [Self; 4] = [Self::No, Self::Same, Self::Allowed, Self::Foreign];

    fn parse(text: &[u8]) -> Self {
        match text {
            b"same" => Self::Same,
            b"allowed" => Self::Allowed,
            b"foreign" => Self::Foreign,
            _ => Self::No,
        }
    }
}

#[cfg(test)]
mod tests;
