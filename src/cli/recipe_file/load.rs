//! Reads recipes with those that they inherit from.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use image_tree::Shown;

use super::near;
use crate::bounded;
use crate::recipe::file::{self, Entry, Position};
use crate::recipe::shipped::{SHIPPED, Shipped};
use crate::shown;

/// The maximum number of recipes of which each inherits from the next.
const MAX_DEPTH: usize = 16;

/// The maximum number of recipes that are read.
const MAX_RECIPES: usize = 64;

/// The key of the recipes that a recipe inherits from.
const INHERITED: &str = "recipe";

/// An entry of a recipe.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Located {
    /// The number of its recipe: later ones count more.
    pub(super) recipe: usize,
    /// The name or path of its recipe, for messages.
    pub(super) origin: String,
    pub(super) entry: Entry,
}

impl Located {
    /// Returns an error about the entry.
    pub(super) fn refuse(&self, what: &str) -> clap::Error {
        at(&self.origin, self.entry.position, what)
    }
}

/// The entries of recipes, those of an inherited one before those of the recipe that names it.
#[derive(Debug, Default)]
pub(in crate::cli) struct Loaded {
    pub(super) entries: Vec<Located>,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
}

/// A recipe that is to be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Shipped(&'static str),
    File(PathBuf),
}

impl Place {
    /// Returns the place of a name: that of a shipped recipe, or a path relative to a directory.
    fn new(name: &OsStr, directory: Option<&Path>) -> Self {
        match name.to_str().and_then(Shipped::find) {
            Some(shipped) => Self::Shipped(shipped.name),
            None => Self::File(directory.map_or_else(|| name.into(), |directory| directory.join(name))),
        }
    }

    /// Returns the name in messages.
    fn origin(&self) -> String {
        match self {
            Self::Shipped(name) => (*name).to_owned(),
            Self::File(path) => shown::path(path).to_string(),
        }
    }

    /// Returns the same for every path of a file.
    fn identity(&self) -> Self {
        match self {
            Self::Shipped(_) => self.clone(),
            Self::File(path) => Self::File(path.canonicalize().unwrap_or_else(|_| path.clone())),
        }
    }
}

/// Reads recipes, each the name of a shipped one or the path of a file, in order.
///
/// # Errors
/// If a file cannot be read or is not a recipe, or recipes inherit from themselves, with the line.
pub(in crate::cli) fn load(names: &[OsString]) -> Result<Loaded, clap::Error> {
    let mut loader = Loader { loaded: Loaded::default(), open: Vec::new(), read: BTreeSet::new(), len: 0 };
    for name in names {
        loader.add(&Place::new(name, None))?;
    }
    Ok(loader.loaded)
}

struct Loader {
    loaded: Loaded,
    /// The recipes that are being read, each of which inherits from the next.
    open: Vec<(Place, String)>,
    read: BTreeSet<Place>,
    /// The length of all texts in bytes.
    len: u64,
}

impl Loader {
    /// Reads a recipe, unless it has been read.
    fn add(&mut self, place: &Place) -> Result<(), clap::Error> {
        let (identity, origin) = (place.identity(), place.origin());
        if let Some(start) = self.open.iter().position(|(open, _)| *open == identity) {
            let chain: Vec<&str> = self.open.iter().skip(start).map(|(_, origin)| origin.as_str()).collect();
            let message = format!("{} inherits from itself: {} → {origin}\n", origin, chain.join(" → "));
            return Err(usage(ErrorKind::ValueValidation, message));
        }
        if self.read.contains(&identity) {
            return Ok(());
        }
        if self.open.len() >= MAX_DEPTH || self.open.len() + self.read.len() >= MAX_RECIPES {
            let message = format!(
                "{origin}: at most {MAX_RECIPES} recipes are read, and at most {MAX_DEPTH} in a row inherit each from the next\n"
            );
            return Err(usage(ErrorKind::ValueValidation, message));
        }
        let text = self.text(place)?;
        let entries = file::parse(&text).map_err(|error| at(&origin, error.position, &error.what))?;
        let (inherited, own): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.key == INHERITED && !entry.edit);
        self.open.push((identity.clone(), origin.clone()));
        let directory = match place {
            Place::Shipped(_) => None,
            Place::File(path) => path.parent(),
        };
        for entry in inherited {
            let refuse = |what: &str| at(&origin, entry.position, what);
            let Some(name) = entry.value.as_deref().filter(|_| !entry.is_number) else {
                return Err(refuse(
                    "\"recipe\" takes the names of shipped recipes and paths, in quotation marks",
                ));
            };
            let inherited = Place::new(OsStr::new(name), directory);
            self.add(&inherited).map_err(|error| refuse(plain(&error).trim_end()))?;
        }
        self.open.pop();
        self.read.insert(identity);
        let recipe = self.read.len();
        let located = |entry| Located { recipe, origin: origin.clone(), entry };
        self.loaded.entries.extend(own.into_iter().map(located));
        Ok(())
    }

    fn text(&mut self, place: &Place) -> Result<String, clap::Error> {
        let path = match place {
            Place::Shipped(name) => {
                return Ok(Shipped::find(name).map_or_else(String::new, |shipped| shipped.text.to_owned()));
            }
            Place::File(path) => path,
        };
        let failed = |what: String| usage(ErrorKind::Io, format!("--recipe {}: {what}\n", shown::path(path)));
        let opened = File::open(path).map_err(|error| failed(format!("{error}{}", hint(path))))?;
        let text = bounded::read_file(opened, path, file::MAX_LEN - self.len);
        let text = text.map_err(|error| usage(ErrorKind::Io, format!("--recipe {error}\n")))?;
        self.len += text.len() as u64;
        self.loaded.files.push(path.clone());
        String::from_utf8(text).map_err(|_| failed("is not UTF-8 text".to_owned()))
    }
}

/// Returns the names of the shipped recipes, for a path that may be meant as one of them.
fn hint(path: &Path) -> String {
    let name = path.as_os_str().as_bytes();
    if name.contains(&b'/') {
        return String::new();
    }
    let names = SHIPPED.map(|shipped| shipped.name);
    match near::names(&String::from_utf8_lossy(name), names)[..] {
        [] => format!("; shipped recipes are {}", names.join(", ")),
        ref near => format!("; similar names of shipped recipes are {}", near.join(", ")),
    }
}

/// Returns an error at a position of a recipe.
fn at(origin: &str, position: Position, what: &str) -> clap::Error {
    let Position { line, column } = position;
    let what = what.replace('\n', "\\n");
    let message = format!("{origin}: line {line}, column {column}: {}\n", Shown::message(&what));
    usage(ErrorKind::ValueValidation, message)
}

/// Returns the message of an error, without its title.
pub(super) fn plain(error: &clap::Error) -> String {
    error.render().to_string().trim_start_matches("error: ").to_owned()
}

fn usage(kind: ErrorKind, message: String) -> clap::Error {
    clap::Error::raw(kind, message)
}
