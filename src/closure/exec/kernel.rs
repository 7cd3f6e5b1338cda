//! The programs that a kernel executes.

use crate::closure::elf::Abi;

/// The programs that a kernel executes, as far as its configuration is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// The ABIs of the programs, the kernel's own first; `None` if they are not known.
    pub abis: Option<Vec<Abi>>,
    /// True if it does not execute scripts (`CONFIG_BINFMT_SCRIPT`).
    pub lacks_scripts: bool,
}

impl Kernel {
    /// Returns the reason why the kernel does not execute programs of an ABI, as a clause.
    pub(super) fn refuses(&self, abi: Abi) -> Option<String> {
        let abis = self.abis.as_ref().filter(|abis| !abis.contains(&abi))?;
        let why = format!("it is a program for {}, which the kernel does not execute", machine(abi));
        let own = abis.first().map(|own| (own.machine, abi.machine, abi.class));
        Some(match own {
            Some((X86_64, I386, _)) => why + " without CONFIG_IA32_EMULATION",
            Some((X86_64, X86_64, 1)) => why + " without CONFIG_X86_X32_ABI",
            Some((AARCH64, ARM, _)) => why + " without CONFIG_COMPAT",
            _ => why,
        })
    }
}

const I386: u16 = 3;
const ARM: u16 = 40;
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// Returns a description of an ABI, such as `x86-64`.
pub(super) fn machine(abi: Abi) -> String {
    let bits = if abi.class == 1 { 32 } else { 64 };
    let name = match (abi.machine, bits) {
        (I386, _) => "i386",
        (8, _) => "MIPS",
        (20 | 21, _) => "PowerPC",
        (22, _) => "S/390",
        (ARM, _) => "ARM",
        (X86_64, 32) => return "x32".to_owned(),
        (X86_64, _) => return "x86-64".to_owned(),
        (AARCH64, _) => "ARM64",
        (243, _) => "RISC-V",
        (258, _) => "LoongArch",
        (number, _) => return format!("machine {number} of {bits} bits"),
    };
    let order = if abi.data == 2 { "big-endian" } else { "little-endian" };
    format!("{name} ({bits} bits, {order})")
}
