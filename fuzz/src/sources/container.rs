//! Images of containers: their documents, and stacks of layers.

use std::ffi::OsStr;
use std::num::NonZeroUsize;

use flate2::Compression;
use flate2::write::GzEncoder;
use rootcast::blob::SpoolMemory;
use rootcast::error::Result;
use rootcast::interrupt::Interrupt;
use rootcast::source::container::{self, Container, Options, Reference};
use rootcast::source::tar::{Limits, Reader};
use rootcast::threads::Threads;
use sha2::{Digest as _, Sha256};

use crate::Outcome;
use crate::input::small;
use crate::sources::tar;

const LIMITS: Limits = Limits { max_size: 1 << 20, max_entries: 2000, decoder_memory: Some(1 << 20) };

/// The most layers of an image.
const MAX_LAYERS: usize = 4;

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns an archive of files.
fn packed(files: &[(String, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        let size = format!("{:011o}", bytes.len());
        for (at, text) in
            [(100, "0000644"), (108, "0000000"), (116, "0000000"), (124, &size), (136, "00000000000")]
        {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        }
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend(header);
        archive.extend(*bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.extend([0; 1024]);
    archive
}

fn read(name: &str, archive: &[u8]) -> Result<Container> {
    let interrupt = Interrupt::never();
    let threads = Threads::new(NonZeroUsize::MIN);
    let reference = Reference::parse(OsStr::new(name))?.expect("the name is that of an image");
    let options = Options {
        platform: None,
        spool: None,
        memory: &SpoolMemory::default(),
        cache: None,
        keep_directory_symlink: false,
        limits: LIMITS,
        threads: &threads,
        interrupt: &interrupt,
    };
    let archive = Reader::bytes(archive, LIMITS, &interrupt);
    container::read(&reference, Some(archive), &options)
}

fn outcome(read: Result<Container>) -> Outcome {
    match read {
        Ok(container) => {
            small::check_names(&container.tree);
            Outcome::Checked
        }
        Err(_) => Outcome::Refused,
    }
}

/// Returns the text of a configuration of some layers.
fn config(layers: &[Vec<u8>]) -> String {
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("\"sha256:{}\"", digest(layer))).collect();
    let diff_ids = diff_ids.join(",");
    format!(
        "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[{diff_ids}]}}}}"
    )
}

/// Reads an image one of whose documents consists of arbitrary bytes, which the others refer to by
/// the right digests.
pub fn check_documents(bytes: &[u8]) -> Outcome {
    const VND: &str = "application/vnd.oci.image";
    let Some((which, text)) = bytes.split_first() else { return Outcome::Refused };
    let blob = |bytes: &[u8]| (format!("blobs/sha256/{}", digest(bytes)), bytes.to_vec());
    let describe = |kind: &str, bytes: &[u8]| {
        let (digest, len) = (digest(bytes), bytes.len());
        format!("{{\"mediaType\":\"{VND}.{kind}\",\"digest\":\"sha256:{digest}\",\"size\":{len}}}")
    };
    let layer = packed(&[("f".to_owned(), b"f")]);
    let config =
        if which % 4 == 0 { text.to_vec() } else { config(std::slice::from_ref(&layer)).into_bytes() };
    let manifest = format!(
        "{{\"schemaVersion\":2,\"config\":{},\"layers\":[{}]}}",
        describe("config.v1+json", &config),
        describe("layer.v1.tar", &layer)
    );
    let manifest = if which % 4 == 1 { text.to_vec() } else { manifest.into_bytes() };
    let index =
        format!("{{\"schemaVersion\":2,\"manifests\":[{}]}}", describe("manifest.v1+json", &manifest))
            .into_bytes();
    let index = if which % 4 == 2 { text.to_vec() } else { index };
    if which % 4 == 3 {
        let files = [("manifest.json".to_owned(), text), ("layer.tar".to_owned(), &layer)];
        return outcome(read("docker-archive:image.tar", &packed(&files)));
    }
    let blobs = [blob(&layer), blob(&config), blob(&manifest), ("index.json".to_owned(), index)];
    let files: Vec<(String, &[u8])> = blobs.iter().map(|(name, bytes)| (name.clone(), &bytes[..])).collect();
    outcome(read("oci-archive:image.tar", &packed(&files)))
}

/// Reads an image of layers of arbitrary members, once as they are and once compressed: both must
/// give the same tree, or be refused.
pub fn check_layers(bytes: &[u8]) -> Outcome {
    let Some((count, bytes)) = bytes.split_first() else { return Outcome::Refused };
    let count = usize::from(*count) % MAX_LAYERS + 1;
    let layers: Vec<Vec<u8>> = bytes.chunks(bytes.len() / count + 1).map(tar::archive).collect();
    let gzip = |layer: &Vec<u8>| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut encoder, layer).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    };
    let image = |stored: &[Vec<u8>]| {
        let config = config(&layers);
        let names: Vec<String> = (0..stored.len()).map(|number| format!("{number}.tar")).collect();
        let list = format!("[{{\"Config\":\"c\",\"Layers\":{names:?}}}]");
        let mut files =
            vec![("c".to_owned(), config.as_bytes()), ("manifest.json".to_owned(), list.as_bytes())];
        files.extend(names.into_iter().zip(stored.iter().map(|layer| &layer[..])));
        read("docker-archive:image.tar", &packed(&files))
    };
    let plain = image(&layers);
    let packed = image(&layers.iter().map(gzip).collect::<Vec<_>>());
    match (&plain, &packed) {
        (Ok(plain), Ok(packed)) => {
            assert_eq!(plain.tree.inode_count(), packed.tree.inode_count(), "compression changes the tree");
        }
        (Err(_), Err(_)) => {}
        // An archive with the limit of bytes leaves no room for the headers of the outer one.
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => assert!(error.to_string().contains("--max-"), "{error}"),
    }
    outcome(plain)
}
