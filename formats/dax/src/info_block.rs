//! The pfn info block: `struct nd_pfn_sb` in the kernel's `drivers/nvdimm/pfn.h`.

use uuid::Uuid;

use crate::Error;
use crate::checksum::fletcher64;

const SIGNATURE: [u8; 16] = *b"NVDIMM_PFN_INFO\0";
const CHECKSUM_OFFSET: usize = InfoBlock::LEN - 8;
/// The alignments that a kernel with 4-KiB pages may support: its three sizes of pages.
const ALIGNS: [u32; 3] = [4096, 2 << 20, 1 << 30];

/// The fields of a pfn info block, named as in the kernel.
///
/// ```text
///  0 signature [16]       56 dataoff u64      80 end_trunc u32
/// 16 uuid [16]            64 npfns u64        84 align u32
/// 32 parent_uuid [16]     72 mode u32         88 page_size u32
/// 48 flags u32            76 start_pad u32    92 page_struct_size u16
/// 52 version_major u16                        94 padding
/// 54 version_minor u16                      4088 checksum u64
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InfoBlock {
    /// The UUID of the device; Linux does not check it.
    pub uuid: Uuid,
    /// The UUID of the namespace; nil for a namespace without label, as that of an image is.
    pub parent_uuid: Uuid,
    /// Linux does not check the flags; 0.
    pub flags: u32,
    /// Linux does not check the major version.
    pub version_major: u16,
    /// The fields from [`InfoBlock::start_pad`] on exist from version 1, [`InfoBlock::align`] from
    /// 2, and [`InfoBlock::page_size`] and the next from 4. Linux ignores those that the version
    /// does not have.
    pub version_minor: u16,
    /// `dataoff`, the offset of the contents from the start of the namespace, in bytes.
    pub data_offset: u64,
    /// `npfns`, the number of page structures on the device. Linux does not use it with
    /// [`Mode::Ram`].
    pub npfns: u64,
    /// The place of the page structures.
    pub mode: Mode,
    /// The bytes left out at the start of the namespace.
    pub start_pad: u32,
    /// The bytes left out at the end of the namespace.
    pub end_trunc: u32,
    /// The alignment of the contents in bytes: 4096, 2 MiB or 1 GiB, which allows mappings by pages
    /// of this size. 0 means the largest power of two up to the offset of the contents.
    pub align: u32,
    /// The size of a page in bytes.
    pub page_size: u32,
    /// The length of a page structure in bytes.
    pub page_struct_size: u16,
}

/// The place of the page structures that the kernel needs for DAX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// 1, `PFN_MODE_RAM`: the kernel allocates them in RAM, so that the image can be read-only.
    Ram,
    /// 2, `PFN_MODE_PMEM`: they are on the device, before the contents.
    Pmem,
}

impl Mode {
    /// Returns the mode of this number.
    fn new(number: u32) -> Result<Self, Error> {
        match number {
            1 => Ok(Mode::Ram),
            2 => Ok(Mode::Pmem),
            mode => Err(Error::Mode { mode }),
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Mode::Ram => 1,
            Mode::Pmem => 2,
        }
    }
}

impl InfoBlock {
    /// The offset of the block from the start of the device, in bytes.
    pub const OFFSET: u64 = 4096;
    /// The length of the block in bytes.
    pub const LEN: usize = 4096;
    /// The alignment of [`InfoBlock::in_ram`], and what the length of a device must be a multiple
    /// of on x86-64, in bytes.
    pub const ALIGN: u32 = 2 << 20;

    /// The block of an image whose page structures are in the guest's RAM: version 0.2, without
    /// UUID, aligned to 2 MiB. The contents start at `data_offset` bytes, a multiple of that.
    #[must_use]
    pub const fn in_ram(data_offset: u64) -> Self {
        Self {
            uuid: Uuid::nil(),
            parent_uuid: Uuid::nil(),
            flags: 0,
            version_major: 0,
            version_minor: 2,
            data_offset,
            npfns: 0,
            mode: Mode::Ram,
            start_pad: 0,
            end_trunc: 0,
            align: Self::ALIGN,
            page_size: 0,
            page_struct_size: 0,
        }
    }

