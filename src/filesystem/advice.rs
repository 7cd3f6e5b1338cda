//! Advice on files that a format cannot represent: the flags that help, which formats do not know.

use image_tree::Timestamp;

use crate::error::{Error, ErrorKind};

/// Returns an error about the tree, with advice if there is any.
pub fn with_advice(
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    advice: Option<String>,
) -> Error {
    let error = Error::new(ErrorKind::BadInput, error);
    match advice {
        Some(advice) => Error::new(error.kind(), format!("{error}; {advice}")),
        None => error,
    }
}

/// Returns the advice on a time that is not within the first and the last second of a format.
#[must_use]
pub fn on_time(time: Timestamp, (first, last): (i64, i64)) -> String {
    if time.seconds() < first {
        format!("--clamp-mtime-min {first} raises all earlier times to {first}")
    } else {
        format!("--source-date-epoch {last} sets all later times back to {last}")
    }
}
