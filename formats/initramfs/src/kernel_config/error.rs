//! Errors of kernel configurations.

use thiserror::Error;

/// An error when reading a kernel configuration.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelConfigError {
    /// The text has no line with an option.
    #[error("the text has no line such as CONFIG_RD_GZIP=y, so it is not a kernel configuration")]
    NotAConfig,
    /// A kernel's payload, or the configuration in it, cannot be unpacked.
    #[error("the kernel's {what} cannot be unpacked: {detail}")]
    Unpack {
        /// The part of the kernel.
        what: &'static str,
        /// The error of the decompressor.
        detail: String,
    },
}
