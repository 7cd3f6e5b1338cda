//! The architectures as `ldconfig` identifies them.

/// The flags by which the dynamic linker of one architecture marks libraries, and its order of
/// names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abi {
    /// `flags` of an entry: 3 for a library of libc6; the second byte identifies one of several
    /// architectures that a machine can run.
    pub flags: u32,
    /// True if the byte order is big-endian.
    pub big_endian: bool,
    /// True if C's `char` is signed, which affects the sort order of names that are not ASCII.
    signed_char: bool,
}

/// A library of libc6 for a machine that can run only one architecture.
const LIBC6: u32 = 3;

// `e_machine`.
const EM_386: u16 = 3;
const EM_MIPS: u16 = 8;
const EM_PPC: u16 = 20;
const EM_PPC64: u16 = 21;
const EM_S390: u16 = 22;
const EM_ARM: u16 = 40;
const EM_SPARCV9: u16 = 43;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;
const EM_RISCV: u16 = 243;
const EM_LOONGARCH: u16 = 258;

const ELFCLASS64: u8 = 2;
const ELFDATA2MSB: u8 = 2;

impl Abi {
    /// Returns the ABI of an ELF file with these header fields: `EI_CLASS`, `EI_DATA`, `e_machine`,
    /// `e_flags`. `None` if glibc's dynamic linker does not define one.
    #[must_use]
    pub fn of_elf(class: u8, data: u8, machine: u16, e_flags: u32) -> Option<Self> {
        let is_64 = class == ELFCLASS64;
        let (kind, signed_char) = match (machine, is_64) {
            (EM_X86_64, true) => (0x03, true),
            (EM_X86_64, false) => (0x08, true),
            (EM_S390, true) => (0x04, false),
            (EM_PPC64, true) => (0x05, false),
            (EM_SPARCV9, true) => (0x01, true),
            (EM_AARCH64, true) => (0x0a, false),
            (EM_ARM, false) => (arm(e_flags), false),
            (EM_RISCV, true) => (riscv(e_flags)?, false),
            (EM_LOONGARCH, true) => (loongarch(e_flags)?, true),
            (EM_MIPS, _) => (mips(is_64, e_flags), true),
            (EM_PPC | EM_S390, false) => (0, false),
            (EM_386, false) => (0, true),
            _ => return None,
        };
        Some(Self { flags: kind << 8 | LIBC6, big_endian: data == ELFDATA2MSB, signed_char })
    }

    /// Converts a byte to the value of C's `char` on this architecture.
    pub(super) fn char(self, byte: u8) -> i16 {
        if self.signed_char { i16::from(byte.cast_signed()) } else { i16::from(byte) }
    }
}

/// Returns the flags for hard or soft floating point; a file that declares neither is compatible
/// with both.
fn arm(e_flags: u32) -> u32 {
    const EABI_VERSION: u32 = 0xff00_0000;
    const EABI_VERSION_5: u32 = 0x0500_0000;
    const FLOAT_HARD: u32 = 0x400;
    const FLOAT_SOFT: u32 = 0x200;
    match e_flags {
        flags if flags & EABI_VERSION != EABI_VERSION_5 => 0,
        flags if flags & FLOAT_HARD != 0 => 0x09,
        flags if flags & FLOAT_SOFT != 0 => 0x0b,
        _ => 0,
    }
}

fn riscv(e_flags: u32) -> Option<u32> {
    const RVC: u32 = 1;
    const FLOAT_DOUBLE: u32 = 4;
    match e_flags & !RVC {
        0 => Some(0x0f),
        FLOAT_DOUBLE => Some(0x10),
        _ => None,
    }
}

fn loongarch(e_flags: u32) -> Option<u32> {
    // Declares the relocations that the static linker may encounter, which is irrelevant to the
    // dynamic linker.
    const OBJABI_V1: u32 = 0x40;
    match e_flags & !OBJABI_V1 {
        1 => Some(0x11),
        3 => Some(0x12),
        _ => None,
    }
}

fn mips(is_64: bool, e_flags: u32) -> u32 {
    const ABI2: u32 = 0x20;
    const NAN2008: u32 = 0x400;
    let nan2008 = e_flags & NAN2008 != 0;
    match (is_64, e_flags & ABI2 != 0) {
        (true, _) if nan2008 => 0x0e,
        (true, _) => 0x07,
        (false, true) if nan2008 => 0x0d,
        (false, true) => 0x06,
        (false, false) if nan2008 => 0x0c,
        (false, false) => 0,
    }
}
