//! Databases of rpm for tests.

/// A value of a header.
#[derive(Clone, Debug)]
pub enum Value {
    Strings(Vec<Vec<u8>>),
    Numbers(Vec<u32>),
}

/// Returns a header with these tags, as the database has it.
///
/// # Panics
/// Panics if it is too long.
#[must_use]
pub fn header(tags: &[(u32, Value)]) -> Vec<u8> {
    let (mut index, mut data): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    let number = |number: usize| u32::try_from(number).expect("it is short").to_be_bytes();
    for (tag, value) in tags {
        let (kind, count) = match value {
            Value::Strings(strings) => (8_u32, strings.len()),
            Value::Numbers(numbers) => {
                data.resize(data.len().next_multiple_of(4), 0);
                (4, numbers.len())
            }
        };
        for word in [tag.to_be_bytes(), kind.to_be_bytes(), number(data.len()), number(count)] {
            index.extend(word);
        }
        match value {
            Value::Strings(strings) => strings.iter().for_each(|string| {
                data.extend(string);
                data.push(0);
            }),
            Value::Numbers(numbers) => data.extend(numbers.iter().flat_map(|number| number.to_be_bytes())),
        }
    }
    [&number(tags.len())[..], &number(data.len()), &index, &data].concat()
}

const PAGE: usize = 512;

/// Returns a file of SQLite whose table `Packages` has these headers: each row is on a leaf of its
/// own, with overflow pages.
///
/// # Panics
/// Panics if there are more than 50 headers, or they are too long.
#[must_use]
pub fn database(headers: &[Vec<u8>]) -> Vec<u8> {
    assert!(headers.len() <= 50, "one interior page has no more");
    let mut pages = vec![Vec::new(), Vec::new()];
    let mut children = Vec::new();
    for (id, header) in (1_u64..).zip(headers) {
        children.push((u32::try_from(pages.len() + 1).expect("few"), id));
        pages.push(Vec::new());
        let record = record(&[None, Some((header, false))]);
        let leaf = pages.len() - 1;
        pages[leaf] = leaf_of(id, &record, 0, &mut pages);
    }
    pages[1] = match &children[..] {
        [] => node(13, &[], None, 0),
        [rest @ .., last] => {
            let cells: Vec<Vec<u8>> =
                rest.iter().map(|(page, id)| [&page.to_be_bytes()[..], &varint(*id)].concat()).collect();
            node(5, &cells, Some(last.0), 0)
        }
    };
    let sql = b"CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)".to_vec();
    let text = |text: &[u8]| text.to_vec();
    let (kind, name) = (text(b"table"), text(b"Packages"));
    let schema = record(&[
        Some((&kind, true)),
        Some((&name, true)),
        Some((&name, true)),
        Some((&text(b"\x02"), false)),
        Some((&sql, true)),
    ]);
    pages[0] = leaf_of(1, &schema, 100, &mut Vec::new());
    let mut start = vec![0; 100];
    start[..16].copy_from_slice(b"SQLite format 3\0");
    start[16..24].copy_from_slice(&[2, 0, 1, 1, 0, 64, 32, 32]);
    start[28..32].copy_from_slice(&u32::try_from(pages.len()).expect("few").to_be_bytes());
    start[59] = 1;
    pages[0][..100].copy_from_slice(&start);
    pages.concat()
}

/// Returns a record of columns: NULL, or a text if true is beside it, or else a blob, of which one
/// byte is stored as an integer.
fn record(columns: &[Option<(&Vec<u8>, bool)>]) -> Vec<u8> {
    let (mut header, mut body) = (Vec::new(), Vec::new());
    for column in columns {
        let Some((bytes, is_text)) = column else {
            header.push(0);
            continue;
        };
        let len = bytes.len() as u64;
        header.extend(varint(match (bytes.len(), is_text) {
            (1, false) => 1,
            (_, false) => 12 + 2 * len,
            (_, true) => 13 + 2 * len,
        }));
        body.extend_from_slice(bytes);
    }
    assert!(header.len() < 127, "its length has one byte");
    [vec![u8::try_from(header.len() + 1).expect("short")], header, body].concat()
}

/// Returns a leaf page with one cell, after adding its overflow pages.
fn leaf_of(id: u64, record: &[u8], reserved: usize, pages: &mut Vec<Vec<u8>>) -> Vec<u8> {
    let (max, min) = (PAGE - 35, (PAGE - 12) * 32 / 255 - 23);
    let local = match record.len() {
        len if len <= max => len,
        len if min + (len - min) % (PAGE - 4) <= max => min + (len - min) % (PAGE - 4),
        _ => min,
    };
    let mut cell = [varint(record.len() as u64), varint(id), record[..local].to_vec()].concat();
    let mut rest = record[local..].chunks(PAGE - 4).peekable();
    if rest.peek().is_some() {
        cell.extend(u32::try_from(pages.len() + 1).expect("few").to_be_bytes());
    }
    while let Some(part) = rest.next() {
        let next = if rest.peek().is_some() { u32::try_from(pages.len() + 2).expect("few") } else { 0 };
        let mut page = [&next.to_be_bytes()[..], part].concat();
        page.resize(PAGE, 0);
        pages.push(page);
    }
    node(13, &[cell], None, reserved)
}

/// Returns a page of a table with these cells.
fn node(kind: u8, cells: &[Vec<u8>], right: Option<u32>, reserved: usize) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    let (mut pointers, mut end) = (Vec::new(), PAGE);
    for cell in cells {
        end -= cell.len();
        page[end..end + cell.len()].copy_from_slice(cell);
        pointers.extend(u16::try_from(end).expect("short").to_be_bytes());
    }
    let count = u16::try_from(cells.len()).expect("few").to_be_bytes();
    let content = u16::try_from(end).expect("short").to_be_bytes();
    let mut header = vec![kind, 0, 0, count[0], count[1], content[0], content[1], 0];
    header.extend(right.iter().flat_map(|page| page.to_be_bytes()));
    header.extend(pointers);
    page[reserved..reserved + header.len()].copy_from_slice(&header);
    page
}

fn varint(number: u64) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(number & 0x7f).expect("seven bits")];
    let mut rest = number >> 7;
    while rest > 0 {
        bytes.push(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    bytes.reverse();
    bytes
}
