//! The JSON documents of an image: indexes, manifests, configurations, and the list of `docker save`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The longest manifest, index or configuration, in bytes: 4 MiB, as registries accept.
pub(super) const MAX_LEN: u64 = 4 << 20;

/// A reference to a blob.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: Option<String>,
    pub(super) digest: String,
    pub(super) size: u64,
    pub(super) platform: Option<PlatformDocument>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    /// Returns the value of an annotation.
    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// The media type, or an empty text.
    pub(super) fn media_type(&self) -> &str {
        self.media_type.as_deref().unwrap_or_default()
    }
}

/// The platform of an entry of an index.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PlatformDocument {
    pub(super) os: Option<String>,
    pub(super) architecture: Option<String>,
    pub(super) variant: Option<String>,
}

/// An index or a manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) schema_version: Option<u64>,
    pub(super) media_type: Option<String>,
    /// The entries of an index.
    pub(super) manifests: Option<Vec<Descriptor>>,
    /// The configuration of a manifest.
    pub(super) config: Option<Descriptor>,
    /// The layers of a manifest, the lowest first.
    pub(super) layers: Option<Vec<Descriptor>>,
}

/// The configuration of an image.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    pub(super) architecture: Option<String>,
    pub(super) os: Option<String>,
    pub(super) variant: Option<String>,
    pub(super) rootfs: Option<RootFs>,
    /// The settings of containers: `Entrypoint`, `Env` and so on.
    pub(super) config: Option<Value>,
}

/// The digests of the layers before compression.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RootFs {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) diff_ids: Option<Vec<String>>,
}

/// An image in the list of `docker save`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SavedImage {
    pub(super) config: String,
    pub(super) repo_tags: Option<Vec<String>>,
    pub(super) layers: Option<Vec<String>>,
}

/// Parses a document, in which no object may have a key twice: readers differ in which one counts.
///
/// # Errors
/// The end of a sentence that begins with the name of the document.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut unique = serde_json::Deserializer::from_slice(bytes);
    UniqueKeys
        .deserialize(&mut unique)
        .and_then(|()| unique.end())
        .and_then(|()| serde_json::from_slice(bytes))
        .map_err(|error| format!("is not valid: {error}"))
}

/// Visits a whole value, and fails at an object that has a key twice.
#[derive(Clone, Copy)]
struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            entries.next_value_seed(self)?;
            if let Some(twice) = keys.replace(key) {
                return Err(A::Error::custom(format_args!(
                    "the key \"{}\" is there twice",
                    twice.escape_debug()
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_parsed_strictly() {
        let good = br#"{"schemaVersion":2,"layers":null,"manifests":[{"mediaType":"m","digest":"d","size":3,"x":{"y":[1.5,-2,true,null]}}]}"#;
        let document: Document = parse(good).expect("a document");
        assert_eq!(document.manifests.map(|list| list[0].size), Some(3));
        for (bad, words) in [
            (&br#"{"schemaVersion":2,"schemaVersion":2}"#[..], "twice"),
            (br#"{"annotations":{"a":{"b":1,"b":2}}}"#, "\"b\" is there twice"),
            (br#"{"manifests":[{"digest":"d","size":-1}]}"#, "invalid value"),
            (br#"{"manifests":[{"digest":"d","size":1.5}]}"#, "invalid type"),
            (b"[]x", "trailing"),
            (b"", "EOF"),
            (b"{", "EOF"),
        ] {
            let error = parse::<Document>(bad).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
        assert!(parse::<Document>("[".repeat(100_000).as_bytes()).is_err());
    }
}
