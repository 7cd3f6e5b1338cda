//! Layouts of images and their layers, valid or invalid.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::sources::tar::builder::{Archive, put};

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The time of members that state no other.
const TIME: i64 = 1_600_000_000;

/// A member of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) flag: u8,
    pub(crate) path: Vec<u8>,
    pub(crate) mode: u16,
    pub(crate) owner: (u32, u32),
    pub(crate) mtime: i64,
    pub(crate) data: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) device: (u32, u32),
    pub(crate) records: Vec<(String, Vec<u8>)>,
}

impl Member {
    pub(crate) fn new(flag: u8, path: &[u8]) -> Self {
        let mode = match flag {
            b'5' => 0o755,
            b'2' => 0o777,
            _ => 0o644,
        };
        Self {
            flag,
            path: path.to_vec(),
            mode,
            owner: (0, 0),
            mtime: TIME,
            data: Vec::new(),
            link: Vec::new(),
            device: (0, 0),
            records: Vec::new(),
        }
    }

    pub(crate) fn file(path: &str, data: &str) -> Self {
        Self { data: data.into(), ..Self::new(b'0', path.as_bytes()) }
    }

    pub(crate) fn directory(path: &str) -> Self {
        Self::new(b'5', path.as_bytes())
    }

    fn append(&self, archive: Archive) -> Archive {
        const MAX: u32 = 0o7_777_777;
        if self.flag == b'g' {
            let records: Vec<(&str, &[u8])> =
                self.records.iter().map(|(key, value)| (&**key, &**value)).collect();
            return archive.pax(b'g', &records);
        }
        let mut records = self.records.clone();
        let long = |name: &[u8]| name.len() > 100;
        let numbers = [("uid", self.owner.0), ("gid", self.owner.1)];
        records.extend(
            numbers
                .iter()
                .filter(|(_, id)| *id > MAX)
                .map(|(key, id)| ((*key).to_owned(), id.to_string().into())),
        );
        if long(&self.path) {
            records.push(("path".to_owned(), self.path.clone()));
        }
        let records: Vec<(&str, &[u8])> = records.iter().map(|(key, value)| (&**key, &**value)).collect();
        let archive = if records.is_empty() { archive } else { archive.pax(b'x', &records) };
        let path = &self.path[..self.path.len().min(100)];
        archive.raw(path, self.flag, self.data.len() as u64, &self.data, |header| {
            let fits = |id: u32| if id > MAX { 0 } else { id };
            put(header, 100, &format!("{:07o}", self.mode));
            put(header, 108, &format!("{:07o}", fits(self.owner.0)));
            put(header, 116, &format!("{:07o}", fits(self.owner.1)));
            put(header, 136, &format!("{:011o}", self.mtime));
            put(header, 329, &format!("{:07o}", self.device.0));
            put(header, 337, &format!("{:07o}", self.device.1));
            header[157..157 + self.link.len()].copy_from_slice(&self.link);
        })
    }
}

/// Returns the layer with these members.
pub(crate) fn tar(members: &[Member]) -> Vec<u8> {
    members.iter().fold(Archive::new(), |archive, member| member.append(archive)).finish()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A layer: its bytes before compression and as they are stored, and its media type.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) plain: Vec<u8>,
    pub(crate) stored: Vec<u8>,
    pub(crate) media_type: String,
}

impl Layer {
    /// Returns a layer compressed by gzip.
    pub(crate) fn gzip(plain: Vec<u8>) -> Self {
        Self { stored: gzip(&plain), plain, media_type: GZIP.to_owned() }
    }

    /// Returns a layer that is not compressed.
    pub(crate) fn plain(plain: Vec<u8>) -> Self {
        Self { stored: plain.clone(), plain, media_type: GZIP.trim_end_matches("+gzip").to_owned() }
    }
}

/// An OCI image layout in a directory.
pub(crate) struct Layout(pub(crate) PathBuf);

impl Layout {
    pub(crate) fn new(directory: PathBuf) -> Self {
        fs::create_dir_all(directory.join("blobs/sha256")).expect("a new directory");
        fs::write(directory.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").expect("a new file");
        Self(directory)
    }

    /// The path of a blob.
    pub(crate) fn path(&self, digest: &str) -> PathBuf {
        self.0.join("blobs").join(digest.replace(':', "/"))
    }

    /// Adds a blob, and returns its descriptor.
    pub(crate) fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        fs::write(self.path(&digest), bytes).expect("the directory is there");
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    pub(crate) fn json(&self, media_type: &str, value: &Value) -> Value {
        self.blob(media_type, value.to_string().as_bytes())
    }

    /// Adds layers, and returns the manifest of an image of them, which is not stored yet.
    pub(crate) fn manifest(&self, layers: &[Layer], architecture: &str) -> Value {
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(&layer.plain)).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Cmd": ["/init"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let layers: Vec<Value> =
            layers.iter().map(|layer| self.blob(&layer.media_type, &layer.stored)).collect();
        let config = self.json(CONFIG, &config);
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers })
    }

    /// Writes the index of the layout.
    pub(crate) fn index(&self, manifests: &[Value]) {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        fs::write(self.0.join("index.json"), index.to_string()).expect("the directory is there");
    }

    /// Makes the layout of one image, and returns the descriptor of its manifest.
    pub(crate) fn image(&self, layers: &[Layer]) -> Value {
        let mut manifest = self.json(MANIFEST, &self.manifest(layers, "amd64"));
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "latest" });
        self.index(std::slice::from_ref(&manifest));
        manifest
    }
}

/// Returns the layers of an image with every kind of file, links, a whiteout, and long files.
pub(crate) fn usual() -> Vec<Vec<u8>> {
    let noise = |len: usize| -> String {
        (0..len).map(|at| char::from(b"abcdefghijklmnopqrstuvwxyz"[at * at / 7 % 26])).collect()
    };
    let lower = vec![
        Member::directory("bin"),
        Member { mode: 0o4755, ..Member::file("bin/sh", &noise(70_000)) },
        Member { link: b"bin/sh".to_vec(), ..Member::new(b'1', b"bin/ash") },
        Member { link: b"sh".to_vec(), ..Member::new(b'2', b"bin/link") },
        Member { owner: (1000, 1000), ..Member::file("owned", "1000") },
        Member { device: (1, 3), ..Member::new(b'3', b"null") },
        Member::new(b'6', b"pipe"),
        Member::directory("d"),
        Member::file("d/old", "old"),
        Member::file("gone", "gone"),
    ];
    let mut capable = Member::file("d/capable", &noise(40_001));
    let capability = b"\x01\x00\x00\x02\x00\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    capable.records.push(("SCHILY.xattr.security.capability".to_owned(), capability));
    let upper = vec![
        Member::file(".wh.gone", ""),
        Member::directory("d"),
        Member::file("d/.wh..wh..opq", ""),
        capable,
        Member { link: b"bin/sh".to_vec(), ..Member::new(b'1', b"d/sh") },
    ];
    vec![tar(&lower), tar(&upper), tar(&[Member::file("top", "top")])]
}

/// Returns the name of the image of a layout in the directory `path`.
pub(crate) fn oci(path: &Path) -> String {
    format!("oci:{}", path.display())
}
