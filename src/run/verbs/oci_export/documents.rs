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

/// Returns a time in seconds since 1970 as RFC 3339 has it, in UTC.
pub(super) fn rfc3339(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years that begin in March, so that the day that leap years have is their last one; 400 of them
    // have 146,097 days, and 0000-03-01 is 719,468 days before 1970.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_date() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_600_000_000, "2020-09-13T12:26:40Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
