//! A reader of tables in a file of SQLite, by its file format (<https://www.sqlite.org/fileformat2.html>).
//!
//! ```text
//! page 1: header, sqlite_schema ─▶ root page of a table ─▶ interior pages ─▶ leaf pages: cells
//!                                                                         cell ─▶ overflow pages
//! ```
//!
//! It reads pages of the file where they are and holds nothing but what it returns. Every page
//! belongs to one place in a valid file, which bounds the time for a damaged one: a page of a table
//! that is reached again is an error, and so is an overflow page within a row.

use std::collections::BTreeSet;
use std::io;

use image_tree::Content;

/// The first bytes of every file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_LEN: usize = 100;

const INTERIOR: u8 = 5;
const LEAF: u8 = 13;

/// The maximum length in bytes of a file. Those of the largest installations have some hundred
/// million; a sparse file can state much more than it has.
const MAX_LEN: u64 = 4 << 30;
/// The maximum number of rows of a table.
const MAX_ROWS: usize = 1 << 20;
/// The maximum length in bytes of a row: that of rpm for a header, 256 MiB.
const MAX_ROW: u64 = 256 << 20;

/// The reason why a table cannot be read.
#[derive(Debug)]
pub enum Problem {
    /// The file cannot be read.
    Read(io::Error),
    /// The file is not valid; completes "it is damaged: ".
    Malformed(&'static str),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

type Result<T> = std::result::Result<T, Problem>;

/// A file of SQLite.
pub struct Database<'c, C> {
    content: &'c C,
    page_len: usize,
    /// The length of a page without the bytes at its end that are reserved for extensions.
    usable: usize,
    pages: u32,
}

/// The location of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    len: u64,
    /// The offset in the file of the part on the leaf page.
    start: u64,
    /// The length of that part.
    local: usize,
    /// The first page of the rest; 0 if there is none.
    overflow: u32,
}

