//! glibc-hwcaps variants of libraries: the directories `glibc-hwcaps/*` beside the library.

use std::str::FromStr;

use crate::closure::elf::Abi;

/// The glibc-hwcaps variants that are kept beside the baseline library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hwcaps {
    /// All: the processor that the image runs on decides which is loaded.
    #[default]
    All,
    /// None. The baseline libraries run on every processor.
    None,
    /// The variants with these names, such as `x86-64-v3`.
    Only(Vec<String>),
}

impl FromStr for Hwcaps {
    type Err = String;

    /// Parses `all`, `none` or a comma-separated list of names.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let names: Vec<String> = text.split(',').map(str::to_owned).collect();
        let known =
            |name: &&String| EVERY.iter().any(|machine| machine.subdirectories.contains(&name.as_str()));
        match names.iter().find(|name| !known(name)) {
            Some(name) => {
                Err(format!("\"{name}\" is not a directory of glibc-hwcaps; known are {}", all_names()))
            }
            None => Ok(Self::Only(names)),
        }
    }
}

impl Hwcaps {
    /// Returns the subdirectories of `glibc-hwcaps` that are kept for libraries of an ABI, the
    /// highest ISA level first.
    pub(in crate::closure) fn of(&self, abi: Abi) -> Vec<&'static [u8]> {
        let kept = |name: &&&str| match self {
            Self::All => true,
            Self::None => false,
            Self::Only(names) => names.iter().any(|wanted| wanted == **name),
        };
        let machine = EVERY.iter().find(|machine| machine.abi == abi);
        let names = machine.map_or(&[][..], |machine| machine.subdirectories);
        names.iter().filter(kept).map(|name| name.as_bytes()).collect()
    }
}

struct Machine {
    abi: Abi,
    /// The subdirectories in glibc's order, best first: a processor that supports one supports
    /// those after it.
    subdirectories: &'static [&'static str],
}

/// From glibc, `sysdeps/*/dl-hwcaps-subdirs.c`.
const EVERY: [Machine; 3] = [
    Machine {
        abi: Abi { class: 2, data: 1, machine: 62 },
        subdirectories: &["x86-64-v4", "x86-64-v3", "x86-64-v2"],
    },
    Machine {
        abi: Abi { class: 2, data: 1, machine: 21 },
        subdirectories: &["power11", "power10", "power9"],
    },
    Machine {
        abi: Abi { class: 2, data: 2, machine: 22 },
        subdirectories: &["z17", "z16", "z15", "z14", "z13"],
    },
];

fn all_names() -> String {
    let names: Vec<&str> = EVERY.iter().flat_map(|machine| machine.subdirectories).copied().collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_glibc() {
        let x86_64 = Abi { class: 2, data: 1, machine: 62 };
        let only: Hwcaps = "x86-64-v2,z13".parse().expect("both are known");
        assert_eq!(only.of(x86_64), [b"x86-64-v2"]);
        assert_eq!("all".parse(), Ok(Hwcaps::All));
        assert_eq!("none".parse(), Ok(Hwcaps::None));
        assert!("x86-64-v5".parse::<Hwcaps>().is_err() && "".parse::<Hwcaps>().is_err());
        // 32-bit programs of the same processors have no variants.
        assert!(Hwcaps::All.of(Abi { class: 1, ..x86_64 }).is_empty());
    }
}
