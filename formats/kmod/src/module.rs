//! The parts of a module's file that indices are made of.

mod info;
mod signature;
mod soft_dependency;
mod symbols;

use image_tree::Content;

use crate::elf::Object;
use crate::error::ModuleError;
use crate::names::Names;

pub use info::ModuleInfo;
pub use signature::Signature;
pub use soft_dependency::SoftDependencies;

/// A module: its `.modinfo` and its symbols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Module {
    /// The values of `.modinfo`.
    pub info: ModuleInfo,
    /// The names of the symbols that it exports, in the order of the symbol table.
    pub exports: Names,
    /// The names of the symbols that it needs of others, in the order of the symbol table.
    pub needs: Names,
}

impl Module {
    /// Reads a module, which is not compressed: section headers, `.modinfo` and symbols, but none
    /// of its code.
    ///
    /// # Errors
    /// If it is not an ELF object, a part that is read is not within the file, or it has more than
    /// a module needs.
    pub fn parse<C: Content + ?Sized>(content: &C) -> Result<Self, ModuleError> {
        let object = Object::parse(content)?;
        let info = ModuleInfo::of(&object)?;
        let symbols = symbols::read(&object)?;
        Ok(Self { info, exports: symbols.exports, needs: symbols.needs })
    }

    /// The memory that values and symbols take, in bytes, approximately. Readers of many modules add
    /// it up to [`MAX_MEMORY`](crate::MAX_MEMORY).
    #[must_use]
    pub fn memory(&self) -> u64 {
        let ModuleInfo { name, vermagic, depends, aliases, softdeps, weakdeps, firmware } = &self.info;
        let values = [depends, aliases, softdeps, weakdeps, firmware].into_iter().flatten();
        let values = values.chain(name).chain(vermagic).map(|value| size_of_val(value) + value.len());
        let names = |names: &Names| names.total_len() + names.len() * size_of::<usize>();
        (values.sum::<usize>() + names(&self.exports) + names(&self.needs)) as u64
    }
}

impl ModuleInfo {
    /// Reads the `.modinfo` of a module, which is not compressed. Without that section it is empty.
    ///
    /// # Errors
    /// As [`Module::parse`].
    pub fn parse<C: Content + ?Sized>(content: &C) -> Result<Self, ModuleError> {
        Self::of(&Object::parse(content)?)
    }
}
