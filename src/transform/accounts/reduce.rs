//! The lines of a database that stay.

use super::database::{Database, is_special};
use super::used::Used;

/// Returns the text without the accounts that are not used, and the numbers of lines that are
/// not of the format and stay. Comments, empty lines and those of other databases (`+`, `-`)
/// stay too.
pub(super) fn reduce(database: Database, text: &[u8], used: &Used) -> (Vec<u8>, Vec<usize>) {
    let mut reduced = Vec::with_capacity(text.len());
    let mut malformed = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        let (line, end) = match line.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (line, &b""[..]),
        };
        if is_special(line) {
            reduced.extend_from_slice(line);
        } else if let Some(mut fields) = database.parse(line) {
            if !is_used(database, fields[0], used) {
                continue;
            }
            let lists = match database {
                Database::Group => &[3][..],
                Database::Gshadow => &[2, 3],
                _ => &[],
            };
            let lists: Vec<(usize, Vec<u8>)> =
                lists.iter().map(|at| (*at, used.members(fields[*at]))).collect();
            for (at, list) in &lists {
                fields[*at] = list;
            }
            reduced.extend(fields.join(&b':'));
        } else {
            malformed.push(number);
            reduced.extend_from_slice(line);
        }
        reduced.extend_from_slice(end);
    }
    (reduced, malformed)
}

fn is_used(database: Database, name: &[u8], used: &Used) -> bool {
    match database {
        Database::Passwd | Database::Shadow => used.users().contains(name),
        Database::Group | Database::Gshadow => used.groups().contains(name),
        Database::Subuid | Database::Subgid => used.users().contains(name) || used.has_uid(name),
    }
}
