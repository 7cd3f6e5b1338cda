//! Errors of a search for a closure, by their kind.

use super::{Error, ErrorKind, classify_read_error};
use crate::closure;

impl From<closure::Error> for Error {
    /// Classifies an error of the closure. Requests are named by the flags that state them.
    fn from(error: closure::Error) -> Self {
        use closure::Error as Failure;
        let flag = match error {
            Failure::Read(error) => return classify_read_error(error),
            Failure::NotAUnit(_) => return Self::new(ErrorKind::Usage, error),
            Failure::NoMatchingUnit(_) => "--keep-unit ",
            Failure::RulesNotFound(_) => "--keep-rule ",
            Failure::ServiceNotFound(_) => "--pam ",
            Failure::Packages(_) => "--keep-package ",
            Failure::KernelModules(_) => "--keep-module: ",
            _ => "",
        };
        Self::new(ErrorKind::BadInput, format!("{flag}{error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::Error as Failure;
    use crate::error::{Change, ChangedWhileRead};

    #[test]
    fn errors_of_the_closure_have_a_kind_and_name_the_flag() {
        let name = || b"name".to_vec();
        let changed = ChangedWhileRead { path: "f".into(), change: Change::Gone };
        let missing = crate::closure::Closure::default().missing;
        for (failure, kind, start) in [
            (Failure::Read(std::io::Error::other("no")), ErrorKind::Io, "no"),
            (Failure::Read(std::io::Error::other(changed)), ErrorKind::BadInput, "f: changed while"),
            (Failure::NotAUnit(name()), ErrorKind::Usage, "\"name\" is not the name of a unit"),
            (
                Failure::UnitNotFound { name: name(), directories: "/lib".to_owned() },
                ErrorKind::BadInput,
                "unit name not found",
            ),
            (Failure::NoMatchingUnit(name()), ErrorKind::BadInput, "--keep-unit name: no unit"),
            (Failure::RulesNotFound(name()), ErrorKind::BadInput, "--keep-rule name: no directory"),
            (Failure::ServiceNotFound(name()), ErrorKind::BadInput, "--pam name: the tree has no such"),
            (Failure::Exhausted, ErrorKind::BadInput, "the programs of this tree"),
            (Failure::TooManyRounds(8), ErrorKind::BadInput, "the dependencies of what is kept"),
            (Failure::Missing(missing), ErrorKind::BadInput, "missing from the tree"),
            (
                Failure::NotKept { path: name(), is_there: true },
                ErrorKind::BadInput,
                "name is in the tree, but not kept",
            ),
        ] {
            let error = Error::from(failure);
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().starts_with(start), "{error}");
        }
    }
}
