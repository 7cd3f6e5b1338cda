//! Standard output.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::output::stdout;

/// Writes to standard output. A reader that closes the pipe has read all it needs.
pub(super) fn print(bytes: &[u8]) -> Result<()> {
    let mut out = stdout::open()?;
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Error::io("standard output", error)),
    }
}

/// Writes a value as JSON to standard output.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| Error::new(ErrorKind::Verification, error))?;
    text.push(b'\n');
    print(&text)
}
