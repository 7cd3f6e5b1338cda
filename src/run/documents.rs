//! Manual pages, shell completions, and the version.

use std::fs;
use std::path::Path;

use super::print::{print, print_json};
use crate::cli::documents;
use crate::error::{Error, ErrorKind, Result};
use crate::report::version::{VERSION, Version};

/// Writes the manual pages into a directory, or, without one, the first of them to standard output.
///
/// # Errors
/// If they cannot be written.
pub fn man(directory: Option<&Path>) -> Result<()> {
    let pages = documents::man_pages().map_err(|error| Error::new(ErrorKind::Io, error))?;
    let Some(directory) = directory else {
        return pages.first().map_or(Ok(()), |(_, page)| print(page));
    };
    fs::create_dir_all(directory).map_err(|error| Error::io(directory, error))?;
    for (name, page) in &pages {
        let path = directory.join(name);
        fs::write(&path, page).map_err(|error| Error::io(path, error))?;
    }
    Ok(())
}

/// Prints the completions for a shell.
///
/// # Errors
/// If they cannot be written.
pub fn completions(shell: clap_complete::Shell) -> Result<()> {
    print(&documents::completions(shell))
}

/// Prints the version, for people or as JSON.
///
/// # Errors
/// If it cannot be written.
pub fn version(json: bool) -> Result<()> {
    if json { print_json(&Version::THIS) } else { print(format!("rootcast {VERSION}\n").as_bytes()) }
}
