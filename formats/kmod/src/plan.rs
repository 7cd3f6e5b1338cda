//! Indices from modules, as depmod writes them.

mod builtin;
mod choice;
mod dependencies;
mod devname;
mod order;
mod sources;
mod symbols;
mod texts;
mod tries;
mod values;

use crate::error::Error;
use crate::warning::Warning;
use symbols::SymbolTable;

pub(crate) use choice::one_of_each_name;

pub use order::reduced as reduced_order;
pub use sources::{Entry, Sources};

/// The files that depmod writes for a version, and `modules.weakdep`, in the order in which kmod
/// reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Indices {
    /// The name of each file and its bytes.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// The values that they leave out, and the decisions.
    pub warnings: Vec<Warning>,
}

impl Indices {
    /// Returns the bytes of a file, as `modules.dep.bin`.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.iter().find(|(file, _)| *file == name).map(|(_, bytes)| bytes.as_slice())
    }
}

/// Returns the indices of modules: byte for byte those of depmod 30, and a `modules.weakdep` as
/// depmod 34 writes it.
///
/// Of two modules of one name one in `updates/` is used, or else the one whose path is less.
///
/// # Errors
/// If modules need each other in a circle, or a path or value cannot be expressed.
pub fn plan(sources: &Sources<'_>) -> Result<Indices, Error> {
    let mut warnings = Vec::new();
    let mut modules = one_of_each_name(sources.modules, &mut warnings);
    order::sort(&mut modules, sources.order, &mut warnings);
    values::check(&modules)?;
    let symbols = SymbolTable::new(&modules);
    let dependencies = dependencies::of(&modules, &symbols)?;
    let dep = texts::dep(&modules, &dependencies);
    let files = vec![
        ("modules.dep.bin", tries::dep(&modules, &dep)?),
        ("modules.dep", dep),
        ("modules.alias", texts::alias(&modules)),
        ("modules.alias.bin", tries::alias(&modules, &mut warnings)?),
        ("modules.softdep", texts::softdep(&modules)),
        ("modules.weakdep", texts::weakdep(&modules)),
        ("modules.symbols", texts::symbols(&modules, &symbols)),
        ("modules.symbols.bin", tries::symbols(&modules, &symbols)?),
        ("modules.devname", devname::text(&modules, &mut warnings)),
        ("modules.builtin.bin", builtin::names(sources.builtin, &mut warnings)?),
        ("modules.builtin.alias.bin", builtin::aliases(sources.builtin_modinfo, &mut warnings)?),
    ];
    Ok(Indices { files, warnings })
}
