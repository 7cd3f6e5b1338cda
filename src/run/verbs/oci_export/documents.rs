//! The JSON documents of an image: compact, with sorted keys.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::report::ExportedLayer;
use crate::run::output::hex;
use crate::source::container::Platform;

pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The annotation with the name of an image.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A layer that was written.
pub(super) struct WrittenLayer {
    pub(super) digest: String,
    pub(super) diff_id: String,
    pub(super) media_type: &'static str,
    pub(super) size: u64,
    /// The length before compression, in bytes.
    pub(super) archive_bytes: u64,
}

impl WrittenLayer {
    /// Returns the part of the report on it.
    pub(super) fn into_report(self) -> ExportedLayer {
        let Self { digest, diff_id, size, archive_bytes, .. } = self;
        ExportedLayer { digest: Some(digest), diff_id: Some(diff_id), size: Some(size), archive_bytes }
    }
}

/// A document with its media type and digest.
pub(super) struct Described {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) digest: String,
}

impl Described {
    /// Returns the document of a value.
    pub(super) fn of(media_type: &'static str, value: &Value) -> Result<Self> {
        let bytes = serde_json::to_vec(value).map_err(|error| Error::new(ErrorKind::Verification, error))?;
        let digest = format!("sha256:{}", hex(&Sha256::digest(&bytes)));
        Ok(Self { media_type, bytes, digest })
    }

    fn descriptor(&self) -> Value {
        json!({ "digest": self.digest, "mediaType": self.media_type, "size": self.bytes.len() })
    }
}

/// Returns the configuration of an image.
pub(super) fn config(
    platform: &Platform,
    settings: Option<Map<String, Value>>,
    created: Option<String>,
    layers: &[WrittenLayer],
) -> Value {
    let mut config = Map::new();
    config.insert("architecture".into(), platform.architecture().into());
    if let Some(settings) = settings {
        config.insert("config".into(), settings.into());
    }
    if let [_, _, ..] = layers {
        let mut entry = Map::from_iter([("created_by".to_owned(), "rootcast oci-export --split".into())]);
        entry.extend(created.iter().map(|created| ("created".to_owned(), created.as_str().into())));
        config.insert("history".into(), vec![Value::from(entry); layers.len()].into());
    }
    if let Some(created) = created {
        config.insert("created".into(), created.into());
    }
    config.insert("os".into(), platform.os().into());
    let diff_ids: Vec<&str> = layers.iter().map(|layer| &*layer.diff_id).collect();
    config.insert("rootfs".into(), json!({ "diff_ids": diff_ids, "type": "layers" }));
    if let Some(variant) = platform.variant() {
        config.insert("variant".into(), variant.into());
    }
    config.into()
}

/// Returns the manifest of an image.
pub(super) fn manifest(config: &Described, layers: &[WrittenLayer]) -> Value {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| json!({ "digest": layer.digest, "mediaType": layer.media_type, "size": layer.size }))
        .collect();
    json!({ "config": config.descriptor(), "layers": layers, "mediaType": MANIFEST, "schemaVersion": 2 })
}

/// Returns the entry of an image in the index of its layout.
pub(super) fn entry(manifest: &Described, platform: &Platform, tag: Option<&str>) -> Value {
    let mut entry = Map::new();
    if let Some(tag) = tag {
        entry.insert("annotations".into(), json!({ REF_NAME: tag }));
    }
    entry.insert("digest".into(), manifest.digest.clone().into());
    entry.insert("mediaType".into(), manifest.media_type.into());
    let mut stated = Map::new();
    stated.insert("architecture".into(), platform.architecture().into());
    stated.insert("os".into(), platform.os().into());
    if let Some(variant) = platform.variant() {
        stated.insert("variant".into(), variant.into());
    }
    entry.insert("platform".into(), stated.into());
    entry.insert("size".into(), manifest.bytes.len().into());
    entry.into()
}
