//! Images of containers: reads their layers into the tree that they make up.
//!
//! ```text
//! oci:DIR, oci-archive:FILE ── index.json ─▶ index … ─▶ manifest ─┬─▶ configuration
//! dir:DIR ──────────────────── manifest.json ─────────────────────┤
//! docker-archive:FILE ──────── manifest.json (a list) ────────────┴─▶ layers ─▶ members ─▶ tree
//! ```
//!
//! The forms are those of OCI's image specification, of docker's schema 2, and of the programs that
//! store images: skopeo, podman, umoci, and docker of every age. All blobs are verified by length
//! and digest, and all layers by their diffIDs as well, before a tree is returned. Layers that are
//! not compressed are read where they are; others are decompressed once into unnamed files.
//!
//! Layers are added by the rules of [`stack`](crate::stack) for layers: the whiteouts of each before
//! its files, wherever they are in it, against the layers below it alone.

mod digest;
mod document;
mod image;
mod layers;
mod layout;
mod media_type;
mod message;
mod options;
mod platform;
mod reference;
mod select;
mod store;

use std::path::Path;

use image_tree::{InodeId, Tree};
use serde_json::Value;

use self::digest::Digest as BlobDigest;
use self::image::Image;
use self::layers::ReadLayer;
use self::layout::Layout;
use self::media_type::Kind;
use self::reference::Transport;
use self::select::Selected;
use self::store::Store;
use crate::blob::Blob;
use crate::error::Result;
use crate::source::tar::{self, Unchanged};
use crate::stack::{Report, Rules, Stack, Whiteouts};

pub use digest::Digest;
pub use message::Message;
pub use options::Options;
pub use platform::{Platform, PlatformError};
pub use reference::Reference;

/// The tree of an image, and the facts about the image.
#[derive(Debug)]
pub struct Container {
    /// The tree.
    pub tree: Tree<Blob>,
    /// The facts.
    pub facts: Facts,
    /// The messages for the log, in order.
    pub messages: Vec<Message>,
}

/// The facts about an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The platform that its configuration states.
    pub platform: Platform,
    /// The digest of its manifest; none in what `docker save` writes.
    pub manifest: Option<Digest>,
    /// The digest of its configuration.
    pub config_digest: Digest,
    /// The number of its layers.
    pub layers: u64,
    /// The settings of its containers: `Entrypoint`, `Env` and so on; null without any.
    pub config: Value,
}

/// Reads the image of a reference. `archive` is the archive that it names; none for a directory.
///
/// # Errors
/// [`BadInput`](crate::error::ErrorKind::BadInput) with the source, the layer and the path for data
/// that is missing, invalid, not verified or beyond a limit; [`Io`](crate::error::ErrorKind::Io) if
/// something cannot be read or stored.
pub fn read(
    reference: &Reference,
    archive: Option<tar::Reader<'_>>,
    options: &Options<'_>,
) -> Result<Container> {
    let store = match archive {
        Some(archive) => Store::archive(archive.read_members()?.into_entries()),
        None => Store::directory(reference.path())?,
    };
    let layout = Layout { store, transport: reference.transport, name: reference.name() };
    let own = Platform::of_this_machine();
    let platform = options.platform.unwrap_or(&own);
    let mut messages = Vec::new();
    let image = find(&layout, reference, platform, &mut messages)?;
    check_platform(&layout, &image, options.platform)?;
    let found = image.platform();
    if let Some(Message::Detail(text)) = messages.first_mut().filter(|_| options.platform.is_none()) {
        *text += "; that of this machine was chosen, and --platform chooses another";
    }
    let read = layers::read(layout.name, &image.layers, options)?;
    let count = read.len() as u64;
    let tree = merge(layout.name, read, options, &mut messages)?;
    let facts = Facts {
        platform: found,
        manifest: image.manifest,
        config_digest: image.config_digest,
        layers: count,
        config: image.config.config.unwrap_or(Value::Null),
    };
    Ok(Container { tree, facts, messages })
}

/// Finds the image that a reference names, for a platform.
fn find(
    layout: &Layout<'_>,
    reference: &Reference,
    platform: &Platform,
    messages: &mut Vec<Message>,
) -> Result<Image> {
    let (path, what) = match layout.transport {
        Transport::DockerArchive => return image::of_saved(layout, &reference.image),
        Transport::Oci | Transport::OciArchive => ("index.json", "index.json"),
        Transport::Dir => ("manifest.json", "manifest.json"),
    };
    let bytes = layout.bytes(path, document::MAX_LEN)?;
    let (kind, document) = layout.document(&bytes, None, what)?;
    if kind == Kind::Manifest {
        return image::of_manifest(layout, BlobDigest::sha256(&bytes), document);
    }
    let Selected { digest, document, by_platform } =
        select::select(layout, document, &reference.image, platform)?;
    if by_platform {
        let name = crate::shown::path(layout.name);
        messages.push(Message::Detail(format!("{name}: the image for {platform} is {digest}")));
    }
    image::of_manifest(layout, digest, document)
}

/// Fails if an image is for another platform than was requested, or not for Linux.
fn check_platform(layout: &Layout<'_>, image: &Image, requested: Option<&Platform>) -> Result<()> {
    let found = image.platform();
    match requested {
        Some(requested) if !requested.permits(&found) => {
            Err(layout.error(format!("is an image for {found}, and not for {requested}")))
        }
        _ if image.config.os.as_deref().is_some_and(|os| os != "linux") => {
            Err(layout.error(format!("is an image for {found}, and only those for linux make a tree")))
        }
        _ => Ok(()),
    }
}

/// Adds the layers over one another.
fn merge(
    source: &Path,
    layers: Vec<ReadLayer>,
    options: &Options<'_>,
    messages: &mut Vec<Message>,
) -> Result<Tree<Blob>> {
    let Options { keep_directory_symlink, interrupt, .. } = *options;
    let rules = Rules { whiteouts: Whiteouts::Apply, keep_directory_symlink, is_layer: true };
    let mut stack = Stack::new(rules);
    for ReadLayer { members, name, messages: own } in layers {
        interrupt.check()?;
        let report = members.add_to(&mut stack, &mut Unchanged)?.report;
        let name = crate::shown::path(&name).to_string();
        messages.extend(own.into_iter().map(|message| match message {
            Message::Warning(text) => Message::Warning(format!("{name}: {text}")),
            Message::Detail(text) => Message::Detail(format!("{name}: {text}")),
        }));
        describe(&name, &report, messages);
    }
    let tree = stack.finish();
    let mode = tree.get(InodeId::ROOT).metadata.mode;
    if mode & 0o555 != 0o555 {
        messages.push(Message::Warning(format!(
            "{}: the image sets the mode {mode:o} for its root directory, which most programs that run containers ignore",
            crate::shown::path(source)
        )));
    }
    Ok(tree)
}

/// Adds the messages about the effect of a layer on those below it.
fn describe(name: &str, report: &Report, messages: &mut Vec<Message>) {
    for one in report.replaced.iter().filter(|one| one.is_link_by_directory()) {
        let what = "which hides what the link led to; --keep-directory-symlink keeps the link";
        messages.push(Message::Warning(format!("{name}: {one}, {what}")));
    }
    for link in &report.followed {
        messages.push(Message::Warning(format!(
            "{name}: files were added beneath the target of the link {}; container runtimes that mount layers would hide \
             the link",
            link.escape_ascii()
        )));
    }
}
