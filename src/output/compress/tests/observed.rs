//! An observer gets every byte before compression.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::output::digest::OrderedSha256;

#[test]
fn the_observer_of_members_gets_every_byte_once() {
    let interrupt = Interrupt::never();
    for name in ["none", "gzip:1", "zstd:1"] {
        let codec = codec(name);
        let segments = mixed(&codec);
        let members: Vec<_> = segments.iter().map(TestSegment::member).collect();
        let mut expected = Sha256::new();
        for segment in &segments {
            expected.update(image_runs::read_all(segment).expect("it is in memory"));
        }
        let expected: [u8; 32] = expected.finalize().into();
        for count in THREADS {
            let (threads, unpacked) = (&threads(count), OrderedSha256::default());
            let write =
                WriteOptions { threads, reflink: Reflink::Never, interrupt: &interrupt, progress: &Silent };
            let options = CompressOptions { write, cache: None, observer: Some(&unpacked) };
            stream(&members, &codec, &mut io::sink(), Path::new("-"), &options).expect("nothing fails");
            assert_eq!(unpacked.finish(), expected, "{name} with {count} threads");
        }
    }
}
