//! Durations in JSON.

use std::time::Duration;

use serde::Serializer;

/// Writes a duration as a number of seconds.
pub(super) fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
