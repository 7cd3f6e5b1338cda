//! A ustar header (POSIX.1-1988): one block of octal numbers in ASCII.

/// Headers and data take whole blocks of this many bytes.
pub(crate) const BLOCK: usize = 512;

/// The zeros at the end of an archive, in bytes: two blocks.
pub(crate) const END: u64 = 1024;

/// The length of the fields for a name and for a link target, in bytes. A NUL is only needed after
/// a shorter one.
pub(crate) const NAME_LEN: usize = 100;

/// The largest id or device number: seven octal digits.
pub(crate) const MAX_ID: u32 = 0o7_777_777;

/// The largest length or time: eleven octal digits.
pub(crate) const MAX_NUMBER: u64 = 0o77_777_777_777;

/// The type of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeFlag {
    Regular = b'0' as isize,
    HardLink = b'1' as isize,
    Symlink = b'2' as isize,
    CharacterDevice = b'3' as isize,
    BlockDevice = b'4' as isize,
    Directory = b'5' as isize,
    Fifo = b'6' as isize,
    Records = b'x' as isize,
}

/// The values of a header. Those that do not fit are limited to the largest that does: a record has
/// the exact value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    /// Seconds since 1970.
    pub(crate) mtime: i64,
    pub(crate) type_flag: TypeFlag,
    pub(crate) link_name: &'a [u8],
    /// The major and minor device number.
    pub(crate) device: (u32, u32),
}

impl Header<'_> {
    /// Appends the block.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut block = [0; BLOCK];
        text(&mut block, 0, self.name);
        octal(&mut block, 100, 8, u64::from(self.mode));
        octal(&mut block, 108, 8, u64::from(self.uid));
        octal(&mut block, 116, 8, u64::from(self.gid));
        octal(&mut block, 124, 12, self.size);
        octal(&mut block, 136, 12, u64::try_from(self.mtime).unwrap_or(0));
        block[156] = self.type_flag as u8;
        text(&mut block, 157, self.link_name);
        block[257..265].copy_from_slice(b"ustar\x0000");
        octal(&mut block, 329, 8, u64::from(self.device.0));
        octal(&mut block, 337, 8, u64::from(self.device.1));
        // The checksum counts its own field as blanks.
        block[148..156].fill(b' ');
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        octal(&mut block, 148, 7, sum);
        out.extend_from_slice(&block);
    }
}

/// Writes the beginning of a name that fits.
fn text(block: &mut [u8; BLOCK], at: usize, text: &[u8]) {
    let len = text.len().min(NAME_LEN);
    block[at..at + len].copy_from_slice(&text[..len]);
}

/// Writes a number with leading zeros and a NUL at the end of a field of `len` bytes.
fn octal(block: &mut [u8; BLOCK], at: usize, len: usize, number: u64) {
    let digits = len - 1;
    let mut rest = number.min((1 << (3 * digits)) - 1);
    for byte in block[at..at + digits].iter_mut().rev() {
        // Three bits are one octal digit.
        *byte = b'0' + (rest & 7) as u8;
        rest >>= 3;
    }
    block[at + digits] = 0;
}

/// Appends zeros up to a whole block.
pub(crate) fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

/// Returns the number of zeros after data of this length, in bytes.
pub(crate) fn padding(len: u64) -> u64 {
    len.wrapping_neg() % BLOCK as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_do_not_fit_are_limited() {
        let mut block = [b'x'; BLOCK];
        for (number, expected) in [(0, b"0000000\0"), (0o644, b"0000644\0"), (u64::MAX, b"7777777\0")] {
            octal(&mut block, 100, 8, number);
            assert_eq!(&block[100..108], expected);
        }
        assert_eq!((block[99], block[108]), (b'x', b'x'));
    }
}
