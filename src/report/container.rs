//! The part of a report about an image of containers.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::shown::JsonName;
use crate::source::container::Facts;

/// An image of containers that is a source of the tree.
#[derive(Clone, Debug, Serialize)]
pub struct ContainerReport {
    /// The source, as given.
    pub source: JsonName,
    /// The platform that its configuration states, as `linux/amd64`.
    pub platform: String,
    /// The digest of its manifest; `None` in what `docker save` writes.
    pub manifest: Option<String>,
    /// The digest of its configuration.
    pub config_digest: String,
    /// The number of its layers.
    pub layers: u64,
    /// The settings of its containers: `Entrypoint`, `Env` and so on.
    pub config: Value,
}

impl ContainerReport {
    /// Returns the report on the image of a source.
    #[must_use]
    pub fn new(source: &Path, facts: &Facts) -> Self {
        Self {
            source: source.into(),
            platform: facts.platform.to_string(),
            manifest: facts.manifest.as_ref().map(ToString::to_string),
            config_digest: facts.config_digest.to_string(),
            layers: facts.layers,
            config: facts.config.clone(),
        }
    }

    /// Returns the report on an image with these settings.
    #[cfg(test)]
    pub(crate) fn for_test(config: Value) -> Self {
        let (platform, config_digest) = ("linux/amd64".to_owned(), "sha256:0".to_owned());
        Self { source: Path::new("oci:x").into(), platform, manifest: None, config_digest, layers: 1, config }
    }
}