impl<'c, C: Content> Database<'c, C> {
    /// Opens a file, whose text must be UTF-8.
    ///
    /// # Errors
    /// Returns an error if it cannot be read, or is not such a file.
    pub fn open(content: &'c C) -> Result<Self> {
        let mut header = [0; HEADER_LEN];
        if content.len() < HEADER_LEN as u64 {
            return Err(Problem::Malformed("it is too short for a file of SQLite"));
        }
        if content.len() > MAX_LEN {
            return Err(Problem::Malformed(
                "it is longer than 4 GiB, which is more than a database of rpm has",
            ));
        }
        content.read_at(&mut header, 0)?;
        if !header.starts_with(MAGIC) {
            return Err(Problem::Malformed("it does not begin as a file of SQLite"));
        }
        let page_len = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 1 << 16,
            len if len.is_power_of_two() && len >= 512 => usize::from(len),
            _ => return Err(Problem::Malformed("its pages have a length that SQLite does not have")),
        };
        let usable = page_len - usize::from(header[20]);
        // 1 is a rollback journal, 2 a write-ahead log.
        if header[19] > 2 || usable < 480 {
            return Err(Problem::Malformed("it has a newer format"));
        }
        if header[59] > 1 {
            return Err(Problem::Malformed("its text is UTF-16"));
        }
        let pages = u32::try_from(content.len() / page_len as u64);
        let pages = pages.map_err(|_| Problem::Malformed("it has more pages than SQLite counts"))?;
        Ok(Self { content, page_len, usable, pages })
    }

    /// Returns the root page of a table, whose name is that of its creation; `None` if there is no
    /// such table.
    ///
    /// # Errors
    /// Returns an error if the file is damaged or cannot be read.
    pub fn table(&self, name: &[u8]) -> Result<Option<u32>> {
        for row in self.rows(1)? {
            // A row of the schema has the text of the statement that made the table.
            if row.len > 1 << 20 {
                continue;
            }
            let row = self.read(&row)?;
            let is_table = column(&row, 0) == Some(b"table") && column(&row, 1) == Some(name);
            if let Some(root) = column(&row, 3).filter(|_| is_table) {
                let root = root.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                return Ok(u32::try_from(root).ok());
            }
        }
        Ok(None)
    }

    /// Returns the rows of the table whose tree begins at a page, in their order.
    ///
    /// # Errors
    /// Returns an error if the file is damaged or cannot be read, or the table has more rows than
    /// 2^20.
    pub fn rows(&self, root: u32) -> Result<Vec<Payload>> {
        let mut rows = Vec::new();
        // The pages to be visited, the next one last.
        let mut pending = vec![root];
        let (mut visited, mut bytes) = (BTreeSet::new(), 0_u64);
        while let Some(number) = pending.pop() {
            if !visited.insert(number) {
                return Err(CIRCLE);
            }
            let page = self.page(number)?;
            // The first page begins with the header of the file.
            let header = if number == 1 { HEADER_LEN } else { 0 };
            let at = |at: usize, len: usize| page.get(at..at + len).ok_or(OUTSIDE);
            let cells = usize::from(u16_at(at(header + 3, 2)?));
            let (is_interior, cell_pointers) = match page[header] {
                INTERIOR => (true, header + 12),
                LEAF => (false, header + 8),
                _ => return Err(Problem::Malformed("a page of a table is of another kind")),
            };
            let mut children = Vec::new();
            for index in 0..cells {
                let cell = usize::from(u16_at(at(cell_pointers + 2 * index, 2)?));
                if is_interior {
                    children.push(u32_at(at(cell, 4)?));
                    continue;
                }
                let row = self.cell(&page, number, cell)?;
                // The rows of a valid file do not overlap.
                bytes = bytes.saturating_add(row.len);
                if rows.len() == MAX_ROWS || bytes > self.content.len() {
                    return Err(Problem::Malformed("a table has more rows than its file has room for"));
                }
                rows.push(row);
            }
            if is_interior {
                children.push(u32_at(at(header + 8, 4)?));
                pending.extend(children.into_iter().rev());
                if pending.len() as u64 > u64::from(self.pages) {
                    return Err(CIRCLE);
                }
            }
        }
        Ok(rows)
    }

    /// Reads a row.
    ///
    /// # Errors
    /// Returns an error if the file is damaged or cannot be read.
    pub fn read(&self, row: &Payload) -> Result<Vec<u8>> {
        let len = usize::try_from(row.len).map_err(|_| TOO_LONG)?;
        let mut bytes = vec![0; len];
        let (local, mut rest) = bytes.split_at_mut(row.local.min(len));
        self.content.read_at(local, row.start)?;
        let (mut next, mut visited) = (row.overflow, BTreeSet::new());
        while !rest.is_empty() {
            if !visited.insert(next) {
                return Err(CIRCLE);
            }
            let offset = self.offset(next)?;
            let mut link = [0; 4];
            self.content.read_at(&mut link, offset)?;
            let (part, after) = rest.split_at_mut(rest.len().min(self.usable - 4));
            self.content.read_at(part, offset + 4)?;
            (rest, next) = (after, u32::from_be_bytes(link));
        }
        Ok(bytes)
    }

    /// Parses the cell of a leaf at an offset of its page.
    fn cell(&self, page: &[u8], number: u32, cell: usize) -> Result<Payload> {
        let rest = page.get(cell..).ok_or(OUTSIDE)?;
        let (len, len_len) = varint(rest).ok_or(OUTSIDE)?;
        let (_, id_len) = varint(&rest[len_len..]).ok_or(OUTSIDE)?;
        if len == 0 || len > MAX_ROW {
            return Err(TOO_LONG);
        }
        let begin = cell + len_len + id_len;
        let max = self.usable - 35;
        let whole = usize::try_from(len).map_err(|_| TOO_LONG)?;
        let local = if whole <= max {
            whole
        } else {
            let min = (self.usable - 12) * 32 / 255 - 23;
            let local = min + (whole - min) % (self.usable - 4);
            if local <= max { local } else { min }
        };
        let end = begin + local;
        let after = if local < whole { 4 } else { 0 };
        let overflow = page.get(end..end + after).filter(|_| end + after <= self.usable).ok_or(OUTSIDE)?;
        let overflow = if after == 0 { 0 } else { u32_at(overflow) };
        Ok(Payload { len, start: self.offset(number)? + begin as u64, local, overflow })
    }

    fn page(&self, number: u32) -> Result<Vec<u8>> {
        let mut page = vec![0; self.page_len];
        self.content.read_at(&mut page, self.offset(number)?)?;
        Ok(page)
    }

    /// Returns the offset of a page, whose number counts from 1.
    fn offset(&self, number: u32) -> Result<u64> {
        match number.checked_sub(1) {
            Some(index) if index < self.pages => Ok(u64::from(index) * self.page_len as u64),
            _ => Err(Problem::Malformed("it leads to a page that it does not have")),
        }
    }
}

const CIRCLE: Problem = Problem::Malformed("its pages lead to each other in a circle");
const OUTSIDE: Problem = Problem::Malformed("a page leads out of itself");
const TOO_LONG: Problem = Problem::Malformed("a row is longer than a header of rpm can be, or empty");

/// Returns the bytes of a column of a row: those of a text or blob, or the big-endian ones of an
/// integer, which are none for 0 and 1. `None` if the row has no such column, or NULL.
#[must_use]
pub fn column(row: &[u8], index: usize) -> Option<&[u8]> {
    let (header_len, mut at) = varint(row)?;
    let header_len = usize::try_from(header_len).ok()?;
    let header = row.get(..header_len)?;
    let mut start = header_len;
    for position in 0.. {
        let (kind, len) = varint(header.get(at..)?)?;
        at += len;
        let len = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => usize::try_from((kind - 12) / 2).ok()?,
        };
        let end = start.checked_add(len)?;
        if position == index {
            return row.get(start..end).filter(|_| kind != 0);
        }
        start = end;
    }
    None
}

/// Reads a number of one to nine bytes, and returns it with their count.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(8).enumerate() {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, at + 1));
        }
    }
    let last = bytes.get(8)?;
    Some((number << 8 | u64::from(*last), 9))
}

fn u16_at(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |number, byte| number << 8 | u16::from(*byte))
}

fn u32_at(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests;
