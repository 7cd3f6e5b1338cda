//! Readahead of files of the host.

use std::io::IoSliceMut;
use std::num::NonZeroU64;

use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};

use super::{Blob, HostFile, ReadAhead};

impl ReadAhead for Blob {
    /// Checks the host's file. An archive is one file read front to back, which the kernel reads
    /// ahead by itself.
    fn is_cold(&self, offset: u64) -> bool {
        match self.unmapped() {
            Blob::Host(file) => file.is_cold(offset),
            _ => false,
        }
    }

    fn start_readahead(&self, offset: u64, len: u64) {
        if let Blob::Host(file) = self.unmapped() {
            file.start_readahead(offset, len);
        }
    }
}

impl HostFile {
    /// Filesystems without support, such as tmpfs before Linux 6.7, return EOPNOTSUPP: their files
    /// count as warm.
    fn is_cold(&self, offset: u64) -> bool {
        let Ok(file) = self.open() else { return false };
        let mut byte = [0];
        let buffers = &mut [IoSliceMut::new(&mut byte)];
        rustix::io::preadv2(&file, buffers, offset, ReadWriteFlags::NOWAIT) == Err(Errno::AGAIN)
    }

    fn start_readahead(&self, offset: u64, len: u64) {
        // Length 0 would mean the whole file.
        let (Ok(file), Some(len)) = (self.open(), NonZeroU64::new(len)) else { return };
        // OK to ignore: it is advice.
        let _ = rustix::fs::fadvise(&file, offset, Some(len), Advice::WillNeed);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, Write as _};

    use super::super::Change;
    use super::super::tests::{change, read, scanned};
    use super::*;

    #[test]
    fn readahead_fills_the_page_cache() {
        let directory = tempfile::tempdir_in("/var/tmp").expect("a temporary directory");
        let path = directory.path().join("f");
        fs::write(&path, vec![1; 1 << 20]).expect("a new file");
        let file = fs::File::open(&path).expect("it is there");
        file.sync_all().expect("it can be settled");
        let blob = scanned(directory.path(), "f");
        assert!(!blob.is_cold(0), "it was just written");
        let make_cold = || rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).expect("it is a file");
        make_cold();
        if !blob.is_cold(0) {
            writeln!(
                io::stderr(),
                "SKIPPED a file that is not in the page cache: /var/tmp keeps its files there"
            )
            .expect("standard error takes it");
            return;
        }
        // Checking may start a read too, so it is done once, after there was time to read.
        let became_warm = (0..10).any(|attempt| {
            make_cold();
            blob.start_readahead(0, 1 << 20);
            std::thread::sleep(std::time::Duration::from_millis(10 << attempt));
            !blob.is_cold(0)
        });
        assert!(became_warm);
        assert_eq!(read(&blob).expect("it is as it was"), vec![1; 1 << 20]);
    }

    #[test]
    fn a_file_whose_cache_state_is_unknown_counts_as_cached() {
        let file = fs::File::open("/proc/self/status").expect("it is mounted");
        let mut byte = [0];
        let asked = rustix::io::preadv2(&file, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT);
        assert_eq!(asked, Err(Errno::OPNOTSUPP), "another file is needed for this test");
        assert!(!scanned(std::path::Path::new("/proc/self"), "status").is_cold(0));
    }

    #[test]
    fn readahead_ignores_files_that_it_cannot_read() {
        // A tmpfs has no disk; one of Linux before 6.7 does not support RWF_NOWAIT.
        let in_memory = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
        fs::write(in_memory.path().join("f"), "0123456789").expect("a new file");
        let file = scanned(in_memory.path(), "f");
        let gone = scanned(in_memory.path(), "f");
        let check = |blob: &Blob| {
            for (offset, len) in [(0, 10), (0, 0), (9, 1), (10, 1), (u64::MAX, u64::MAX)] {
                assert!(!blob.is_cold(offset));
                blob.start_readahead(offset, len);
            }
        };
        check(&file);
        check(&Blob::from(b"0123456789".to_vec()));
        assert_eq!(read(&file).expect("it is as it was"), b"0123456789");
        let path = in_memory.path().join("f");
        fs::remove_file(&path).expect("it is there");
        check(&gone);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).expect("the name is free");
        check(&gone);
        fs::remove_file(&path).expect("it is there");
        std::os::unix::fs::symlink("/proc/self/mem", &path).expect("the name is free");
        check(&gone);
        assert_eq!(change(&gone), Change::Replaced);
    }
}
