//! The flags that say where a product goes.

use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::error::ErrorKind;

use super::help::group;
use crate::output::DestinationOptions;
use crate::recipe::Output;

/// What the output is to be like besides its path.
#[derive(Debug, Args)]
pub(super) struct OutputArguments {
    /// Give the output file these permissions, such as 600
    ///
    /// The default is those of the file it replaces; a new one gets 666 without the umask.
    #[arg(long, value_name = "OCTAL", value_parser = mode, help_heading = group::OUTPUT)]
    mode: Option<u16>,

    /// Write to a block device, whose contents are lost
    #[arg(long, help_heading = group::OUTPUT)]
    force: bool,
}

impl OutputArguments {
    /// Where the product goes that is to be written to `path`.
    pub(super) fn output(
        self,
        path: Option<PathBuf>,
        json: bool,
        dry_run: bool,
    ) -> Result<Output, clap::Error> {
        let output = match path {
            None if dry_run => Output::Nowhere,
            None => Output::Digest,
            Some(path) if path == Path::new("-") => standard_output(json, dry_run)?,
            Some(path) => {
                return Ok(Output::File {
                    path,
                    options: DestinationOptions { mode: self.mode, force: self.force },
                });
            }
        };
        if self.mode.is_some() {
            return Err(usage("--mode is for a file, so --output has to name one".to_owned()));
        }
        if self.force {
            return Err(usage("--force is for a block device, so --output has to name one".to_owned()));
        }
        Ok(output)
    }
}

/// Standard output for the bytes themselves.
fn standard_output(json: bool, dry_run: bool) -> Result<Output, clap::Error> {
    if json {
        let message = "--json and --output - would both write to standard output; give --output a file";
        return Err(usage(message.to_owned()));
    }
    if !dry_run && stdout().is_terminal() {
        return Err(usage("standard output is a terminal; send it to a file or a pipe".to_owned()));
    }
    Ok(Output::Stream)
}

/// Permissions as chmod(1) takes them, in octal digits.
fn mode(text: &str) -> Result<u16, String> {
    let is_octal = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u16::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.ok_or_else(|| format!("\"{text}\" is not an octal number from 0 to 777"))
}

/// A command line that makes no sense.
pub(super) fn usage(message: String) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, message + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_octal() {
        for (text, expected) in [("600", 0o600), ("0640", 0o640), ("0", 0), ("777", 0o777)] {
            assert_eq!(mode(text), Ok(expected));
        }
        for text in ["", "1000", "4755", "8", "+600", "-1", "u+r", "0o600", " 600"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
