//! `rootcast recipe`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use image_tree::Shown;

use crate::bounded;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::Level;
use crate::output::files;
use crate::recipe::dracut;
use crate::report::RecipeReport;
use crate::run::print::{self, print, print_json};
use crate::shown;
use crate::transform::own_files::host_inode;

/// The maximum length of dracut's configuration, in bytes: 1 MiB.
const MAX_LEN: u64 = 1 << 20;

/// The maximum number of files of dracut's configuration.
const MAX_FILES: usize = 1000;

/// Prints text about recipes.
///
/// # Errors
/// If it cannot be written.
pub fn print_recipes(text: &str) -> Result<()> {
    print(text.as_bytes())
}

/// Prints the flags of a recipe as JSON.
///
/// # Errors
/// If they cannot be written.
pub fn print_recipe_json(report: &RecipeReport) -> Result<()> {
    print_json(report)
}

/// Makes a recipe of dracut's configuration, and reports what is not imported.
///
/// # Errors
/// If a file cannot be read, the recipe cannot be written, or would replace a file that is read.
pub fn import_dracut(directory: &Path, output: &Path, interrupt: &Interrupt) -> Result<()> {
    let paths = configuration(directory)?;
    let own = host_inode(output);
    if own.is_some() && paths.iter().any(|path| host_inode(path) == own) {
        let what = "is part of the configuration, and would be overwritten: name another file";
        return Err(Error::at(ErrorKind::Usage, output, what));
    }
    let mut left = MAX_LEN;
    let files = paths.iter().map(|path| {
        let opened = File::open(path).map_err(|error| Error::io(path, error))?;
        let text = bounded::read_file(opened, path, left)?;
        left = left.saturating_sub(text.len() as u64);
        Ok(dracut::File { name: shown::path(path).to_string(), text })
    });
    let files = files.collect::<Result<Vec<_>>>()?;
    let imported = dracut::import(&files);
    let log = print::log(Level::Normal);
    for note in &imported.notes {
        let file = files.get(note.file).map_or("", |file| file.name.as_str());
        log.warn(format_args!("{file}:{}: {}", note.line, Shown::message(&note.what)));
    }
    if output == Path::new("-") {
        return print(imported.recipe.as_bytes());
    }
    files::write_one(output, imported.recipe.as_bytes(), interrupt)
}

/// Returns the configuration files of a directory by name, or a single file.
fn configuration(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io(directory, error);
    if !fs::metadata(directory).map_err(failed)?.is_dir() {
        return Ok(vec![directory.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() || files.len() > MAX_FILES {
        let what = format!("it has {} files *.conf, and 1 to {MAX_FILES} are read", files.len());
        return Err(Error::at(ErrorKind::BadInput, directory, what));
    }
    Ok(files)
}