    /// Checks that Linux on x86-64 accepts the block on a device of this length whose address is a
    /// multiple of the alignment, as that of an emulated NVDIMM is. The space for page structures
    /// with [`Mode::Pmem`] is not checked.
    ///
    /// # Errors
    /// Returns an error if the device is too short or does not end at a multiple of 2 MiB, the
    /// alignment or the page structures are not supported, the contents are not aligned or overlap
    /// the block, or the parent is not nil.
    pub fn check_device(&self, len: u64) -> Result<(), Error> {
        let Self { parent_uuid: parent, data_offset, .. } = *self;
        if !parent.is_nil() {
            return Err(Error::Parent { parent });
        }
        let (start_pad, end_trunc) =
            if self.version_minor < 1 { (0, 0) } else { (self.start_pad, self.end_trunc) };
        let multiple = Self::ALIGN;
        let end = len.saturating_sub(end_trunc.into());
        if !end.is_multiple_of(multiple.into()) {
            return Err(Error::DeviceMultiple { len, end_trunc, multiple });
        }
        if !start_pad.is_multiple_of(multiple) {
            return Err(Error::StartPad { start_pad, multiple });
        }
        self.check_page_structs()?;
        let align = self.effective_align()?;
        let start = data_offset.checked_add(start_pad.into()).filter(|start| start.is_multiple_of(align));
        let start = start.filter(|_| data_offset >= Self::OFFSET + Self::LEN as u64);
        let start = start.ok_or(Error::DataOffset { data_offset, start_pad, align })?;
        if start >= end {
            return Err(Error::DeviceTooShort { len, data_offset });
        }
        Ok(())
    }

    /// Checks that page structures on the device are those of a kernel with 4-KiB pages.
    fn check_page_structs(&self) -> Result<(), Error> {
        let Self { page_size, page_struct_size, .. } = *self;
        let is_supported = self.version_minor < 4 || page_size <= 4096 && page_struct_size >= 64;
        if self.mode == Mode::Pmem && !is_supported {
            return Err(Error::PageStructs { page_size, page_struct_size });
        }
        Ok(())
    }

    /// The alignment that the kernel uses.
    fn effective_align(&self) -> Result<u64, Error> {
        match self.align {
            align if self.version_minor >= 2 && align != 0 => {
                if ALIGNS.contains(&align) {
                    Ok(align.into())
                } else {
                    Err(Error::Align { align })
                }
            }
            // The highest power of two that is not greater; the kernel's ilog2.
            _ => Ok(self.data_offset.checked_ilog2().map_or(4096, |power| 1 << power)),
        }
    }

    /// Returns the bytes of the block with its checksum.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let fields: [(usize, &[u8]); 14] = [
            (0, &SIGNATURE),
            (16, self.uuid.as_bytes()),
            (32, self.parent_uuid.as_bytes()),
            (48, &self.flags.to_le_bytes()),
            (52, &self.version_major.to_le_bytes()),
            (54, &self.version_minor.to_le_bytes()),
            (56, &self.data_offset.to_le_bytes()),
            (64, &self.npfns.to_le_bytes()),
            (72, &self.mode.number().to_le_bytes()),
            (76, &self.start_pad.to_le_bytes()),
            (80, &self.end_trunc.to_le_bytes()),
            (84, &self.align.to_le_bytes()),
            (88, &self.page_size.to_le_bytes()),
            (92, &self.page_struct_size.to_le_bytes()),
        ];
        for (offset, field) in fields {
            bytes[offset..][..field.len()].copy_from_slice(field);
        }
        let checksum = fletcher64(&bytes);
        bytes[CHECKSUM_OFFSET..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a block and checks signature, checksum and mode. Bytes behind the fields count in the
    /// checksum only.
    ///
    /// # Errors
    /// Returns an error if the bytes are too few or not a valid block. [`InfoBlock::check_device`]
    /// checks if the fields fit a device.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; Self::LEN] = bytes.first_chunk().ok_or(Error::Truncated { len: bytes.len() })?;
        if field(bytes, 0) != SIGNATURE {
            return Err(Error::Signature);
        }
        let found = u64::from_le_bytes(field(bytes, CHECKSUM_OFFSET));
        let mut without_checksum = *bytes;
        without_checksum[CHECKSUM_OFFSET..].fill(0);
        let computed = fletcher64(&without_checksum);
        if found != computed {
            return Err(Error::Checksum { found, computed });
        }
        let u32_at = |offset| u32::from_le_bytes(field(bytes, offset));
        let u16_at = |offset| u16::from_le_bytes(field(bytes, offset));
        let u64_at = |offset| u64::from_le_bytes(field(bytes, offset));
        Ok(Self {
            uuid: Uuid::from_bytes(field(bytes, 16)),
            parent_uuid: Uuid::from_bytes(field(bytes, 32)),
            flags: u32_at(48),
            version_major: u16_at(52),
            version_minor: u16_at(54),
            data_offset: u64_at(56),
            npfns: u64_at(64),
            mode: Mode::new(u32_at(72))?,
            start_pad: u32_at(76),
            end_trunc: u32_at(80),
            align: u32_at(84),
            page_size: u32_at(88),
            page_struct_size: u16_at(92),
        })
    }
}

