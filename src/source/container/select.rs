//! The choice of one image among those of an index.

use super::digest::Digest;
use super::document::{Descriptor, Document};
use super::layout::Layout;
use super::media_type::{self, Kind};
use super::platform::Platform;
use super::reference::Choice;
use crate::error::{Error, Result};

/// The deepest index within an index.
const MAX_DEPTH: usize = 8;

/// The most indexes that are read for one image.
const MAX_INDEXES: usize = 256;

/// The annotation with the name of an image in a layout.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation by which docker marks attestations of images.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// The manifest that was chosen.
pub(super) struct Selected {
    pub(super) digest: Digest,
    pub(super) document: Document,
    /// True if the platform decided.
    pub(super) by_platform: bool,
}

/// Chooses one of the images of a layout's index: the one that the reference names, and of several
/// for different platforms that for `platform`.
pub(super) fn select(
    layout: &Layout<'_>,
    index: Document,
    image: &Choice,
    platform: &Platform,
) -> Result<Selected> {
    let listed: Vec<Descriptor> = index.manifests.unwrap_or_default();
    let known: Vec<&Descriptor> = listed.iter().filter(|entry| is_image(entry)).collect();
    let chosen: Vec<&Descriptor> = match image {
        Choice::At(number) => known.get(*number).map(|entry| vec![*entry]).unwrap_or_default(),
        Choice::Named(name) => {
            known.iter().copied().filter(|entry| entry.annotation(REF_NAME) == Some(name)).collect()
        }
        Choice::Only => known.clone(),
    };
    let mut names: Vec<Option<&str>> = chosen.iter().map(|entry| entry.annotation(REF_NAME)).collect();
    names.sort_unstable();
    names.dedup();
    if chosen.is_empty() || names.len() > 1 {
        return Err(no_choice(layout, &listed, &known, image));
    }
    let mut leaves = Leaves { layout, found: Vec::new(), indexes: 0 };
    for entry in chosen {
        leaves.collect(entry, 0)?;
    }
    let (descriptor, by_platform) = of_platform(layout, &leaves.found, platform)?;
    let (digest, bytes) = layout.verified(descriptor, "the manifest")?;
    let (_, document) = layout.document(&bytes, descriptor.media_type.as_deref(), "the manifest")?;
    Ok(Selected { digest, document, by_platform })
}

/// Returns the error that lists the images to choose from.
fn no_choice(layout: &Layout<'_>, listed: &[Descriptor], known: &[&Descriptor], image: &Choice) -> Error {
    if known.is_empty() && !listed.is_empty() {
        let media_type = listed[0].media_type().escape_debug();
        return layout.error(format!("has no image, only data of other types, such as \"{media_type}\""));
    }
    let names: Vec<String> = (0..)
        .zip(known)
        .map(|(number, entry)| match entry.annotation(REF_NAME) {
            Some(name) => name.escape_debug().to_string(),
            None => format!("@{number}"),
        })
        .take(20)
        .collect();
    match (names.is_empty(), image) {
        (true, _) => layout.error("has no image"),
        (false, Choice::Only) => {
            layout.error(format!("has several images: add a colon and one of {}", names.join(", ")))
        }
        (false, _) => layout.error(format!("has no such image, only {}", names.join(", "))),
    }
}

/// Returns true for an index or the manifest of an image, false for an attestation and other data.
fn is_image(entry: &Descriptor) -> bool {
    let is_unknown = platform_of(entry).is_some_and(|platform| platform.is_unknown());
    let is_document = entry.media_type.is_none() || media_type::kind(entry.media_type()).is_some();
    is_document && !is_unknown && entry.annotation(REFERENCE_TYPE).is_none()
}

fn platform_of(entry: &Descriptor) -> Option<Platform> {
    let platform = entry.platform.as_ref()?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(Platform::new(&text(&platform.os), &text(&platform.architecture), platform.variant.as_deref()))
}

/// Collects the manifests beneath indexes.
struct Leaves<'l, 'r> {
    layout: &'l Layout<'r>,
    found: Vec<Descriptor>,
    indexes: usize,
}

impl Leaves<'_, '_> {
    fn collect(&mut self, entry: &Descriptor, depth: usize) -> Result<()> {
        if media_type::kind(entry.media_type()) != Some(Kind::Index) {
            self.found.push(entry.clone());
            return Ok(());
        }
        self.indexes += 1;
        if depth >= MAX_DEPTH || self.indexes > MAX_INDEXES {
            let what = format!(
                "has an index within more than {MAX_DEPTH} others, or more than {MAX_INDEXES} indexes"
            );
            return Err(self.layout.error(what));
        }
        let (_, bytes) = self.layout.verified(entry, "an index")?;
        let (_, document) = self.layout.document(&bytes, entry.media_type.as_deref(), "an index")?;
        for inner in document.manifests.unwrap_or_default().iter().filter(|entry| is_image(entry)) {
            self.collect(inner, depth + 1)?;
        }
        Ok(())
    }
}

/// Returns the manifest for a platform, and true if there were others. An only one is taken whatever
/// it is for; one without a platform if no other fits.
fn of_platform<'d>(
    layout: &Layout<'_>,
    found: &'d [Descriptor],
    platform: &Platform,
) -> Result<(&'d Descriptor, bool)> {
    if let [only] = found {
        return Ok((only, false));
    }
    let mut best: Option<(u32, &Descriptor)> = None;
    for entry in found {
        let suitability = platform_of(entry).and_then(|own| platform.suitability(&own));
        // Of equal ones the first is taken.
        if let Some(suitability) = suitability
            && best.is_none_or(|(other, _)| suitability > other)
        {
            best = Some((suitability, entry));
        }
    }
    let fallback = || found.iter().find(|entry| entry.platform.is_none());
    match best.map(|(_, entry)| entry).or_else(fallback) {
        Some(entry) => Ok((entry, true)),
        None => {
            let offered: Vec<String> =
                found.iter().filter_map(platform_of).map(|platform| platform.to_string()).take(30).collect();
            let what = match offered.is_empty() {
                true => "has an index without images".to_owned(),
                false => {
                    format!("has no image for {platform}; --platform takes one of {}", offered.join(", "))
                }
            };
            Err(layout.error(what.escape_debug().to_string().replace("\\'", "'")))
        }
    }
}
