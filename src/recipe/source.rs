//! The sources of a tree as data.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::source::Source;
use crate::source::container::Reference;

/// A source of a tree, as data: nothing is read before a tree is made of it.
///
/// A text is the name of a source as the command line takes it, and a path is a path, whatever
/// characters it has:
///
/// ```
/// use std::path::Path;
/// use rootcast::{ContainerImage, SourceRecipe};
///
/// let named = SourceRecipe::from("oci:layout:v1");
/// let path = SourceRecipe::from(Path::new("oci:layout:v1"));
/// let image = SourceRecipe::from(ContainerImage::oci("layout", Some("v1")));
/// assert_eq!(named.name(), image.name());
/// assert_ne!(named, path);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceRecipe {
    /// The name of a source as the command line takes it: a path, an image of containers as
    /// skopeo(1) names it, or `-` for an archive or a dump on standard input.
    Named(OsString),
    /// A directory, a tar archive, a dump or a package, recognized by its contents.
    Path(PathBuf),
    /// A directory.
    Directory(PathBuf),
    /// A tar archive, compressed or not.
    Tar(PathBuf),
    /// The text of a tree, in the composefs dump format.
    Dump(PathBuf),
    /// A Debian package. Packages that follow each other are merged.
    Package(PathBuf),
    /// An image of containers.
    Image(Reference),
}

impl SourceRecipe {
    /// The name in messages and reports.
    #[must_use]
    pub fn name(&self) -> &Path {
        match self {
            Self::Named(name) => Path::new(name),
            Self::Path(path)
            | Self::Directory(path)
            | Self::Tar(path)
            | Self::Dump(path)
            | Self::Package(path) => path,
            Self::Image(reference) => reference.name(),
        }
    }

    /// The path on the host that is read; `None` for standard input.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Named(name) if name == "-" => None,
            Self::Named(name) => Some(Reference::path_of(name).unwrap_or(Path::new(name))),
            Self::Image(reference) => Some(reference.path()),
            other => Some(other.name()),
        }
    }

    /// Returns the path of a directory, if it is one of the host.
    pub(crate) fn as_directory(&self) -> Option<&Path> {
        let path = match self {
            Self::Named(name) if name == "-" || Reference::path_of(name).is_some() => return None,
            Self::Named(_) | Self::Path(_) | Self::Directory(_) => self.name(),
            Self::Tar(_) | Self::Dump(_) | Self::Package(_) | Self::Image(_) => return None,
        };
        path.is_dir().then_some(path)
    }

    /// Opens the source. `basedir` is the directory of a dump's files, see [`Source::at`].
    ///
    /// # Errors
    /// As [`Source::at`], and [`BadInput`](ErrorKind::BadInput) if it is of another kind than stated.
    pub(crate) fn open(&self, basedir: Option<&Path>) -> Result<Source> {
        let (path, kind) = match self {
            Self::Named(name) => return Source::at(name, basedir),
            Self::Image(reference) => return Ok(Source::Container(reference.clone())),
            Self::Path(path) => return Source::at_path(path, basedir),
            Self::Directory(path) => (path, "a directory"),
            Self::Tar(path) => (path, "a tar archive"),
            Self::Dump(path) => (path, "a dump"),
            Self::Package(path) => (path, "a Debian package"),
        };
        let source = Source::at_path(path, basedir)?;
        let is_stated = match source {
            Source::Directory(_) => matches!(self, Self::Directory(_)),
            Source::Tar { .. } | Source::TarStream { .. } => matches!(self, Self::Tar(_)),
            Source::Dump { .. } => matches!(self, Self::Dump(_)),
            Source::Package(_) => matches!(self, Self::Package(_)),
            Source::Container(_) | Source::Release(_) => false,
        };
        if is_stated {
            return Ok(source);
        }
        Err(Error::at(ErrorKind::BadInput, path, format!("is not {kind}")))
    }
}

impl From<Reference> for SourceRecipe {
    fn from(reference: Reference) -> Self {
        Self::Image(reference)
    }
}

/// Implements the conversions from types of texts and of paths.
macro_rules! from {
    ($variant:ident: $($type:ty),*) => {
        $(impl From<$type> for SourceRecipe {
            fn from(name: $type) -> Self {
                Self::$variant(name.into())
            }
        })*
    };
}

from!(Named: &str, String, &String, &OsStr, OsString, &OsString);
from!(Path: &Path, PathBuf, &PathBuf);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_source_is_of_the_stated_kind() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("dump"), "/ 0 40755 2 7 0 0 0.0 - - -\n").expect("a new file");
        fs::write(at("tar"), [0; 1024]).expect("a new file");
        fs::create_dir(at("oci:x")).expect("a new directory");
        let kinds: [fn(PathBuf) -> SourceRecipe; 4] =
            [SourceRecipe::Directory, SourceRecipe::Tar, SourceRecipe::Dump, SourceRecipe::Package];
        for (right, name) in ["oci:x", "tar", "dump"].into_iter().enumerate() {
            assert!(SourceRecipe::from(at(name)).open(None).is_ok(), "{name}");
            for (number, kind) in kinds.iter().enumerate() {
                let opened = kind(at(name)).open(None);
                assert_eq!(opened.is_ok(), number == right, "{name} {number}");
                if let Err(error) = opened {
                    assert_eq!(error.kind(), ErrorKind::BadInput);
                    assert!(error.to_string().contains(": is not a"), "{error}");
                }
            }
        }
        assert_eq!(SourceRecipe::from(at("oci:x")).as_directory(), Some(&*at("oci:x")));
        assert_eq!(SourceRecipe::Tar(at("oci:x")).as_directory(), None);
        assert!(SourceRecipe::from(Path::new("-")).path().is_some(), "a file of this name");
        assert_eq!(SourceRecipe::from("-").path(), None);
        assert_eq!(SourceRecipe::from("oci:a/b:v1").path(), Some(Path::new("a/b")));
        let error = SourceRecipe::from("oci:").open(None).err().expect("it has no path");
        assert_eq!(error.kind(), ErrorKind::Usage);
    }

    #[test]
    fn images_have_the_names_of_skopeo() {
        for (image, name) in [
            (Reference::oci("d", None), "oci:d"),
            (Reference::oci("d", Some("v1")), "oci:d:v1"),
            (Reference::oci_archive("d:e", Some("v1")), "oci-archive:d:e:v1"),
            (Reference::docker_archive("f", Some("n:t")), "docker-archive:f:n:t"),
            (Reference::dir("g"), "dir:g"),
        ] {
            let source = SourceRecipe::from(image.clone());
            assert_eq!(source.name(), Path::new(name));
            assert_eq!(source.path(), Some(image.path()));
            if name != "oci-archive:d:e:v1" {
                assert_eq!(Reference::parse(OsStr::new(name)).expect("a name"), Some(image));
            }
        }
    }
}
