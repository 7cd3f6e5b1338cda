//! Flags for the destination of an artifact.

use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::error::ErrorKind;

use crate::cli::help::group;
use crate::output::DestinationOptions;
use crate::recipe::Output;

/// The destination of an artifact, and the report on it.
#[derive(Debug, Args)]
pub(in crate::cli) struct OutputArguments {
    /// Write to this file, or to standard output (-)
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present_any = ["digest", "dry_run"],
        help_heading = group::OUTPUT
    )]
    output: Option<PathBuf>,

    /// Print the SHA-256 instead of writing a file
    #[arg(long, conflicts_with = "output", help_heading = group::OUTPUT)]
    digest: bool,

    /// Permissions of the output file, such as 600
    ///
    /// The default is those of the file it replaces; a new one gets 666 without the umask.
    #[arg(long, value_name = "OCTAL", value_parser = mode, help_heading = group::OUTPUT)]
    mode: Option<u16>,

    /// Write to a block device, whose contents are lost
    #[arg(long, help_heading = group::OUTPUT)]
    force: bool,

    /// Plan and report, and write nothing
    #[arg(long, conflicts_with = "digest", help_heading = group::OUTPUT)]
    pub(in crate::cli) dry_run: bool,

    /// Print a report as one JSON object: size, layout, identifiers, counts, times, warnings
    #[arg(long, help_heading = group::OUTPUT)]
    pub(in crate::cli) json: bool,
}

impl OutputArguments {
    /// Returns the destination.
    pub(in crate::cli) fn output(&self) -> Result<Output, clap::Error> {
        let output = match &self.output {
            None if self.dry_run => Output::Nowhere,
            None => Output::Digest,
            Some(path) if path == Path::new("-") => standard_output(self.json, self.dry_run)?,
            Some(path) => {
                let options = DestinationOptions { mode: self.mode, force: self.force };
                return Ok(Output::File { path: path.clone(), options });
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

/// Returns standard output as the destination of the bytes.
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

/// Parses permissions in octal digits, as for chmod(1).
fn mode(text: &str) -> Result<u16, String> {
    let is_octal = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u16::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.ok_or_else(|| format!("\"{text}\" is not an octal number from 0 to 777"))
}

/// Returns the error of an invalid command line.
pub(in crate::cli) fn usage(message: String) -> clap::Error {
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
