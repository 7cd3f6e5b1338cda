//! Manual pages, shell completions, and the version.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::report::version::{VERSION, Version};
use crate::run::print::{print, print_json};

/// Writes manual pages, given with their file names, into a directory, or, without one, the first
/// of them to standard output.
///
/// # Errors
/// If they cannot be written.
pub fn man(pages: &[(String, Vec<u8>)], directory: Option<&Path>) -> Result<()> {
    let Some(directory) = directory else {
        return pages.first().map_or(Ok(()), |(_, page)| print(page));
    };
    fs::create_dir_all(directory).map_err(|error| Error::io(directory, error))?;
    for (name, page) in pages {
        let path = directory.join(name);
        fs::write(&path, page).map_err(|error| Error::io(path, error))?;
    }
    Ok(())
}

/// Prints the completions for a shell.
///
/// # Errors
/// If they cannot be written.
pub fn completions(script: &[u8]) -> Result<()> {
    print(script)
}

/// Prints the version, for people or as JSON.
///
/// # Errors
/// If it cannot be written.
pub fn version(json: bool) -> Result<()> {
    if json { print_json(&Version::THIS) } else { print(format!("rootcast {VERSION}\n").as_bytes()) }
}
