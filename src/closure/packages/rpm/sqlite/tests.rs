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
    let blobs: Vec<Vec<u8>> = [0, 2, 400, 477, 478, 600, 985, 986, 5000]
        .into_iter()
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
fn numbers_have_one_to_nine_bytes() {
    assert_eq!(varint(&[0x7f]), Some((127, 1)));
    assert_eq!(varint(&[0x81, 0x00]), Some((128, 2)));
    assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, 9)));
    assert_eq!(varint(&[0xff; 8]), None);
}
