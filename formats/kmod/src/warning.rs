//! Values that a plan leaves out, and decisions that it takes.

use std::fmt;

/// A value that indices leave out, or a decision of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// There is no `modules.order`, so that no module counts more than another.
    NoOrder,
    /// The last line of `modules.order` has no end, so that depmod ignores the file.
    OrderWithoutEnd,
    /// Two files have a module of the same name, of which one is used.
    SameName {
        /// The path of the file that is used.
        used: Vec<u8>,
        /// The path of the other one.
        unused: Vec<u8>,
    },
    /// An alias whose brackets do not match is only in the text.
    Brackets {
        /// The name of the module.
        module: Vec<u8>,
        /// The alias.
        alias: Vec<u8>,
    },
    /// A device name without numbers is left out of `modules.devname`.
    DeviceNumbers {
        /// The name of the module.
        module: Vec<u8>,
        /// The name of the device.
        device: Vec<u8>,
    },
    /// A line of `modules.builtin` is not the path of a module.
    Builtin {
        /// The line.
        line: Vec<u8>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOrder => write!(f, "modules.order is missing: no module counts more than another"),
            Self::OrderWithoutEnd => {
                write!(f, "the last line of modules.order does not end, so that the file is ignored")
            }
            Self::SameName { used, unused } => {
                let (used, unused) = (used.escape_ascii(), unused.escape_ascii());
                write!(f, "{unused} is ignored, because {used} is a module of the same name")
            }
            Self::Brackets { module, alias } => {
                let (module, alias) = (module.escape_ascii(), alias.escape_ascii());
                write!(
                    f,
                    "{module}: the brackets of the alias \"{alias}\" do not match: it cannot be looked up"
                )
            }
            Self::DeviceNumbers { module, device } => {
                let (module, device) = (module.escape_ascii(), device.escape_ascii());
                write!(f, "{module}: the device \"{device}\" has no number and is not in modules.devname")
            }
            Self::Builtin { line } => {
                write!(f, "modules.builtin: \"{}\" is not the path of a module", line.escape_ascii())
            }
        }
    }
}
