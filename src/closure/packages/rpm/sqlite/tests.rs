use super::*;
use crate::closure::testing::rpm::database;

fn rows(file: &Vec<u8>) -> Result<Vec<Vec<u8>>> {
    let database = Database::open(file)?;
    let root = database.table(b"Packages")?.expect("it has the table");
    let rows = database.rows(root)?;
    rows.iter().map(|row| database.read(row)).collect()
}

fn why<R>(result: Result<R>) -> &'static str {
    match result {
        Err(Problem::Malformed(why)) => why,
        Err(Problem::Read(error)) => panic!("{error}"),
        Ok(_) => "it is read",
    }
}

#[test]
fn rows_of_every_length_are_read_whole() {
    // Around the lengths at which a row begins to have overflow pages, and to have another one.
    let blobs: Vec<Vec<u8>> = [0, 2, 400, 600, 5000]
        .into_iter()
        .chain(470..480)
        .chain(978..990)
        .map(|len| (0..len).map(|at: u32| u8::try_from(at % 251).expect("small")).collect())
        .collect();
    let found = rows(&database(&blobs)).expect("a database");
    let columns: Vec<_> = found.iter().map(|row| column(row, 1).expect("a blob").to_vec()).collect();
    assert_eq!(columns, blobs);
    assert!(found.iter().all(|row| column(row, 0).is_none() && column(row, 2).is_none()));
    assert!(rows(&database(&[])).expect("a database").is_empty());
}

#[test]
fn a_file_without_the_table_has_none() {
    let file = database(&[]);
    assert_eq!(Database::open(&file).expect("a database").table(b"packages").expect("it is read"), None);
}

#[test]
fn files_of_another_kind_are_refused() {
    let open = |file: &Vec<u8>| why(Database::open(file));
    assert_eq!(open(&b"short".to_vec()), "it is too short for a file of SQLite");
    assert_eq!(open(&vec![0; 512]), "it does not begin as a file of SQLite");
    let changed = |at: usize, byte: u8| {
        let mut file = database(&[]);
        file[at] = byte;
        open(&file)
    };
    assert_eq!(changed(17, 1), "its pages have a length that SQLite does not have");
    assert_eq!(changed(19, 3), "it has a newer format");
    assert_eq!(changed(20, 33), "it has a newer format");
    assert_eq!(changed(59, 2), "its text is UTF-16");
}

#[test]
fn circles_and_pages_outside_of_the_file_are_refused() {
    let file = database(&[vec![7; 900], vec![8; 900]]);
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = file.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        why(rows(&file))
    };
    // The last child of the interior page, which is the second, at offset 8.
    assert_eq!(changed(512 + 8, &2_u32.to_be_bytes()), "its pages lead to each other in a circle");
    assert_eq!(changed(512 + 8, &99_u32.to_be_bytes()), "it leads to a page that it does not have");
    assert_eq!(changed(512 + 8, &0_u32.to_be_bytes()), "it leads to a page that it does not have");
    assert_eq!(changed(512, &[10]), "a page of a table is of another kind");
    assert_eq!(changed(512 + 3, &[255, 255]), "a page leads out of itself");
    // The rows lie in the bytes at the end of their pages that are reserved for extensions.
    assert_eq!(changed(20, &[32]), "a page leads out of itself");
    // The interior page leads to itself, and to one leaf twice.
    let first = usize::from(u16_at(&file[512 + 12..512 + 14]));
    assert_eq!(changed(512 + first, &2_u32.to_be_bytes()), "its pages lead to each other in a circle");
    let last = &file[512 + 8..512 + 12];
    assert_eq!(changed(512 + first, last), "its pages lead to each other in a circle");
    // The length of the row at the end of the first leaf, the third page.
    let cell = usize::from(u16_at(&file[2 * 512 + 8..2 * 512 + 10]));
    assert_eq!(changed(2 * 512 + cell, &[0xff, 0x7f]), "a table has more rows than its file has room for");
    assert_eq!(
        changed(2 * 512 + cell, &[0xff, 0xff, 0xff, 0xff, 0x7f]),
        "a row is longer than a header of rpm can be, or empty"
    );
    assert_eq!(changed(2 * 512 + 8, &[2, 0]), "a page leads out of itself");
}

#[test]
fn overflow_pages_in_a_circle_or_outside_of_the_file_are_refused() {
    let file = database(&[vec![7; 2000]]);
    // The leaf is the third page, and its overflow pages follow.
    let first = 3 * 512;
    assert_eq!(file[first..first + 4], 5_u32.to_be_bytes());
    let changed = |next: u32| {
        let mut file = file.clone();
        file[first..first + 4].copy_from_slice(&next.to_be_bytes());
        why(rows(&file))
    };
    assert_eq!(changed(5), "it is read");
    assert_eq!(changed(4), "its pages lead to each other in a circle");
    for outside in [0, 99] {
        assert_eq!(changed(outside), "it leads to a page that it does not have");
    }
}

/// A file that states a length, of which only the start is there.
struct Long(Vec<u8>, u64);

impl Content for Long {
    fn len(&self) -> u64 {
        self.1
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(buffer, offset)
    }
}

