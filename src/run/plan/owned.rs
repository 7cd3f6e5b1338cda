//! A planned image that owns its plan.

use self_cell::self_cell;

use super::Plan;
use super::served::PlannedImage;
use crate::error::Result;

self_cell!(
    struct Served {
        owner: Plan,

        #[covariant]
        dependent: PlannedImage,
    }
);

/// A planned image together with its plan, which a server can keep and threads can share.
pub struct OwnedImage(Served);

impl Plan {
    /// Returns the image together with the plan that it is read from, for a server that keeps it.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn into_image(self) -> Result<OwnedImage> {
        Served::try_new(self, Self::image).map(OwnedImage)
    }
}

impl OwnedImage {
    /// The image.
    #[must_use]
    pub fn image(&self) -> &PlannedImage<'_> {
        self.0.borrow_dependent()
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.0.borrow_owner()
    }
}

impl std::fmt::Debug for OwnedImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.image().fmt(f)
    }
}
