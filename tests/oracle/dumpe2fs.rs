//! dumpe2fs: the fields of the superblock, for assertions.

use std::collections::{BTreeMap, BTreeSet};

use super::Volume;
use crate::judges;
use crate::product::run;

/// The superblock as `dumpe2fs -h` prints it.
#[derive(Debug)]
pub(crate) struct Summary {
    /// The values by the label before the colon: `Block count`, `Free inodes`, `Filesystem UUID`.
    fields: BTreeMap<String, String>,
}

impl Summary {
    /// Returns a field as it is printed.
    pub(crate) fn text(&self, field: &str) -> Result<&str, String> {
        self.fields.get(field).map(String::as_str).ok_or_else(|| format!("dumpe2fs prints no “{field}”"))
    }

    /// Returns a numeric field.
    pub(crate) fn number(&self, field: &str) -> Result<u64, String> {
        let text = self.text(field)?;
        text.parse().map_err(|error| format!("{field}: {text}: {error}"))
    }

    /// Returns the names of the features, as for `mke2fs -O`.
    pub(crate) fn features(&self) -> Result<BTreeSet<&str>, String> {
        Ok(self.text("Filesystem features")?.split_whitespace().collect())
    }
}

/// Reads the superblock, or returns `None` after a visible skip.
pub(crate) fn read(volume: &Volume) -> Result<Option<Summary>, String> {
    let Some(mut dumpe2fs) = judges::command("dumpe2fs") else { return Ok(None) };
    let outcome = run(dumpe2fs.arg("-h").arg(volume.e2fs_name())).success()?;
    let fields = outcome
        .text()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(field, value)| (field.to_owned(), value.trim().to_owned()))
        .collect();
    Ok(Some(Summary { fields }))
}
