//! A parsed index.

/// A parsed index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// The text of all paragraphs.
    pub(super) text: Vec<u8>,
    /// The names of packages in the order in which they are first mentioned, as ranges of the text.
    /// apt numbers packages in this order.
    pub(super) names: Vec<Range>,
    /// The packages in order.
    pub(super) entries: Vec<Entry>,
    /// The names that packages provide.
    pub(super) provided: Vec<Provided>,
}

/// A range of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) offset: u32,
    pub(super) len: u32,
}

/// A package of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The number of its name.
    pub(super) name: u32,
    pub(super) version: Range,
    pub(super) architecture: Range,
    pub(super) paragraph: Range,
    pub(super) priority: Priority,
    pub(super) multi_arch: MultiArch,
    pub(super) is_essential: bool,
}

/// A name that a package provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Provided {
    /// The number of the name.
    pub(super) name: u32,
    /// The number of the package.
    pub(super) entry: u32,
    /// The version; empty if none is stated.
    pub(super) version: Range,
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
    pub(super) const ALL: [Self; 6] =
        [Self::Required, Self::Important, Self::Standard, Self::Optional, Self::Extra, Self::Unknown];

    pub(super) fn parse(text: &[u8]) -> Self {
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
    pub(super) const ALL: [Self; 4] = [Self::No, Self::Same, Self::Allowed, Self::Foreign];

    pub(super) fn parse(text: &[u8]) -> Self {
        match text {
            b"same" => Self::Same,
            b"allowed" => Self::Allowed,
            b"foreign" => Self::Foreign,
            _ => Self::No,
        }
    }
}
