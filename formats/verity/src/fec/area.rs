//! The FEC area as an image.

use image_runs::{Image, MAX_RENDERED, Render, Run, Source};

use super::Parity;

/// The bytes of an FEC area, rendered in parts.
#[derive(Clone, Copy, Debug)]
pub struct FecArea<'a> {
    parity: &'a Parity,
}

impl<'a> FecArea<'a> {
    pub(crate) fn new(parity: &'a Parity) -> Self {
        Self { parity }
    }

    /// The number of code words whose parity fits in a run.
    fn words_per_run(&self) -> u64 {
        MAX_RENDERED / self.roots()
    }

    fn roots(&self) -> u64 {
        self.parity.layout.roots().get().into()
    }
}

impl<C: Sync> Image<C> for FecArea<'_> {
    fn len(&self) -> u64 {
        self.parity.layout.len()
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        let run_len = self.words_per_run() * self.roots();
        let len = self.parity.layout.len();
        Box::new((0..len.div_ceil(run_len)).map(move |key| Run {
            len: run_len.min(len - key * run_len),
            source: Source::Rendered { by: self, key },
        }))
    }
}

/// The key is the index of a run.
impl Render for FecArea<'_> {
    fn render(&self, key: u64, out: &mut [u8]) {
        self.parity.write(key * self.words_per_run(), out);
    }
}
