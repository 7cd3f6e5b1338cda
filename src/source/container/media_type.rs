//! Media types of manifests, indexes, configurations and layers, of OCI and of docker.

use crate::source::tar::Compression;

const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

const MANIFESTS: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The types of layers, without suffixes.
const LAYERS: [&str; 4] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
];

/// A document that describes images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Index,
    Manifest,
}

/// Returns the kind of a document by its media type; none for other data.
pub(super) fn kind(media_type: &str) -> Option<Kind> {
    if INDEXES.contains(&media_type) {
        Some(Kind::Index)
    } else if MANIFESTS.contains(&media_type) {
        Some(Kind::Manifest)
    } else {
        None
    }
}

/// Returns true for the configuration of an image, false for that of another artifact.
pub(super) fn is_config(media_type: &str) -> bool {
    CONFIGS.contains(&media_type)
}

/// Returns true for a layer that registries do not have to store.
pub(super) fn is_foreign(media_type: &str) -> bool {
    media_type.contains("nondistributable") || media_type.contains("foreign")
}

/// Returns the compression that the media type of a layer states.
///
/// # Errors
/// The end of a sentence that begins with the type.
pub(super) fn layer(media_type: &str) -> Result<Option<Compression>, &'static str> {
    if media_type.ends_with("+encrypted") {
        return Err("is encrypted: decrypt the image with `skopeo copy --decryption-key KEY`");
    }
    if media_type.contains("erofs") {
        return Err("is a filesystem and not a tar archive, which is not read");
    }
    for (suffixes, compression) in
        [(&["+gzip", ".gzip"][..], Some(Compression::Gzip)), (&["+zstd", ".zstd"], Some(Compression::Zstd))]
    {
        let plain = suffixes.iter().find_map(|suffix| media_type.strip_suffix(suffix));
        if plain.is_some_and(|plain| LAYERS.contains(&plain)) {
            return Ok(compression);
        }
    }
    if LAYERS.contains(&media_type) { Ok(None) } else { Err("is not the media type of a layer") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_state_their_compression() {
        for (media_type, expected) in [
            ("application/vnd.oci.image.layer.v1.tar", None),
            ("application/vnd.oci.image.layer.v1.tar+gzip", Some(Compression::Gzip)),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", Some(Compression::Zstd)),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", Some(Compression::Gzip)),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Some(Compression::Gzip)),
        ] {
            assert_eq!(layer(media_type), Ok(expected), "{media_type}");
        }
        for media_type in [
            "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
            "application/vnd.in-toto+json",
            "application/vnd.erofs.layer.v1",
            "application/vnd.oci.image.layer.v1.tar+xz",
            "",
        ] {
            assert!(layer(media_type).is_err(), "{media_type}");
        }
    }
}
