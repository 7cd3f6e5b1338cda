//! The info block as an image.

use image_runs::{Image, Run, Source};

use crate::InfoBlock;

/// The 4096 bytes of an info block.
#[derive(Clone, Debug)]
pub struct InfoBlockImage(Box<[u8; InfoBlock::LEN]>);

impl InfoBlock {
    /// Returns the bytes of the block as an image, for a place at [`InfoBlock::OFFSET`] of a disk.
    #[must_use]
    pub fn image(&self) -> InfoBlockImage {
        InfoBlockImage(Box::new(self.to_bytes()))
    }
}

impl<C: Sync> Image<C> for InfoBlockImage {
    fn len(&self) -> u64 {
        InfoBlock::LEN as u64
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        let run = Run { len: InfoBlock::LEN as u64, source: Source::Bytes(&self.0[..]) };
        Box::new(std::iter::once(run))
    }
}
