//! The names of architectures in Debian.

use crate::architecture::Architecture;

/// Returns the name of an architecture in Debian. 32-bit ARM is `armhf`.
#[must_use]
pub fn name(architecture: Architecture) -> &'static str {
    use Architecture as A;
    match architecture {
        A::X86_64 => "amd64",
        A::X86 => "i386",
        A::Arm => "armhf",
        A::Ppc64Le => "ppc64el",
        A::Ppc => "powerpc",
        A::Mips64Le => "mips64el",
        A::MipsLe => "mipsel",
        A::Loongarch64 => "loong64",
        A::Parisc => "hppa",
        // The others are called as in the specification of partitions.
        other => other.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_architecture_that_they_are_of() {
        for architecture in Architecture::ALL {
            let found: Architecture = name(architecture).parse().expect("a name of it");
            assert_eq!(found, architecture);
        }
    }
}
