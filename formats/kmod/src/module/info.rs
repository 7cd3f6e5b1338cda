//! `.modinfo`: lines `key=value`, each ended by NULs.

use image_tree::Content;

use super::SoftDependencies;
use crate::elf::Object;
use crate::error::ModuleError;
use crate::limits::MAX_STRINGS;
use crate::name::with_underscores;

/// The values in the `.modinfo` of a module, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleInfo {
    /// `name=`, which Linux has had since 4.20.
    pub name: Option<Vec<u8>>,
    /// `vermagic=`: the version and properties of the kernel that it is for.
    pub vermagic: Option<Vec<u8>>,
    /// The names in `depends=`, with `_` in place of `-`: the modules that it needs of the same
    /// build.
    pub depends: Vec<Vec<u8>>,
    /// Each `alias=`, as it is.
    pub aliases: Vec<Vec<u8>>,
    /// Each `softdep=`, as it is; [`ModuleInfo::soft_dependencies`] are the names.
    pub softdeps: Vec<Vec<u8>>,
    /// Each `weakdep=`, as it is; [`ModuleInfo::weak_dependencies`] are the names.
    pub weakdeps: Vec<Vec<u8>>,
    /// Each `firmware=`: a path below a directory of firmware, or a pattern for several.
    pub firmware: Vec<Vec<u8>>,
}

impl ModuleInfo {
    pub(super) fn of<C: Content + ?Sized>(object: &Object<'_, C>) -> Result<Self, ModuleError> {
        let section = object.section(".modinfo", MAX_STRINGS)?.unwrap_or_default();
        let mut info = Self::default();
        for line in section.split(|byte| *byte == 0) {
            if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
                info.add(&line[..equals], line[equals + 1..].to_vec());
            }
        }
        Ok(info)
    }

    fn add(&mut self, key: &[u8], value: Vec<u8>) {
        match key {
            b"name" => self.name = Some(value),
            b"vermagic" => self.vermagic = Some(value),
            b"depends" => {
                let names = value.split(|byte| *byte == b',').filter(|name| !name.is_empty());
                self.depends.extend(names.map(with_underscores));
            }
            b"alias" => self.aliases.push(value),
            b"softdep" => self.softdeps.push(value),
            b"weakdep" => self.weakdeps.push(value),
            b"firmware" => self.firmware.push(value),
            _ => {}
        }
    }

    /// The soft dependencies that modprobe heeds: those of the first `softdep=`.
    #[must_use]
    pub fn soft_dependencies(&self) -> SoftDependencies {
        self.softdeps.first().map(|value| SoftDependencies::parse(value)).unwrap_or_default()
    }

    /// The names in all `weakdep=`, with `_` in place of `-`.
    pub fn weak_dependencies(&self) -> impl Iterator<Item = Vec<u8>> {
        let words = self.weakdeps.iter().flat_map(|value| value.split(u8::is_ascii_whitespace));
        words.filter(|word| !word.is_empty()).map(with_underscores)
    }
}
