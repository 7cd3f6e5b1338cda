//! Blocks of packets in text form, and the packets of signatures.

use std::io::{BufReader, Read as _};

use pgp::armor::{BlockType, Dearmor, DearmorOptions};
use pgp::packet::{Packet, PacketParser, Signature};

/// The start and the end of the first line of a block in text form.
const BEGIN: &[u8] = b"-----BEGIN PGP ";

/// The most signatures of one file.
const MAX_SIGNATURES: usize = 64;

/// The largest block of signatures, in bytes.
pub(super) const MAX_SIGNATURE_BYTES: usize = 1 << 20;

/// Returns true for text forms.
pub(super) fn is_armored(bytes: &[u8]) -> bool {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
    bytes[start..].starts_with(b"-----")
        || find(bytes, BEGIN).is_some_and(|at| at == 0 || bytes[at - 1] == b'\n')
}

/// Returns the bytes of each block of a kind.
pub(super) fn blocks(text: &[u8], kind: BlockType) -> Result<Vec<Vec<u8>>, String> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, BEGIN) {
        let block = &rest[at..];
        let next = find(&block[BEGIN.len()..], BEGIN).map_or(block.len(), |next| next + BEGIN.len());
        // A checksum behind it says nothing about who made it, and RFC 9580 has it ignored.
        let options = DearmorOptions::default().set_limit(text.len());
        let mut reader = Dearmor::with_options(&block[..next], options);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| format!("is not a block of OpenPGP: {error}"))?;
        if reader.typ == Some(kind) {
            blocks.push(bytes);
        }
        rest = &rest[at + next..];
    }
    Ok(blocks)
}

/// Returns the signatures of a block, or of packets that are not in text form.
pub(super) fn signatures(bytes: &[u8]) -> Result<Vec<Signature>, String> {
    if bytes.len() > MAX_SIGNATURE_BYTES {
        return Err(format!("has signatures of more than {MAX_SIGNATURE_BYTES} bytes"));
    }
    let mut signatures = Vec::new();
    let blocks = match is_armored(bytes) {
        true => blocks(bytes, BlockType::Signature)?,
        false => vec![bytes.to_vec()],
    };
    for packet in blocks.iter().flat_map(|block| PacketParser::new(BufReader::new(&block[..]))) {
        match packet {
            Ok(Packet::Signature(signature)) => signatures.push(signature),
            Ok(_) => return Err("has other packets than signatures".to_owned()),
            Err(error) => return Err(format!("has a signature that cannot be read: {error}")),
        }
        if signatures.len() > MAX_SIGNATURES {
            return Err(format!("has more than {MAX_SIGNATURES} signatures"));
        }
    }
    if signatures.is_empty() {
        return Err("has no signature".to_owned());
    }
    Ok(signatures)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
