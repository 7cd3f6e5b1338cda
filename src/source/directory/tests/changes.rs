//! Changes of the directory during the scan.

use rustix::fs::OFlags;

use super::super::assemble::assemble;
use super::super::list::Lister;
use super::super::listing::Found;
use super::*;
use crate::blob::HostDirectory;

#[test]
fn changes_during_the_scan_are_errors() {
    let top = populated();
    let root = open(top.path());
    let changed = |result: Result<Scanned>, path: &str| {
        let error = result.expect_err("it changed");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let expected = format!("{}: changed while it was scanned", top.path().join(path).display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    };
    let mut listings = scan::scan(&root, &options(&threads(1))).expect("it can be read");
    let missing: Vec<_> =
        listings.iter().filter(|listing| listing.place.path_of(b"") != b"a/sub").cloned().collect();
    changed(assemble(&root, missing), "a/sub");
    for listing in listings.iter_mut().filter(|listing| listing.place.path_of(b"") == b"z") {
        for entry in &mut listing.entries {
            if let Found::File { hard_link: Some(link), .. } = &mut entry.found {
                link.ctime.1 ^= 1;
            }
        }
    }
    changed(assemble(&root, listings), "z/again");

    let fd = Arc::new(root.open(b"a", OFlags::RDONLY | OFlags::DIRECTORY).expect("it is a directory"));
    fs::remove_dir_all(top.path().join("a")).expect("it is ours");
    let mut lister = Lister::new(&root).expect("the root is open");
    let place = HostDirectory::at(Arc::clone(&root), b"a");
    changed(Err(lister.list(&fd, &place, &mut Some).expect_err("it is gone")), "a");
    let gone = lister.entry_of_root(c"a").expect_err("it is gone");
    changed(Err(gone), "a");
}
