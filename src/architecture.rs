//! The architecture that a tree is for.
//!
//! A GPT can mark a partition as the root of a system for one architecture: the Discoverable
//! Partitions Specification (UAPI.2) defines a type for each. A tree does not state its
//! architecture, so it is detected from the programs in it.

use std::fmt;
use std::io;
use std::str::FromStr;

use image_tree::{Content, InodeId, Kind, Tree};
use thiserror::Error;
use uuid::Uuid;

use image_tree::resolve::resolve_in_root;

/// The architectures that have a root partition type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as in the specification; `ArchInfo` has what is known of it")]
pub enum Architecture {
    Alpha,
    Arc,
    Arm,
    Arm64,
    Ia64,
    Loongarch64,
    Mips,
    Mips64,
    MipsLe,
    Mips64Le,
    Parisc,
    Ppc,
    Ppc64,
    Ppc64Le,
    Riscv32,
    Riscv64,
    S390,
    S390x,
    Tilegx,
    X86,
    X86_64,
}

/// The properties of an architecture.
struct ArchInfo {
    architecture: Architecture,
    /// The name in partition type names such as `root-x86-64`.
    name: &'static str,
    /// Other names: those of `uname -m`, Debian, Alpine and OCI.
    aliases: &'static [&'static str],
    /// The partition type of a root file system.
    root: Uuid,
    /// The partition type of the hash tree of a root file system.
    root_verity: Uuid,
    /// `e_machine` values of its programs.
    machines: &'static [u16],
    /// `EI_CLASS` and `EI_DATA` of its programs.
    idents: &'static [Ident],
}

/// `EI_CLASS` and `EI_DATA`.
type Ident = (u8, u8);

const LE32: Ident = (1, 1);
const BE32: Ident = (1, 2);
const LE64: Ident = (2, 1);
const BE64: Ident = (2, 2);

impl Architecture {
    /// All architectures, in the order of their names in the specification.
    pub const ALL: [Self; 21] = {
        let mut all = [Self::Alpha; 21];
        let mut index = 0;
        while index < ARCHITECTURES.len() {
            all[index] = ARCHITECTURES[index].architecture;
            index += 1;
        }
        all
    };

    /// The name in partition type names: `x86-64` of `root-x86-64`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The GPT type of a partition that holds the root file system of a machine of this
    /// architecture.
    #[must_use]
    pub fn root_partition_type(self) -> Uuid {
        self.info().root
    }

    /// The GPT type of a partition that holds the dm-verity hash tree of such a root file system.
    #[must_use]
    pub fn root_verity_partition_type(self) -> Uuid {
        self.info().root_verity
    }

    /// The size in bytes of the largest page that kernels for it are built with.
    #[must_use]
    pub fn max_page_size(self) -> u32 {
        use Architecture as A;
        match self {
            A::Arm64 | A::Ia64 | A::Loongarch64 | A::Parisc | A::Ppc | A::Ppc64 | A::Ppc64Le => 64 << 10,
            A::Mips | A::Mips64 | A::MipsLe | A::Mips64Le | A::Tilegx => 64 << 10,
            A::Arc => 16 << 10,
            A::Alpha => 8 << 10,
            A::Arm | A::Riscv32 | A::Riscv64 | A::S390 | A::S390x | A::X86 | A::X86_64 => 4 << 10,
        }
    }

    fn info(self) -> &'static ArchInfo {
        let found = ARCHITECTURES.iter().find(|info| info.architecture == self);
        found.expect("every architecture is in the table")
    }

    /// Returns the architecture of a program from its first 20 bytes. `None` if it is not a
    /// program, or is for a machine without a root partition type, such as 64-bit ARM in
    /// big-endian.
    #[must_use]
    pub fn of_elf(header: &[u8; ELF_HEADER_LEN]) -> Option<Self> {
        let [0x7f, b'E', b'L', b'F', class, data, ..] = *header else { return None };
        let machine = [header[18], header[19]];
        let machine = match data {
            1 => u16::from_le_bytes(machine),
            2 => u16::from_be_bytes(machine),
            _ => return None,
        };
        Self::of_machine(class, data, machine)
    }

    /// Returns the architecture of programs by `EI_CLASS`, `EI_DATA` and `e_machine`.
    #[must_use]
    pub fn of_machine(class: u8, data: u8, machine: u16) -> Option<Self> {
        let is_for =
            |info: &&ArchInfo| info.machines.contains(&machine) && info.idents.contains(&(class, data));
        ARCHITECTURES.iter().find(is_for).map(|info| info.architecture)
    }
}

/// The number of bytes of an ELF header up to and including `e_machine`.
pub const ELF_HEADER_LEN: usize = 20;

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An error for an unknown architecture name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("\"{0}\" is not an architecture; known are {known}", known = known_names())]
pub struct UnknownArchitecture(String);

