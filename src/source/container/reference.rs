//! Names of images in files, as skopeo(1) spells them: a transport, a path and a reference.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::shown;

/// An image of containers in files: a transport, a path and the name of one among several images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The whole name, for messages.
    name: PathBuf,
    /// The form in which the image is stored.
    pub(super) transport: Transport,
    /// The directory or the archive.
    path: PathBuf,
    /// The image among several.
    pub(super) image: Choice,
}

/// The form in which an image is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// An OCI image layout in a directory.
    Oci,
    /// An OCI image layout in a tar archive.
    OciArchive,
    /// An archive of `docker save`.
    DockerArchive,
    /// A manifest and blobs in one directory, as skopeo writes them.
    Dir,
}

/// An image among those that a layout or an archive holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The only one.
    Only,
    /// The one of this name.
    Named(String),
    /// The one at this position, from 0.
    At(usize),
}

impl Transport {
    const ALL: [(&'static str, Self); 4] = [
        ("oci", Self::Oci),
        ("oci-archive", Self::OciArchive),
        ("docker-archive", Self::DockerArchive),
        ("dir", Self::Dir),
    ];
}

impl Reference {
    /// Returns an image of an OCI image layout in a directory. Without a name it is the only one.
    pub fn oci(directory: impl Into<PathBuf>, image: Option<&str>) -> Self {
        Self::new(Transport::Oci, directory.into(), image)
    }

    /// Returns an image of an OCI image layout in a tar archive. Without a name it is the only one.
    pub fn oci_archive(file: impl Into<PathBuf>, image: Option<&str>) -> Self {
        Self::new(Transport::OciArchive, file.into(), image)
    }

    /// Returns an image of what `docker save` writes. Without a name, `NAME:TAG`, it is the only one.
    pub fn docker_archive(file: impl Into<PathBuf>, image: Option<&str>) -> Self {
        Self::new(Transport::DockerArchive, file.into(), image)
    }

    /// Returns the image whose manifest and blobs are in one directory, as skopeo(1) writes them.
    pub fn dir(directory: impl Into<PathBuf>) -> Self {
        Self::new(Transport::Dir, directory.into(), None)
    }

    fn new(transport: Transport, path: PathBuf, image: Option<&str>) -> Self {
        let prefix =
            Transport::ALL.iter().find(|(_, other)| *other == transport).map_or("", |(name, _)| name);
        let mut name = OsString::from(prefix);
        name.push(":");
        name.push(&path);
        if let Some(image) = image {
            name.push(":");
            name.push(image);
        }
        let image = image.map_or(Choice::Only, |image| Choice::Named(image.to_owned()));
        Self { name: name.into(), transport, path, image }
    }

    /// Parses the name of a source; none if it is not that of an image.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a transport that is not supported, with the way to get an image from
    /// it, and for a name without a path.
    pub fn parse(name: &OsStr) -> Result<Option<Self>> {
        let Some((prefix, rest)) = split_at_colon(name.as_bytes()) else { return Ok(None) };
        if let Some(advice) = advice(prefix, &String::from_utf8_lossy(rest)) {
            return Err(Error::at(ErrorKind::Usage, Path::new(name), advice));
        }
        let Some((transport, path, image)) = parts(name) else { return Ok(None) };
        let usage = |what: String| Err(Error::at(ErrorKind::Usage, Path::new(name), what));
        if path.is_empty() {
            return usage(
                "has no path after the colon; a file or directory of that name is ./NAME".to_owned(),
            );
        }
        let image = match image.map(str::from_utf8) {
            None => Choice::Only,
            Some(Ok("")) => return usage("has no reference after the last colon".to_owned()),
            Some(Ok(text)) => match text.strip_prefix('@') {
                None => Choice::Named(text.to_owned()),
                Some(number) => match number.parse() {
                    Ok(number) => Choice::At(number),
                    Err(_) => {
                        return usage(format!(
                            "\"@{}\" is not @ and a number",
                            shown::name(OsStr::new(number))
                        ));
                    }
                },
            },
            Some(Err(_)) => return usage("has a reference that is not UTF-8".to_owned()),
        };
        let path = PathBuf::from(OsString::from_vec(path.to_vec()));
        Ok(Some(Self { name: PathBuf::from(name), transport, path, image }))
    }

    /// Returns the directory or the archive on the host that the name of a source is about; none if
    /// it is not that of an image.
    #[must_use]
    pub fn path_of(name: &OsStr) -> Option<&Path> {
        parts(name).map(|(_, path, _)| Path::new(OsStr::from_bytes(path)))
    }

