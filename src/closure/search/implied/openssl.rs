//! Providers and engines of OpenSSL.

use image_tree::{Content, Directories};

use super::context::{Context, Implied};
use crate::closure::config::nss;
use crate::closure::error::Result;

/// Adds the providers and engines, if they are requested.
pub(super) fn add<T: Directories<Content: Content>>(
    context: &Context<'_, T>,
    found: &mut Implied,
) -> Result<()> {
    if context.keep.openssl {
        found.take(nss::openssl(&context.closure.library_directories));
    }
    Ok(())
}
