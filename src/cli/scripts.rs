//! The names and the interface of osbuilder's scripts: called as `image_builder.sh` or
//! `initrd_builder.sh`, the program takes their options and variables.
//!
//! A script's command line is translated into one of rootcast, which is then parsed as any other.
//! A variable that is empty is one that is unset, as in the scripts.

mod environment;
mod image_builder;
mod initrd_builder;
mod options;
mod translated;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use self::environment::Environment;
pub(super) use self::translated::Translated;

/// A script whose interface the program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// `image_builder.sh`
    ImageBuilder,
    /// `initrd_builder.sh`
    InitrdBuilder,
}

impl Script {
    /// Returns the script that a program's name is the name of.
    #[must_use]
    pub fn of(program: &OsStr) -> Option<Self> {
        match Path::new(program).file_name()?.to_str()? {
            "image_builder.sh" => Some(Self::ImageBuilder),
            "initrd_builder.sh" => Some(Self::InitrdBuilder),
            _ => None,
        }
    }

    /// The code with which the scripts end after every error.
    pub const FAILURE: u8 = 1;

    /// Translates a command line without the program's name.
    ///
    /// # Errors
    /// A message that names the option or the variable, its value and the way out.
    pub(super) fn translate(
        self,
        arguments: &[OsString],
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Translated, String> {
        let environment = Environment::of(variables);
        match self {
            Self::ImageBuilder => image_builder::translate(arguments, &environment),
            Self::InitrdBuilder => initrd_builder::translate(arguments, &environment),
        }
    }
}

#[cfg(test)]
mod tests;