    /// The whole name, for messages.
    #[must_use]
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// The directory or the archive on the host.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true for an OCI image layout, in a directory or in an archive.
    #[must_use]
    pub fn is_layout(&self) -> bool {
        matches!(self.transport, Transport::Oci | Transport::OciArchive)
    }

    /// The name of the image; none if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a number in place of a name.
    pub fn tag(&self) -> Result<Option<&str>> {
        match &self.image {
            Choice::Only => Ok(None),
            Choice::Named(name) => Ok(Some(name)),
            Choice::At(_) => {
                Err(Error::at(ErrorKind::Usage, &self.name, "a new image has a name, and not a number"))
            }
        }
    }

    /// Returns true if the path is that of a tar archive, false for a directory.
    #[must_use]
    pub fn is_archive(&self) -> bool {
        matches!(self.transport, Transport::OciArchive | Transport::DockerArchive)
    }
}

/// The transport, the path and the reference of a name.
type Parts<'n> = (Transport, &'n [u8], Option<&'n [u8]>);

/// Returns the parts of the name of an image.
fn parts(name: &OsStr) -> Option<Parts<'_>> {
    let (prefix, rest) = split_at_colon(name.as_bytes())?;
    let (_, transport) = Transport::ALL.into_iter().find(|(name, _)| name.as_bytes() == prefix)?;
    let (path, image) = match transport {
        Transport::Dir => (rest, None),
        _ => split_at_colon(rest).map_or((rest, None), |(path, image)| (path, Some(image))),
    };
    Some((transport, path, image))
}

/// Returns the text before the first colon, and the text after it.
fn split_at_colon(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    Some((&text[..colon], &text[colon + 1..]))
}

/// Returns the end of a sentence about a transport that is not supported.
fn advice(transport: &[u8], image: &str) -> Option<String> {
    match transport {
        b"docker-daemon" => Some(format!(
            "the daemon keeps its images to itself: `docker save -o FILE {image}` writes one to a file, and \
             docker-archive:FILE is a source"
        )),
        b"containers-storage" => Some(format!(
            "a store of images is not read: `skopeo copy containers-storage:{image} oci:DIR:TAG` copies one to a \
             directory, and oci:DIR:TAG is a source"
        )),
        b"docker" => Some(format!(
            "rootcast pulls no images from a registry: `skopeo copy docker:{image} oci:DIR:TAG` copies one to a \
             directory, and oci:DIR:TAG is a source"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Option<(Transport, String, Choice)> {
        let reference = Reference::parse(OsStr::new(name)).unwrap_or_else(|error| panic!("{error}"))?;
        assert_eq!(reference.name(), Path::new(name));
        Some((reference.transport, reference.path.display().to_string(), reference.image))
    }

    #[test]
    fn names_are_those_of_skopeo() {
        let named = |name: &str| Choice::Named(name.to_owned());
        for (name, transport, path, image) in [
            ("oci:dir", Transport::Oci, "dir", Choice::Only),
            ("oci:/a/b:v1", Transport::Oci, "/a/b", named("v1")),
            ("oci:d:host:5000/n:t@x", Transport::Oci, "d", named("host:5000/n:t@x")),
            ("oci:d:@2", Transport::Oci, "d", Choice::At(2)),
            ("oci-archive:a.tar:v1", Transport::OciArchive, "a.tar", named("v1")),
            ("docker-archive:a.tar:n:t", Transport::DockerArchive, "a.tar", named("n:t")),
            ("dir:a:b", Transport::Dir, "a:b", Choice::Only),
        ] {
            assert_eq!(parse(name), Some((transport, path.to_owned(), image)), "{name}");
        }
        for name in ["./oci:x", "rootfs", "-", "alpine:latest", "/srv/oci:x", "OCI:x", "oci"] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn other_transports_are_refused_with_the_way_out() {
        for (name, words) in [
            ("docker-daemon:a:b", "docker save -o FILE a:b"),
            ("containers-storage:a", "skopeo copy containers-storage:a oci:DIR:TAG"),
            ("docker://a", "skopeo copy docker://a oci:DIR:TAG"),
            ("oci:", "no path"),
            ("oci:a:", "no reference"),
            ("oci:a:@x", "\"@x\""),
        ] {
            let error = Reference::parse(OsStr::new(name)).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
