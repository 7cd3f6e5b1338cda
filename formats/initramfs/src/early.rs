//! The archive that the kernel searches before it unpacks anything, for microcode.

/// Files of an archive of its own that comes first, never compressed (`lib/earlycpio.c`).
#[derive(Debug)]
pub struct Early<'t, C> {
    /// The files in the order of the archive.
    pub(crate) files: Vec<EarlyFile<'t, C>>,
}

/// One file of the early archive.
#[derive(Debug)]
pub struct EarlyFile<'t, C> {
    /// Where the kernel looks for it.
    pub path: &'static str,
    /// Its bytes are those of these, one after the other.
    pub parts: Vec<&'t C>,
}

impl<C> Early<'_, C> {
    /// No early archive.
    #[must_use]
    pub fn none() -> Self {
        Self { files: Vec::new() }
    }
}