fn known_names() -> String {
    let names: Vec<_> = ARCHITECTURES.iter().map(|info| info.name).collect();
    names.join(", ")
}

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    /// Parses the specification's name or one used by `uname -m`, Debian, Alpine or OCI.
    ///
    /// Linux calls MIPS `mips` in either byte order; here the name means big-endian, as everywhere
    /// else.
    fn from_str(name: &str) -> Result<Self, UnknownArchitecture> {
        let is_called = |info: &&ArchInfo| info.name == name || info.aliases.contains(&name);
        let found = ARCHITECTURES.iter().find(is_called).map(|info| info.architecture);
        found.ok_or_else(|| UnknownArchitecture(name.to_owned()))
    }
}

/// Programs of a root file system, in the order in which the kernel would start them.
const WELL_KNOWN: [&str; 10] = [
    "/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/init",
    "/usr/bin/kata-agent",
    "/bin/sh",
    "/bin/busybox",
    "/usr/bin/env",
    "/bin/ls",
    "/sbin/ldconfig",
];

/// The maximum number of files that are read in search of a program if there is no well-known one.
const MAX_TRIES: usize = 4096;

/// Detects the architecture of the programs in a tree: of the first well-known one, such as
/// `/sbin/init`, or else of the first executable file. `None` if the tree has no program of a known
/// architecture.
///
/// # Errors
/// Returns an error if a file of the tree cannot be read.
pub fn detect<C: Content>(tree: &Tree<C>) -> io::Result<Option<Architecture>> {
    for path in WELL_KNOWN {
        if let Some(architecture) = of_path(tree, path.as_bytes())? {
            return Ok(Some(architecture));
        }
    }
    let is_executable = |id: &InodeId| {
        let inode = tree.get(*id);
        matches!(inode.kind, Kind::Regular(_)) && inode.metadata.mode & 0o111 != 0
    };
    let candidates = tree.walk().filter(|step| step.first).map(|step| step.id).filter(is_executable);
    for id in candidates.take(MAX_TRIES) {
        if let Some(architecture) = of_file(tree, id)? {
            return Ok(Some(architecture));
        }
    }
    Ok(None)
}

/// Returns the architecture of the program at a path; `None` if there is none of a known one.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn of_path<C: Content>(tree: &Tree<C>, path: &[u8]) -> io::Result<Option<Architecture>> {
    resolve_in_root(tree, path).map_or(Ok(None), |id| of_file(tree, id))
}

fn of_file<C: Content>(tree: &Tree<C>, id: InodeId) -> io::Result<Option<Architecture>> {
    let Kind::Regular(content) = &tree.get(id).kind else { return Ok(None) };
    let mut header = [0; ELF_HEADER_LEN];
    if content.len() < header.len() as u64 {
        return Ok(None);
    }
    content.read_at(&mut header, 0)?;
    Ok(Architecture::of_elf(&header))
}

const fn info(
    architecture: Architecture,
    name: &'static str,
    aliases: &'static [&'static str],
    root: Uuid,
    root_verity: Uuid,
    machines: &'static [u16],
    idents: &'static [Ident],
) -> ArchInfo {
    ArchInfo { architecture, name, aliases, root, root_verity, machines, idents }
}

