//! A product to make of a tree: all that its bytes depend on, as plain data.

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;

use super::image::ImageRecipe;
use super::initrd::InitrdRecipe;
use super::tar::TarRecipe;
use super::{SourceRecipe, TreeRecipe};
use crate::error::{Error, ErrorKind, Result};

/// The maximum number of threads of a new build: more only use memory.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// A product to make of a tree.
///
/// It is plain data: nothing is read before it is planned, and it can be planned several times.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Build {
    /// The tree: its sources, and the changes to it.
    pub tree: TreeRecipe,
    /// The product to make of the tree.
    pub make: Make,
}

/// The product to make of a tree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Make {
    /// A disk image with a filesystem.
    Image(ImageRecipe),
    /// An initramfs.
    Initrd(InitrdRecipe),
    /// A tar archive.
    Tar(TarRecipe),
}

impl Build {
    /// Returns the build of the smallest disk image of sources, each of which is added to those
    /// before it.
    ///
    /// A text is the name of a source as the command line takes it, for example `oci:DIR:TAG`, and a
    /// path is a directory, a tar archive or a dump, see [`SourceRecipe`].
    ///
    /// It uses a thread for each core, 256 at most.
    pub fn new(sources: impl IntoIterator<Item = impl Into<SourceRecipe>>) -> Self {
        let threads = available_parallelism().unwrap_or(NonZeroUsize::MIN).min(MAX_THREADS);
        let tree = TreeRecipe::new(sources, threads);
        Self { tree, make: Make::Image(ImageRecipe::default()) }
    }

    /// Returns the build of a product of a tree.
    #[must_use]
    pub fn of(tree: TreeRecipe, make: impl Into<Make>) -> Self {
        Self { tree, make: make.into() }
    }

    /// Returns the same build of another product.
    #[must_use]
    pub fn making(self, make: impl Into<Make>) -> Self {
        Self { make: make.into(), ..self }
    }

    /// Checks for options that contradict each other, without reading anything.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`], with the flags of the command line for the options that conflict, and
    /// for those that help.
    pub fn check(&self) -> Result<()> {
        let of_product = || match &self.make {
            Make::Image(image) => image.check(),
            Make::Initrd(initrd) => initrd.check(),
            Make::Tar(_) => Ok(()),
        };
        self.tree.check().and_then(|()| of_product()).map_err(|what| Error::new(ErrorKind::Usage, what))
    }

    /// The files of the host that it names and that are read, some of which may be directories.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Path> {
        let mut inputs = self.tree.inputs();
        if let Make::Initrd(initrd) = &self.make {
            inputs.extend(initrd.inputs());
        }
        inputs
    }
}

impl From<ImageRecipe> for Make {
    fn from(image: ImageRecipe) -> Self {
        Self::Image(image)
    }
}

impl From<InitrdRecipe> for Make {
    fn from(initrd: InitrdRecipe) -> Self {
        Self::Initrd(initrd)
    }
}

impl From<TarRecipe> for Make {
    fn from(tar: TarRecipe) -> Self {
        Self::Tar(tar)
    }
}
