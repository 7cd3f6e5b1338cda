//! Progress reports and interrupts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::progress::Progress;

#[test]
fn reports_found_bytes_in_portions() {
    let top = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| top.path().join(name);
    let long = vec![7; 3 << 20];
    fs::write(at("long"), &long).expect("a new file");
    fs::write(at("two names"), &long).expect("a new file");
    fs::hard_link(at("two names"), at("again")).expect("a new name");
    fs::File::create(at("hole")).and_then(|file| file.set_len(64 << 20)).expect("a new file");
    fs::create_dir(at("directory")).expect("a new directory");
    for index in 0..1000 {
        fs::write(at(&format!("directory/{index}")), &long[..8 << 10]).expect("a new file");
    }
    for count in [1, 4] {
        let (found, threads) = (Recorder::default(), threads(count));
        let options = ScanOptions { found: &found, ..options(&threads) };
        let tree = super::super::scan(top.path(), &options).expect("it can be read").tree;
        assert_eq!(tree.inode_count(), 1005);
        let (bytes, times) = (found.bytes.into_inner(), found.times.into_inner());
        let exact = (3 << 20) + 1000 * (8 << 10);
        let portions = 1 + count as u64;
        assert!(bytes <= exact && bytes + portions * (1 << 20) > exact, "{bytes} of {exact} bytes");
        assert!(times <= 10, "{times} times for {bytes} bytes");
    }
}

#[derive(Default)]
struct Recorder {
    bytes: AtomicU64,
    times: AtomicU64,
}

impl Progress for Recorder {
    fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.times.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_signal_ends_the_scan() {
    let top = populated();
    let interrupt = Interrupt::never();
    interrupt.set(15);
    for count in [1, 4] {
        let error = super::super::read(top.path(), &threads(count), &interrupt).expect_err("a signal came");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}