/// Names and types: Discoverable Partitions Specification, "Defined Partition Type UUIDs".
/// Machines: the ELF registry of the System V ABI, except for 0x9026, which Linux uses for Alpha.
#[rustfmt::skip]
const ARCHITECTURES: [ArchInfo; 21] = {
    use Architecture as A;
    use uuid::uuid;
    [
    info(A::Alpha, "alpha", &[],
        uuid!("6523f8ae-3eb1-4e2a-a05a-18b695ae656f"),
        uuid!("fc56d9e9-e6e5-4c06-be32-e74407ce09a5"), &[0x9026], &[LE64]),
    info(A::Arc, "arc", &[],
        uuid!("d27f46ed-2919-4cb8-bd25-9531f3c16534"),
        uuid!("24b2d975-0f97-4521-afa1-cd531e421b8d"), &[93, 195], &[LE32]),
    info(A::Arm, "arm", &["armv5tel", "armv6l", "armv7l", "armv8l", "armel", "armhf", "armv7"],
        uuid!("69dad710-2ce4-4e3c-b16c-21a1d49abed3"),
        uuid!("7386cdf2-203c-47a9-a498-f2ecce45a2d6"), &[40], &[LE32]),
    info(A::Arm64, "arm64", &["aarch64"],
        uuid!("b921b045-1df0-41c3-af44-4c6f280d3fae"),
        uuid!("df3300ce-d69f-4c92-978c-9bfb0f38d820"), &[183], &[LE64]),
    info(A::Ia64, "ia64", &[],
        uuid!("993d8d3d-f80e-4225-855a-9daf8ed7ea97"),
        uuid!("86ed10d5-b607-45bb-8957-d350f23d0571"), &[50], &[LE64]),
    info(A::Loongarch64, "loongarch64", &["loong64"],
        uuid!("77055800-792c-4f94-b39a-98c91b762bb6"),
        uuid!("f3393b22-e9af-4613-a948-9d3bfbd0c535"), &[258], &[LE64]),
    info(A::Mips, "mips", &[],
        uuid!("e9434544-6e2c-47cc-bae2-12d6deafb44c"),
        uuid!("7a430799-f711-4c7e-8e5b-1d685bd48607"), &[8], &[BE32]),
    info(A::Mips64, "mips64", &[],
        uuid!("d113af76-80ef-41b4-bdb6-0cff4d3d4a25"),
        uuid!("579536f8-6a33-4055-a95a-df2d5e2c42a8"), &[8], &[BE64]),
    info(A::MipsLe, "mips-le", &["mipsel", "mipsle"],
        uuid!("37c58c8a-d913-4156-a25f-48b1b64e07f0"),
        uuid!("d7d150d2-2a04-4a33-8f12-16651205ff7b"), &[8], &[LE32]),
    info(A::Mips64Le, "mips64-le", &["mips64el", "mips64le"],
        uuid!("700bda43-7a34-4507-b179-eeb93d7a7ca3"),
        uuid!("16b417f8-3e06-4f57-8dd2-9b5232f41aa6"), &[8], &[LE64]),
    info(A::Parisc, "parisc", &["parisc64", "hppa"],
        uuid!("1aacdb3b-5444-4138-bd9e-e5c2239b2346"),
        uuid!("d212a430-fbc5-49f9-a983-a7feef2b8d0e"), &[15], &[BE32, BE64]),
    info(A::Ppc, "ppc", &["powerpc"],
        uuid!("1de3f1ef-fa98-47b5-8dcd-4a860a654d78"),
        uuid!("98cfe649-1588-46dc-b2f0-add147424925"), &[20], &[BE32]),
    info(A::Ppc64, "ppc64", &["powerpc64"],
        uuid!("912ade1d-a839-4913-8964-a10eee08fbd2"),
        uuid!("9225a9a3-3c19-4d89-b4f6-eeff88f17631"), &[21], &[BE64]),
    info(A::Ppc64Le, "ppc64-le", &["ppc64le", "ppc64el", "powerpc64le"],
        uuid!("c31c45e6-3f39-412e-80fb-4809c4980599"),
        uuid!("906bd944-4589-4aae-a4e4-dd983917446a"), &[21], &[LE64]),
    info(A::Riscv32, "riscv32", &[],
        uuid!("60d5a7fe-8e7d-435c-b714-3dd8162144e1"),
        uuid!("ae0253be-1167-4007-ac68-43926c14c5de"), &[243], &[LE32]),
    info(A::Riscv64, "riscv64", &["riscv64gc"],
        uuid!("72ec70a6-cf74-40e6-bd49-4bda08e8f224"),
        uuid!("b6ed5582-440b-4209-b8da-5ff7c419ea3d"), &[243], &[LE64]),
    info(A::S390, "s390", &[],
        uuid!("08a7acea-624c-4a20-91e8-6e0fa67d23f9"),
        uuid!("7ac63b47-b25c-463b-8df8-b4a94e6c90e1"), &[22], &[BE32]),
    info(A::S390x, "s390x", &[],
        uuid!("5eead9a9-fe09-4a1e-a1d7-520d00531306"),
        uuid!("b325bfbe-c7be-4ab8-8357-139e652d2f6b"), &[22], &[BE64]),
    info(A::Tilegx, "tilegx", &[],
        uuid!("c50cdd70-3862-4cc3-90e1-809a8c93ee2c"),
        uuid!("966061ec-28e4-4b2e-b4a5-1f0a825a1d84"), &[191], &[LE64]),
    info(A::X86, "x86", &["i386", "i486", "i586", "i686", "386"],
        uuid!("44479540-f297-41b2-9af7-d131d5f0458a"),
        uuid!("d13c5d3b-b5d1-422a-b29f-9454fdc89d76"), &[3], &[LE32]),
    // Programs of the x32 ABI are 32-bit files for the 64-bit machine.
    info(A::X86_64, "x86-64", &["x86_64", "amd64", "x64"],
        uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
        uuid!("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"), &[62], &[LE64, LE32]),
    ]
};

#[cfg(test)]
mod tests;
