//! An image: its configuration, and its layers where they are stored.

use super::digest::{Algorithm, Digest};
use super::document::{Config, Descriptor, Document, MAX_LEN, SavedImage};
use super::layout::Layout;
use super::media_type;
use super::platform::Platform;
use super::reference::Choice;
use crate::blob::ArchiveRange;
use crate::error::Result;
use crate::source::tar::Compression;

/// The longest list of the images of `docker save`, in bytes: 1 MiB.
const MAX_LIST: u64 = 1 << 20;

/// The annotation of a layer with a table of contents as a member, which is not a file of the image.
const STARGZ_TOC: &str = "containerd.io/snapshot/stargz/toc.digest";

/// An image.
pub(super) struct Image {
    /// The digest of its manifest; none in what `docker save` writes.
    pub(super) manifest: Option<Digest>,
    pub(super) config: Config,
    pub(super) config_digest: Digest,
    /// From the lowest to the highest.
    pub(super) layers: Vec<Layer>,
}

/// A layer as it is stored.
pub(super) struct Layer {
    pub(super) blob: ArchiveRange,
    /// The digest that it has to have as it is stored; none in what `docker save` writes.
    pub(super) digest: Option<Digest>,
    /// The digest that it has to have before compression.
    pub(super) diff_id: Digest,
    /// The compression that its media type states; none where nothing states it.
    pub(super) stated: Option<Option<Compression>>,
    /// True if the member `stargz.index.json` is a table of contents.
    pub(super) has_toc: bool,
    /// Its name in messages.
    pub(super) name: String,
}

impl Image {
    /// The platform that the configuration states.
    pub(super) fn platform(&self) -> Platform {
        let Config { architecture, os, variant, .. } = &self.config;
        let [architecture, os] = [architecture, os].map(|text| text.as_deref().unwrap_or("unknown"));
        Platform::new(os, architecture, variant.as_deref())
    }
}

/// Returns the image of a manifest.
pub(super) fn of_manifest(layout: &Layout<'_>, digest: Digest, document: Document) -> Result<Image> {
    // Documents without a configuration are refused before.
    let Some(config) = document.config else {
        return Err(layout.error("has a manifest without a configuration"));
    };
    if !media_type::is_config(config.media_type()) {
        let media_type = config.media_type().escape_debug();
        return Err(
            layout.error(format!("is not an image of a container, but an artifact with \"{media_type}\""))
        );
    }
    let (config_digest, bytes) = layout.verified(&config, "the configuration")?;
    let config: Config = layout.parse(&bytes, "the configuration")?;
    let descriptors = document.layers.unwrap_or_default();
    let diff_ids = diff_ids(layout, &config, descriptors.len())?;
    let count = descriptors.len();
    let layers = descriptors.iter().zip(diff_ids).zip(1..);
    let layers =
        layers.map(|((descriptor, diff_id), number)| layer(layout, descriptor, diff_id, (number, count)));
    let layers = layers.collect::<Result<_>>()?;
    Ok(Image { manifest: Some(digest), config, config_digest, layers })
}

fn layer(
    layout: &Layout<'_>,
    descriptor: &Descriptor,
    diff_id: Digest,
    (number, count): (usize, usize),
) -> Result<Layer> {
    let what = format!("layer {number} of {count}");
    let digest = layout.digest(descriptor, &what)?;
    let name = format!("{what} ({digest})");
    let media_type = descriptor.media_type();
    let stated = media_type::layer(media_type);
    let stated =
        stated.map_err(|why| layout.error(format!("{name}: \"{}\" {why}", media_type.escape_debug())))?;
    let blob = layout.blob(descriptor, &what)?.ok_or_else(|| {
        let why = match media_type::is_foreign(media_type) {
            true => "is not distributable, and therefore not part of the image",
            false => "is missing",
        };
        layout.error(format!("{name} {why}"))
    })?;
    let has_toc = descriptor.annotation(STARGZ_TOC).is_some();
    Ok(Layer { blob, digest: Some(digest), diff_id, stated: Some(stated), has_toc, name })
}

