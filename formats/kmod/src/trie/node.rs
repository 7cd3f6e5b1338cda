//! A node of the file.

use crate::error::IndexError;

/// The magic number and the version.
pub(super) const MAGIC: [u8; 8] = [0xb0, 0x07, 0xf4, 0x57, 0x00, 0x02, 0x00, 0x01];

/// The length of the file's header in bytes.
pub(super) const HEADER: usize = 12;

/// A value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value<'b> {
    /// The position of the module in `modules.order`; the least counts most.
    pub priority: u32,
    /// The text: a name, or a line of `modules.dep`.
    pub text: &'b [u8],
}

/// An offset with flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference(pub(super) u32);

impl Reference {
    pub(super) const PREFIX: u32 = 0x8000_0000;
    pub(super) const VALUES: u32 = 0x4000_0000;
    pub(super) const CHILDREN: u32 = 0x2000_0000;
    const OFFSET: u32 = 0x0fff_ffff;

    fn offset(self) -> usize {
        usize::try_from(self.0 & Self::OFFSET).unwrap_or(usize::MAX)
    }

    fn has(self, part: u32) -> bool {
        self.0 & part != 0
    }
}

/// The parts of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'b> {
    pub(super) prefix: &'b [u8],
    first: u8,
    children: &'b [u8],
    count: u32,
    /// The bytes that begin with the values.
    values: &'b [u8],
    offset: usize,
}

impl<'b> Node<'b> {
    /// Reads a node, except for its values.
    pub(super) fn parse(bytes: &'b [u8], reference: Reference) -> Result<Self, IndexError> {
        let offset = reference.offset();
        let invalid = IndexError::Node { offset };
        let mut rest = bytes.get(offset..).ok_or_else(|| invalid.clone())?;
        let mut node = Self { prefix: b"", first: 0, children: b"", count: 0, values: b"", offset };
        if reference.has(Reference::PREFIX) {
            node.prefix = text(&mut rest).ok_or_else(|| invalid.clone())?;
        }
        if reference.has(Reference::CHILDREN) {
            let ([first, last], table) = rest.split_first_chunk().ok_or_else(|| invalid.clone())?;
            let count = last.checked_sub(*first).ok_or_else(|| invalid.clone())?;
            let len = 4 * (usize::from(count) + 1);
            (node.children, rest) = table.split_at_checked(len).ok_or_else(|| invalid.clone())?;
            node.first = *first;
        }
        if reference.has(Reference::VALUES) {
            node.count = number(&mut rest).ok_or(invalid)?;
            node.values = rest;
        }
        Ok(node)
    }

    /// The number of bytes of the node without its values.
    pub(super) fn len(&self) -> usize {
        self.prefix.len() + self.children.len() + 1
    }

    /// The child that a byte leads to.
    pub(super) fn child(&self, byte: u8) -> Option<Reference> {
        let index = usize::from(byte.checked_sub(self.first)?);
        self.children.as_chunks().0.get(index).and_then(|child| reference(*child))
    }

    /// The children, in the order of the bytes that lead to them.
    pub(super) fn children(&self) -> std::vec::IntoIter<(u8, Reference)> {
        let all = (self.first..=u8::MAX).zip(self.children.as_chunks().0);
        let present = all.filter_map(|(byte, child)| Some((byte, reference(*child)?)));
        present.collect::<Vec<_>>().into_iter()
    }

    /// Calls `visit` with each value, and returns the number of bytes of all.
    pub(super) fn values(&self, mut visit: impl FnMut(Value<'b>)) -> Result<usize, IndexError> {
        let mut rest = self.values;
        for _ in 0..self.count {
            let invalid = IndexError::Node { offset: self.offset };
            let priority = number(&mut rest).ok_or_else(|| invalid.clone())?;
            let text = text(&mut rest).ok_or(invalid)?;
            visit(Value { priority, text });
        }
        Ok(self.values.len() - rest.len())
    }
}

fn reference(bytes: [u8; 4]) -> Option<Reference> {
    let number = u32::from_be_bytes(bytes);
    (number != 0).then_some(Reference(number))
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u32::from_be_bytes(*number))
}

/// Takes the bytes up to a NUL, and the NUL.
fn text<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let end = rest.iter().position(|byte| *byte == 0)?;
    let text = &rest[..end];
    *rest = &rest[end + 1..];
    Some(text)
}