/// Copies a field of fixed length.
fn field<const N: usize>(bytes: &[u8; InfoBlock::LEN], offset: usize) -> [u8; N] {
    // OK to unwrap: the offsets are constants, and every field ends within the block.
    bytes[offset..][..N].try_into().expect("the length is N")
}

#[cfg(test)]
mod tests {
    use super::{InfoBlock, Mode};
    use crate::Error;

    const MIB: u64 = 1 << 20;

    /// The checksum that other tools write for the same fields.
    #[test]
    fn the_block_of_a_container_guest_has_its_known_bytes() {
        let bytes = InfoBlock::in_ram(2 * MIB).to_bytes();
        assert_eq!(bytes[4088..], [0x30, 0x38, 0x94, 0xe3, 0x2b, 0x03, 0x5b, 0x68]);
        let set: Vec<(usize, u8)> =
            bytes[16..4088].iter().enumerate().filter(|(_, b)| **b != 0).map(|(i, b)| (i + 16, *b)).collect();
        assert_eq!(set, [(54, 2), (58, 0x20), (72, 1), (86, 0x20)]);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = InfoBlock::in_ram(2 * MIB).to_bytes();
        for at in 0..bytes.len() {
            let mut bytes = bytes;
            bytes[at] ^= 1 << (at % 8);
            let found = InfoBlock::parse(&bytes).expect_err("a bit is wrong");
            let is_expected = match at {
                0..16 => found == Error::Signature,
                _ => matches!(found, Error::Checksum { .. }),
            };
            assert!(is_expected, "{at}: {found}");
        }
        assert_eq!(InfoBlock::parse(&bytes[..4095]), Err(Error::Truncated { len: 4095 }));
    }

