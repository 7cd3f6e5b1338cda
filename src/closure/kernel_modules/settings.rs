//! The configuration of modprobe in the tree.

use std::collections::BTreeMap;

use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories};
use kmod_index::{CONFIG_DIRECTORIES, Config};

use super::error::{Error, Result};
use super::read::SoftTexts;
use crate::closure;
use crate::closure::config::file;

/// The configuration, and the files that it is read from.
pub(super) struct Settings {
    pub(super) config: Config,
    /// The paths of the files of `modprobe.d`.
    pub(super) files: Vec<Vec<u8>>,
    /// A sentence for each line that is not valid.
    pub(super) ignored: Vec<String>,
}

enum Source {
    File(Vec<u8>),
    Text(Vec<u8>),
}

impl Settings {
    /// Reads the files of `modprobe.d` and the soft and weak dependencies of the modules, all of
    /// them in the order of their names. A file hides those of its name in later directories.
    pub(super) fn read<T: Directories<Content: Content>>(tree: &T, texts: SoftTexts) -> Result<Self> {
        let mut sources: BTreeMap<Vec<u8>, Source> = BTreeMap::new();
        sources.insert(b"modules.softdep".to_vec(), Source::Text(texts.soft));
        sources.insert(b"modules.weakdep".to_vec(), Source::Text(texts.weak));
        for directory in CONFIG_DIRECTORIES.map(str::as_bytes) {
            let entries = resolve_in_root(tree, directory).and_then(|id| tree.entries(id));
            let names = entries.into_iter().flatten().map(|(name, _)| name.as_bytes());
            for name in names.filter(|name| name.ends_with(b".conf")) {
                let path = || Source::File(join(directory, name));
                sources.entry(name.to_vec()).or_insert_with(path);
            }
        }
        let mut settings = Self { config: Config::default(), files: Vec::new(), ignored: Vec::new() };
        for source in sources.into_values() {
            match source {
                Source::Text(text) => _ = settings.config.add(&text),
                Source::File(path) => settings.add(tree, path)?,
            }
        }
        Ok(settings)
    }

    fn add<T: Directories<Content: Content>>(&mut self, tree: &T, path: Vec<u8>) -> Result<()> {
        let text = file::read(tree, &path).map_err(|error| match error {
            closure::Error::Read(error) => Error::Read(error),
            error => Error::unusable(&path, error),
        })?;
        let Some(text) = text else { return Ok(()) };
        for line in self.config.add(&text) {
            let (path, number, word) = (path.escape_ascii(), line.line, line.word.escape_ascii());
            self.ignored
                .push(format!("{path}:{number}: modprobe ignores this line, which begins with {word}"));
        }
        self.files.push(path);
        Ok(())
    }
}
