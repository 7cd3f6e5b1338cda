//! The result depends neither on the number of threads nor on the order of listings.

use super::super::assemble::assemble;
use super::super::listing::Listing;
use super::*;

#[test]
fn result_does_not_depend_on_threads() {
    let top = populated();
    let one = read(top.path(), 1).expect("it can be read");
    for threads in [2, 7, 100] {
        assert_eq!(read(top.path(), threads).expect("it can be read"), one);
    }
    // Inodes are numbered in the order of the walk.
    let firsts: Vec<_> = one.walk().filter(|step| step.first).map(|step| step.id.index()).collect();
    assert_eq!(firsts, (0..one.inode_count()).collect::<Vec<_>>());
}

#[test]
fn result_does_not_depend_on_listing_order() {
    let top = populated();
    let root = open(top.path());
    let listings = scan::scan(&root, &options(&threads(2))).expect("it can be read");
    let tree = assemble(&root, listings.clone()).expect("a complete set");
    let mut orders = std::collections::BTreeSet::new();
    for seed in 1..50 {
        let mut shuffled: Vec<Listing> = listings.clone();
        let mut random = Xorshift(seed);
        random.shuffle(&mut shuffled);
        for listing in &mut shuffled {
            random.shuffle(&mut listing.entries);
        }
        orders.insert(shuffled.iter().map(|listing| listing.place.path_of(b"")).collect::<Vec<_>>());
        assert_eq!(assemble(&root, shuffled).expect("a complete set"), tree);
    }
    assert!(orders.len() > 10, "the shuffling shuffles");
}

struct Xorshift(u64);

impl Xorshift {
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let other = usize::try_from(self.0 % (last as u64 + 1)).expect("at most last");
            items.swap(last, other);
        }
    }
}

#[test]
fn threads_share_a_long_directory() {
    let top = directory();
    let long = top.path().join("long");
    fs::create_dir(&long).expect("a new directory");
    for index in 0..3000 {
        fs::write(long.join(format!("file-{index}")), format!("{index}")).expect("a new file");
    }
    fs::create_dir(long.join("sub")).expect("a new directory");
    fs::write(long.join("sub/file"), "x").expect("a new file");
    let labelled = set_xattr("threads_share_a_long_directory", &long.join("file-2999"), "user.note", b"last");
    let alone = read(top.path(), 1).expect("it can be read");
    assert_eq!(alone.inode_count(), 3004);
    assert_eq!(bytes(&alone, "/long/file-2999"), b"2999");
    assert_eq!(inode(&alone, "/long/file-2999").metadata.xattrs.len(), usize::from(labelled));
    for _ in 0..10 {
        assert_eq!(read(top.path(), 4).expect("it can be read"), alone);
    }
}
