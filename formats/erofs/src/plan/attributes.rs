//! Extended attributes: those that are stored once for several inodes, and those in inodes.

mod key;
mod prefixes;

use std::collections::BTreeMap;

use image_tree::acl::Acl;
use image_tree::{Content, Tree, XattrName, Xattrs as Attributes, acl};

use super::inodes::Inodes;
use crate::error::{Error, XattrError};
use crate::ondisk::xattr::{HEADER_LEN, ID_LEN, MAX_BODY_LEN, MAX_SHARED, MAX_VALUE_LEN, split, write_entry};
use crate::ondisk::xattr_filter;
use crate::options::Options;
use key::Key;
use prefixes::Prefixes;

/// An attribute is shared if more inodes than this have it, as `mkfs.erofs` does by default.
const SHARED_ABOVE: u64 = 2;

/// The extended attributes of a filesystem.
#[derive(Debug)]
pub(crate) struct Xattrs<'t> {
    /// The length of the attributes in each inode, in bytes, by inode number.
    body_lens: Vec<usize>,
    /// The offset of each shared attribute from the start of the area, in bytes.
    shared: BTreeMap<Key<'t>, usize>,
    prefixes: Prefixes,
    /// The shared attributes, and the table of prefixes.
    area: Vec<u8>,
    /// The offset of the table of prefixes in the area.
    table: usize,
    pub(crate) has_acls: bool,
    pub(crate) has_security: bool,
}

impl<'t> Xattrs<'t> {
    /// Returns the length of the attributes in an inode, in bytes; 0 if it has none.
    pub(crate) fn body_len(&self, number: u32) -> usize {
        self.body_lens[number as usize]
    }

    /// Returns true if no file has attributes.
    pub(crate) fn is_empty(&self) -> bool {
        self.body_lens.iter().all(|len| *len == 0)
    }

    /// Returns the shared attributes, and the table of prefixes.
    pub(crate) fn area(&self) -> &[u8] {
        &self.area
    }

    /// Returns the number of long prefixes, and the offset of their table in the area.
    pub(crate) fn table(&self) -> (usize, usize) {
        (self.prefixes.count(), self.table)
    }

    /// Writes the attributes of an inode. The id of the first shared attribute is `first_id`.
    pub(crate) fn write_body(&self, attributes: &'t Attributes, first_id: u64, out: &mut [u8]) {
        let (shared, inline) = self.divide(attributes);
        let mut filter = xattr_filter::EMPTY;
        for name in attributes.keys() {
            let (index, rest) = split(name).expect("others are refused");
            filter &= !xattr_filter::bit(index, rest);
        }
        let mut body = filter.to_le_bytes().to_vec();
        body.push(u8::try_from(shared.len()).expect("at most 255 are shared"));
        body.resize(HEADER_LEN, 0);
        for offset in shared {
            let id = first_id + (offset / ID_LEN) as u64;
            body.extend_from_slice(&u32::try_from(id).expect("the area has less than 16 GiB").to_le_bytes());
        }
        for key in inline {
            write_entry(key.index, key.name, key.value, &mut body);
        }
        out.copy_from_slice(&body);
    }

    /// Divides the attributes of an inode into shared ones, by their offset, and the others.
    fn divide(&self, attributes: &'t Attributes) -> (Vec<usize>, Vec<Key<'t>>) {
        let (mut shared, mut inline) = (Vec::new(), Vec::new());
        for key in self.prefixes.keys(attributes) {
            match self.shared.get(&key) {
                Some(offset) if shared.len() < MAX_SHARED => shared.push(*offset),
                _ => inline.push(key),
            }
        }
        (shared, inline)
    }
}

/// Decides which attributes are shared, and the length of those in each inode.
///
/// # Errors
/// Returns an error if an attribute cannot be stored, or a prefix is not valid.
pub(crate) fn plan<'t, C: Content>(
    tree: &'t Tree<C>,
    inodes: &Inodes,
    options: &Options,
) -> Result<Xattrs<'t>, Error> {
    let of = |number| &tree.get(inodes.get(number).id).metadata.xattrs;
    let refuse =
        |number: u32, reason: XattrError| Error::unrepresentable(tree.path_of(inodes.get(number).id), reason);
    let (mut has_acls, mut has_security) = (false, false);
    for number in inodes.numbers() {
        for (name, value) in of(number) {
            check(name, value).map_err(|reason| refuse(number, reason))?;
            has_acls |= is_acl(name);
            has_security |= name.as_bytes().starts_with(b"security.");
        }
    }
    let names = inodes.numbers().flat_map(|number| of(number).keys());
    let prefixes = Prefixes::used(&options.xattr_prefixes, names)?;
    let mut counts: BTreeMap<Key<'t>, u64> = BTreeMap::new();
    for key in inodes.numbers().flat_map(|number| prefixes.keys(of(number))) {
        *counts.entry(key).or_default() += 1;
    }
    let (mut shared, mut area) = (BTreeMap::new(), Vec::new());
    for (key, count) in counts {
        let (len, ids) = (key.len() as u64, count * ID_LEN as u64);
        if count > SHARED_ABOVE && len + ids < len * count {
            shared.insert(key, area.len());
            write_entry(key.index, key.name, key.value, &mut area);
        }
    }
    let table = area.len();
    prefixes.write_table(&mut area);
    let body_lens = Vec::with_capacity(inodes.numbers().count());
    let mut xattrs = Xattrs { body_lens, shared, prefixes, area, table, has_acls, has_security };
    for number in inodes.numbers() {
        let attributes = of(number);
        let (shared, inline) = xattrs.divide(attributes);
        let len = match attributes.len() {
            0 => 0,
            _ => HEADER_LEN + shared.len() * ID_LEN + inline.iter().map(Key::len).sum::<usize>(),
        };
        if len > MAX_BODY_LEN {
            let longest = attributes.iter().max_by_key(|(_, value)| value.len());
            let longest = longest.map(|(name, _)| name.clone()).expect("there are attributes");
            let reason = XattrError::TooLarge { count: attributes.len(), needed: len, longest };
            return Err(refuse(number, reason));
        }
        xattrs.body_lens.push(len);
    }
    Ok(xattrs)
}

fn is_acl(name: &XattrName) -> bool {
    [acl::ACCESS, acl::DEFAULT].contains(&name.as_bytes())
}

/// Checks one attribute.
fn check(name: &XattrName, value: &[u8]) -> Result<(), XattrError> {
    if split(name).is_none() {
        return Err(XattrError::Namespace(name.clone()));
    }
    if is_acl(name) {
        // Linux reads the value as it is, in the format of getxattr(2).
        Acl::from_xattr(value).map_err(|source| XattrError::Acl { name: name.clone(), source })?;
    }
    if value.len() > MAX_VALUE_LEN {
        return Err(XattrError::ValueTooLong { name: name.clone(), size: value.len() });
    }
    Ok(())
}