    #[test]
    fn an_unknown_mode_is_refused() {
        let mut bytes = InfoBlock::in_ram(2 * MIB).to_bytes();
        bytes[72] = 3;
        bytes[4088..].fill(0);
        let checksum = crate::checksum::fletcher64(&bytes);
        bytes[4088..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(InfoBlock::parse(&bytes), Err(Error::Mode { mode: 3 }));
    }

    #[test]
    fn devices_are_whole_multiples_longer_than_the_header() {
        let block = InfoBlock::in_ram(2 * MIB);
        assert_eq!(block.check_device(128 * MIB), Ok(()));
        assert_eq!(block.check_device(4 * MIB), Ok(()));
        let (end_trunc, multiple) = (0, InfoBlock::ALIGN);
        for len in [129 * MIB, 128 * MIB + 4096, 1] {
            assert_eq!(block.check_device(len), Err(Error::DeviceMultiple { len, end_trunc, multiple }));
        }
        for len in [0, 2 * MIB] {
            let data_offset = 2 * MIB;
            assert_eq!(block.check_device(len), Err(Error::DeviceTooShort { len, data_offset }));
        }
    }

    #[test]
    fn bytes_left_out_at_the_ends_are_not_contents() {
        let multiple = InfoBlock::ALIGN;
        let mut block = InfoBlock::in_ram(2 * MIB);
        block.end_trunc = 4096;
        assert_eq!(block.check_device(128 * MIB + 4096), Ok(()));
        let (len, end_trunc) = (128 * MIB, 4096);
        assert_eq!(block.check_device(len), Err(Error::DeviceMultiple { len, end_trunc, multiple }));
        assert!(matches!(block.check_device(1), Err(Error::DeviceTooShort { .. })));

        (block.start_pad, block.end_trunc) = (4 << 20, 2 << 20);
        assert_eq!(block.check_device(10 * MIB), Ok(()));
        assert!(matches!(block.check_device(8 * MIB), Err(Error::DeviceTooShort { .. })));
        (block.start_pad, block.align) = (4096, 4096);
        assert_eq!(block.check_device(128 * MIB), Err(Error::StartPad { start_pad: 4096, multiple }));
        block.version_minor = 1;
        assert_eq!(block.check_device(128 * MIB), Err(Error::StartPad { start_pad: 4096, multiple }));
        block.version_minor = 0;
        assert_eq!(block.check_device(128 * MIB), Ok(()), "blocks before version 1.1 lack the field");
    }

    #[test]
    fn page_structures_on_the_device_are_those_of_the_kernel() {
        let mut block = InfoBlock::in_ram(2 * MIB);
        let found = |block: &InfoBlock| block.check_device(128 * MIB);
        block.mode = Mode::Pmem;
        assert_eq!(found(&block), Ok(()), "before version 4 there are no sizes");
        block.version_minor = 4;
        for (page_size, page_struct_size, is_supported) in
            [(4096, 64, true), (4096, 63, false), (4097, 64, false), (8192, 64, false)]
        {
            (block.page_size, block.page_struct_size) = (page_size, page_struct_size);
            let expected =
                if is_supported { Ok(()) } else { Err(Error::PageStructs { page_size, page_struct_size }) };
            assert_eq!(found(&block), expected);
        }
        block.mode = Mode::Ram;
        assert_eq!(found(&block), Ok(()));
    }

    #[test]
    fn contents_are_aligned() {
        for data_offset in [0, 1, 4096, MIB, 3 * MIB, u64::MAX] {
            let found = InfoBlock::in_ram(data_offset).check_device(128 * MIB);
            assert!(matches!(found, Err(Error::DataOffset { .. })), "{data_offset}: {found:?}");
        }
        // Contents may not start before the end of the block.
        for (data_offset, is_supported) in [(0, false), (4096, false), (8192, true)] {
            let block = InfoBlock { align: 4096, ..InfoBlock::in_ram(data_offset) };
            assert_eq!(block.check_device(128 * MIB).is_ok(), is_supported, "{data_offset}");
        }
        let mut block = InfoBlock::in_ram(6 * MIB);
        (block.align, block.start_pad) = (0, 2 << 20);
        assert_eq!(block.check_device(128 * MIB), Ok(()), "8 MiB are a multiple of 4");
        block.start_pad = 0;
        let (start_pad, align) = (0, 4 * MIB);
        let expected = Err(Error::DataOffset { data_offset: 6 * MIB, start_pad, align });
        assert_eq!(block.check_device(128 * MIB), expected);
        let unaligned = InfoBlock { align: 0, ..InfoBlock::in_ram(0) };
        let smallest = Err(Error::DataOffset { data_offset: 0, start_pad, align: 4096 });
        assert_eq!(unaligned.check_device(128 * MIB), smallest);
        (block.align, block.start_pad) = (8192, 2 << 20);
        assert_eq!(block.check_device(128 * MIB), Err(Error::Align { align: 8192 }));
        (block.version_minor, block.start_pad) = (1, 0);
        assert_eq!(block.check_device(128 * MIB), expected, "before version 2 there is no alignment");
        (block.version_minor, block.start_pad) = (0, 2 << 20);
        assert_eq!(block.check_device(128 * MIB), expected, "before version 1 there is neither field");
        let largest = InfoBlock { align: 1 << 30, ..InfoBlock::in_ram(1 << 30) };
        assert_eq!(largest.check_device(2 << 30), Ok(()));
    }

    #[test]
    fn blocks_of_other_namespaces_are_refused() {
        let mut block = InfoBlock::in_ram(2 * MIB);
        block.parent_uuid = uuid::Uuid::from_u128(7);
        assert_eq!(block.check_device(128 * MIB), Err(Error::Parent { parent: uuid::Uuid::from_u128(7) }));
    }
}
