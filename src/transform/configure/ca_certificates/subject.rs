//! The hash of a certificate's subject by which OpenSSL finds it: SHA-1 of the subject's canonical
//! form, of which the first four bytes count.
//!
//! In that form, texts are UTF-8 in lower case, without spaces around them and with single ones
//! between words.

use sha1::{Digest as _, Sha1};

use super::super::base64;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const T61: u8 = 0x14;
const IA5: u8 = 0x16;
const VISIBLE: u8 = 0x1a;
const UNIVERSAL: u8 = 0x1c;
const BMP: u8 = 0x1e;
const INTEGER: u8 = 0x02;
/// The version of a certificate: `[0]`, constructed.
const VERSION: u8 = 0xa0;

/// Returns the only certificate of a PEM file; `None` if it has none or several.
pub(super) fn only_certificate(text: &[u8]) -> Option<Vec<u8>> {
    const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];
    let mut found = None;
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix(b"-----BEGIN ").and_then(|line| line.strip_suffix(b"-----"))
        else {
            continue;
        };
        let end = [b"-----END ", label, b"-----"].concat();
        let mut body = Vec::new();
        for line in lines.by_ref().take_while(|line| *line != end) {
            body.extend(line);
        }
        if LABELS.iter().any(|known| known.as_bytes() == label) {
            let der = base64::decode(&body)?;
            if found.replace(der).is_some() {
                return None;
            }
        }
    }
    found
}

/// Returns the hash of a certificate's subject; `None` if it is not a certificate.
pub(super) fn hash(certificate: &[u8]) -> Option<u32> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if let Some((_, rest)) = element(fields, VERSION) {
        fields = rest;
    }
    // The serial number, the algorithm, the issuer and the time come before the subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE] {
        fields = element(fields, tag)?.1;
    }
    let (subject, _) = element(fields, SEQUENCE)?;
    let digest = Sha1::digest(canonical(subject)?);
    let first = digest.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*first))
}

/// Returns the canonical form of a name: its sets one after another.
fn canonical(mut name: &[u8]) -> Option<Vec<u8>> {
    let mut sets = Vec::new();
    while !name.is_empty() {
        let (mut set, rest) = element(name, SET)?;
        name = rest;
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let (attribute, rest) = element(set, SEQUENCE)?;
            set = rest;
            let (_, kind_len) = header(attribute)?;
            let (kind, value) = attribute.split_at_checked(kind_len)?;
            let (tag, text, _) = any(value)?;
            let value = match utf8(tag, text) {
                Some(text) => encoded(UTF8, &folded(&text)),
                None => value.to_vec(),
            };
            attributes.push(encoded(SEQUENCE, &[kind, &value].concat()));
        }
        attributes.sort();
        sets.extend(encoded(SET, &attributes.concat()));
    }
    Some(sets)
}

/// Returns a text as UTF-8; `None` if it is not of a type that is one.
fn utf8(tag: u8, text: &[u8]) -> Option<Vec<u8>> {
    let of = |code: u32| char::from_u32(code);
    let decoded: Option<String> = match tag {
        UTF8 | PRINTABLE | IA5 | VISIBLE => return Some(text.to_vec()),
        T61 => Some(text.iter().map(|byte| char::from(*byte)).collect()),
        BMP => text.chunks(2).map(|pair| of(u32::from(u16::from_be_bytes(pair.try_into().ok()?)))).collect(),
        UNIVERSAL => text.chunks(4).map(|four| of(u32::from_be_bytes(four.try_into().ok()?))).collect(),
        _ => None,
    };
    decoded.map(String::into_bytes)
}

/// Returns a text in lower case, with single spaces between words and none around them.
fn folded(text: &[u8]) -> Vec<u8> {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let words = text.split(is_space).filter(|word| !word.is_empty()).map(<[u8]>::to_ascii_lowercase);
    words.collect::<Vec<_>>().join(&b' ')
}

/// Returns an element of DER.
fn encoded(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len().to_be_bytes();
    let significant = len.iter().position(|byte| *byte != 0).map_or(&len[len.len() - 1..], |at| &len[at..]);
    let mut element = vec![tag];
    match significant {
        [short] if *short < 0x80 => element.push(*short),
        long => {
            element.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            element.extend(long);
        }
    }
    element.extend(content);
    element
}

/// Returns the tag of the first element, and the length of the element.
fn header(der: &[u8]) -> Option<(u8, usize)> {
    let (tag, content, rest) = any(der)?;
    debug_assert!(content.len() <= der.len(), "it is a part");
    Some((tag, der.len() - rest.len()))
}

/// Returns the content of the first element, which has a tag, and the rest.
fn element(der: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = any(der)?;
    (tag == expected).then_some((content, rest))
}

/// Returns the tag and the content of the first element, and the rest.
fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = der else { return None };
    let (len, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let len = digits.iter().fold(0_u32, |len, digit| len << 8 | u32::from(*digit));
            (usize::try_from(len).ok()?, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((*tag, content, rest))
}