/// Returns the digests of the layers before compression, one for each.
fn diff_ids(layout: &Layout<'_>, config: &Config, count: usize) -> Result<Vec<Digest>> {
    let rootfs = config.rootfs.as_ref();
    let kind = rootfs.and_then(|rootfs| rootfs.kind.as_deref()).unwrap_or("layers");
    if kind != "layers" {
        let kind = kind.escape_debug();
        return Err(
            layout.error(format!("the configuration has a rootfs of the type \"{kind}\", and not layers"))
        );
    }
    let texts = rootfs.and_then(|rootfs| rootfs.diff_ids.as_deref()).unwrap_or_default();
    if texts.len() != count {
        let stated = texts.len();
        return Err(layout.error(format!("has {count} layers, and its configuration diff_ids for {stated}")));
    }
    let parse = |text: &String| {
        let wrong = |why| layout.error(format!("the configuration: \"{}\" {why}", text.escape_debug()));
        Digest::parse(text).map_err(wrong)
    };
    texts.iter().map(parse).collect()
}

/// Returns one of the images of `docker save`, whose list names files of the archive.
pub(super) fn of_saved(layout: &Layout<'_>, image: &Choice) -> Result<Image> {
    const LIST: &str = "manifest.json";
    let images: Vec<SavedImage> = layout.parse(&layout.bytes(LIST, MAX_LIST)?, LIST)?;
    let saved = chosen(layout, &images, image)?;
    let bytes = layout.bytes(&saved.config, MAX_LEN)?;
    let config_digest = Digest::sha256(&bytes);
    // Its name is its digest, but for programs that name it otherwise.
    let name = saved.config.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
    if let Some(stated) = Digest::of_hex(Algorithm::Sha256, name).filter(|stated| *stated != config_digest) {
        return Err(layout
            .error(format!("the configuration has the digest {config_digest}, and its name says {stated}")));
    }
    let config: Config = layout.parse(&bytes, "the configuration")?;
    let paths = saved.layers.as_deref().unwrap_or_default();
    let count = paths.len();
    let diff_ids = diff_ids(layout, &config, count)?;
    let mut layers = Vec::new();
    for ((path, diff_id), number) in paths.iter().zip(diff_ids).zip(1..) {
        let name = format!("layer {number} of {count} ({})", path.escape_debug());
        let blob = layout.store.file(path)?.ok_or_else(|| layout.error(format!("{name} is missing")))?;
        // In a layout its name is its digest, also of a compressed one.
        let digest =
            path.strip_prefix("blobs/sha256/").and_then(|hex| Digest::of_hex(Algorithm::Sha256, hex));
        layers.push(Layer { blob, digest, diff_id, stated: None, has_toc: false, name });
    }
    Ok(Image { manifest: None, config, config_digest, layers })
}

fn chosen<'i>(layout: &Layout<'_>, images: &'i [SavedImage], image: &Choice) -> Result<&'i SavedImage> {
    let tags = |image: &'i SavedImage| image.repo_tags.iter().flatten();
    let found: Vec<&SavedImage> = match image {
        Choice::Only => images.iter().collect(),
        Choice::At(number) => images.get(*number).into_iter().collect(),
        Choice::Named(name) => {
            let wanted = full_name(name);
            images.iter().filter(|image| tags(image).any(|tag| full_name(tag) == wanted)).collect()
        }
    };
    if let [one] = found[..] {
        return Ok(one);
    }
    let names: Vec<String> =
        images.iter().flat_map(tags).map(|tag| tag.escape_debug().to_string()).take(20).collect();
    Err(layout.error(match (images.len(), image) {
        (0, _) => "has no image".to_owned(),
        (count, Choice::Only) => {
            format!(
                "has {count} images: add a colon and @0 to @{}, or one of {}",
                count - 1,
                names.join(", ")
            )
        }
        (count, _) => format!("has no such image, only @0 to @{} and {}", count - 1, names.join(", ")),
    }))
}

/// Returns a name with a host, a repository and a tag, as programs abbreviate them differently.
fn full_name(name: &str) -> String {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') { name.to_owned() } else { format!("{name}:latest") }
}