#[test]
fn files_and_rows_that_are_too_long_are_refused() {
    let open = |len: u64| why(Database::open(&Long(database(&[]), len)));
    assert_eq!(open(4 << 30), "it is read");
    assert_eq!(open((4 << 30) + 1), "it is longer than 4 GiB, which is more than a database of rpm has");
    // The length of a row, in the leaf of a table, in seven bits a byte.
    let row = |len: [u8; 5]| {
        let mut file = database(&[vec![7; 900]]);
        let cell = usize::from(u16_at(&file[2 * 512 + 8..2 * 512 + 10]));
        file[2 * 512 + cell..2 * 512 + cell + 5].copy_from_slice(&len);
        let file = Long(file, 4 << 30);
        let database = Database::open(&file).expect("it begins well");
        why(database.rows(3))
    };
    let too_long = "a row is longer than a header of rpm can be, or empty";
    assert_eq!(row([0x81, 0x80, 0x80, 0x80, 0x01]), too_long);
    assert_eq!(row([0x81, 0x80, 0x80, 0x80, 0x00]), "it is read");
    assert_eq!(row([0x80, 0x80, 0x80, 0x80, 0x00]), too_long);
}

#[test]
fn a_statement_of_the_schema_that_is_too_long_is_skipped() {
    let mut file = database(&[]);
    let cell = usize::from(u16_at(&file[108..110]));
    // A length of 2065 overflow pages and the shortest part before them, in seven bits a byte.
    file[cell..cell + 3].copy_from_slice(&[0xc0, 0x83, 0x63]);
    let file = Long(file, 4 << 30);
    let database = Database::open(&file).expect("it begins well");
    assert_eq!(database.rows(1).expect("the row is known").first().map(|row| row.len), Some(1_049_059));
    assert_eq!(database.table(b"Packages").expect("it is not read"), None);
}

/// Returns a file whose second page is the root of a table of so many rows, all of them the same
/// byte.
fn rows_of_one_byte(count: usize) -> Vec<u8> {
    const PAGE: usize = 1 << 16;
    const ROWS: usize = 32_000;
    let mut first = vec![0; PAGE];
    first[..16].copy_from_slice(b"SQLite format 3\0");
    first[16..24].copy_from_slice(&[0, 1, 1, 1, 0, 64, 32, 32]);
    first[59] = 1;
    let number = |number: usize| u16::try_from(number).expect("short").to_be_bytes();
    let leaf = |rows: usize| {
        let mut page = [&[LEAF, 0, 0][..], &number(rows), &[0; 3], &number(PAGE - 3).repeat(rows)].concat();
        page.resize(PAGE, 1);
        page
    };
    let leaves: Vec<usize> = (0..count).step_by(ROWS).map(|from| ROWS.min(count - from)).collect();
    let cells = leaves.len() - 1;
    let mut root = [&[INTERIOR, 0, 0][..], &number(cells), &[0; 3], &[0, 0], &number(cells + 3)].concat();
    let start = root.len() + 2 * cells;
    root.extend((0..cells).flat_map(|cell| number(start + 5 * cell)));
    root.extend((0..cells).flat_map(|cell| [&[0, 0][..], &number(cell + 3), &[1]].concat()));
    root.resize(PAGE, 0);
    [first, root].into_iter().chain(leaves.into_iter().map(leaf)).flatten().collect()
}

#[test]
fn the_number_of_rows_is_limited() {
    let count = |count: usize| {
        let file = rows_of_one_byte(count);
        let rows = Database::open(&file).and_then(|database| database.rows(2));
        rows.map(|rows| rows.len()).map_err(|error| why(Err::<(), _>(error)))
    };
    assert_eq!(count(MAX_ROWS), Ok(MAX_ROWS));
    assert_eq!(count(MAX_ROWS + 1), Err("a table has more rows than its file has room for"));
}

#[test]
fn columns_of_impossible_lengths_are_missing() {
    // The lengths of the columns do not fit into a row, or into a number.
    let huge: Vec<u8> = [&[11_u8][..], &[0xff; 9], &[12], b"x"].concat();
    assert_eq!(column(&huge, 0), None);
    assert_eq!(column(&huge, 1), None);
    let header_len = [0xff; 9];
    assert_eq!(column(&header_len, 0), None);
    assert_eq!(column(&[3, 10, 12], 0), None);
    // The header ends before the contents.
    assert_eq!((column(&[2, 14, 8], 0), column(&[2, 14, 8], 1)), (Some(&[8][..]), None));
    // An integer of six bytes, one of eight, the numbers 0 and 1, a blob, a text, and NULL.
    let row = [&[8, 5, 6, 8, 9, 14, 15, 0][..], b"123456", b"12345678", b"b", b"t"].concat();
    let columns: Vec<Option<&[u8]>> = (0..8).map(|index| column(&row, index)).collect();
    let text = |text: &'static [u8]| Some(text);
    let expected =
        [text(b"123456"), text(b"12345678"), text(b""), text(b""), text(b"b"), text(b"t"), None, None];
    assert_eq!(columns, expected);
}

#[test]
fn numbers_have_one_to_nine_bytes() {
    assert_eq!(varint(&[0x7f]), Some((127, 1)));
    assert_eq!(varint(&[0x81, 0x00]), Some((128, 2)));
    assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, 9)));
    assert_eq!(varint(&[0xff; 8]), None);
}
