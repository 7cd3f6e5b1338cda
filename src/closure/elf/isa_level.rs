//! The x86 ISA level that a file requires, from the property `GNU_PROPERTY_X86_ISA_1_NEEDED`
//! (x86-64 psABI).
//!
//! ```text
//! PT_GNU_PROPERTY   "GNU\0", type 5 | type, length, data, padding to a word │ …   types upwards
//! ```

use super::abi::Abi;
use super::notes::{Note, NoteSegment};

const NT_GNU_PROPERTY_TYPE_0: u32 = 5;
const GNU_PROPERTY_X86_ISA_1_NEEDED: u32 = 0xc000_8002;
const EM_386: u16 = 3;
const EM_X86_64: u16 = 62;

/// Returns the highest ISA level that the file requires: 0 is the baseline, 1 x86-64-v2 and so on,
/// up to 31. As in ldconfig, a malformed property requires none.
pub(super) fn isa_level(segment: &NoteSegment, abi: Abi) -> Option<u16> {
    if !matches!(abi.machine, EM_386 | EM_X86_64) {
        return None;
    }
    let is_properties = |note: &Note<'_>| note.kind == NT_GNU_PROPERTY_TYPE_0 && note.owner == b"GNU\0";
    let note = segment.notes().map_while(Result::ok).find(is_properties)?;
    let mut rest = note.description;
    if !rest.len().is_multiple_of(segment.align) {
        return None;
    }
    let mut last = 0;
    loop {
        let (kind, after) = rest.split_first_chunk()?;
        let (len, after) = after.split_first_chunk()?;
        let kind = segment.word(*kind);
        let len = usize::try_from(segment.word(*len)).ok()?;
        let data = after.get(..len)?;
        if kind < last || kind > GNU_PROPERTY_X86_ISA_1_NEEDED {
            return None;
        }
        if kind == GNU_PROPERTY_X86_ISA_1_NEEDED {
            let levels = segment.word(data.try_into().ok()?);
            return levels.checked_ilog2().and_then(|level| u16::try_from(level).ok());
        }
        last = kind;
        rest = after.get(len.next_multiple_of(segment.align)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86_64: Abi = Abi { class: 2, data: 1, machine: EM_X86_64 };

    fn property(kind: u32, data: &[u8]) -> Vec<u8> {
        let len = u32::try_from(data.len()).expect("short");
        let mut property = [&kind.to_le_bytes()[..], &len.to_le_bytes(), data].concat();
        property.resize(property.len().next_multiple_of(8), 0);
        property
    }

    fn needed(levels: u32) -> Vec<u8> {
        property(GNU_PROPERTY_X86_ISA_1_NEEDED, &levels.to_le_bytes())
    }

    fn note(kind: u32, owner: &[u8; 4], description: &[u8]) -> Vec<u8> {
        let len = u32::try_from(description.len()).expect("short");
        let words = [4, len, kind].map(u32::to_le_bytes).concat();
        [&words[..], owner, description].concat()
    }

    fn level(bytes: Vec<u8>) -> Option<u16> {
        isa_level(&NoteSegment { bytes, align: 8, big_endian: false }, X86_64)
    }

    fn of(properties: &[Vec<u8>]) -> Option<u16> {
        level(note(NT_GNU_PROPERTY_TYPE_0, b"GNU\0", &properties.concat()))
    }

    #[test]
    fn the_highest_level_applies() {
        for (levels, expected) in
            [(0, None), (1, Some(0)), (4, Some(2)), (0b1011, Some(3)), (1 << 31, Some(31))]
        {
            assert_eq!(of(&[needed(levels)]), expected);
        }
        let before = property(0xc000_0002, &[3, 0, 0, 0]);
        let after = property(0xc001_0002, &[1, 0, 0, 0]);
        assert_eq!(of(&[before.clone(), needed(4), after.clone()]), Some(2));
        assert_eq!(of(&[after.clone(), needed(4)]), None, "types go upwards");
        assert_eq!(of(&[before.clone(), before.clone(), needed(4)]), Some(2));
        assert_eq!(of(&[before, after]), None);
    }

    #[test]
    fn malformed_notes_require_no_level() {
        assert_eq!(of(&[property(GNU_PROPERTY_X86_ISA_1_NEEDED, &[4, 0, 0, 0, 0, 0, 0, 0])]), None);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[needed(4), vec![0; 4]]), None, "no multiple of a word");
        let whole = note(NT_GNU_PROPERTY_TYPE_0, b"GNU\0", &needed(4));
        for len in 0..whole.len() {
            assert_eq!(level(whole[..len].to_vec()), None, "{len}");
        }
        let other = note(1, b"GNU\0", &needed(8));
        assert_eq!(level([other.clone(), whole.clone()].concat()), Some(2));
        assert_eq!(level([whole.clone(), note(5, b"GNU\0", &needed(8))].concat()), Some(2), "the first note");
        assert_eq!(level(note(5, b"XYZ\0", &needed(4))), None);
        let segment = NoteSegment { bytes: whole, align: 8, big_endian: false };
        assert_eq!(isa_level(&segment, Abi { machine: 183, ..X86_64 }), None);
    }
}
