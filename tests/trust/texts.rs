//! Texts that were changed, or have more than what is signed.

use super::gpg::{Gpg, Gpgv};
use super::{TEXT, accepted, refused, refused_by_us, verify};

fn changed(message: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(message.to_vec()).expect("UTF-8");
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let Some(gpg) = Gpg::new() else { return };
    let key = gpg.key(-10, "key", "ed25519", "sign,cert", "0");
    let (signed, keys) = (gpg.sign(-1, &[&key], TEXT), gpg.export(&key));
    refused(&changed(&signed, "stable", "stabla"), &keys, "is wrong: the text was changed");
    let mut accepted = Vec::new();
    for at in 0..signed.len() {
        let mut other = signed.clone();
        other[at] ^= 1;
        if let Ok(verified) = verify(&other, &keys) {
            assert_eq!(verified.text, TEXT, "another text was accepted");
            let judged = Gpgv::judge(&other, &keys);
            let around = String::from_utf8_lossy(&signed[at.saturating_sub(9)..(at + 9).min(signed.len())]);
            // RFC 9580 forbids to refuse a block for its checksum, which gpgv does.
            let is_checksum = judged.status.contains("CRC error");
            assert!(
                judged.accepts || is_checksum,
                "only we accept a change of byte {at}, {around:?}:\n{}",
                judged.status
            );
            accepted.push(at);
        }
    }
    // Those of the block that are not signed: its checksum, the key's identifier, the last line's end.
    assert!(accepted.len() <= 32, "{accepted:?}");
}

#[test]
fn only_what_is_signed_is_accepted() {
    let Some(gpg) = Gpg::new() else { return };
    let key = gpg.key(-10, "key", "ed25519", "sign,cert", "0");
    let (signed, keys) = (gpg.sign(-1, &[&key], TEXT), gpg.export(&key));
    for text in
        ["", "\n", "no end", "-\n--\n- -\n-----BEGIN PGP SIGNATURE-----\n", "blanks \t\nü\n\n\n", " \n"]
    {
        let verified = accepted(&gpg.sign(-1, &[&key], text), &keys);
        let expected: String =
            text.lines().map(|line| format!("{}\n", line.trim_end_matches([' ', '\t']))).collect();
        assert_eq!(verified.text.trim_end_matches('\n'), expected.trim_end_matches('\n'), "{text:?}");
    }
    assert_eq!(accepted(&changed(&signed, "stable\n", "stable \t \n"), &keys).text, TEXT);
    let crlf = String::from_utf8(signed.clone()).expect("UTF-8").replace('\n', "\r\n");
    assert_eq!(accepted(crlf.as_bytes(), &keys).text, TEXT);
    let two_headers = changed(&signed, "Hash: SHA512\n", "Hash: SHA256\nHash: SHA512\n");
    assert_eq!(accepted(&two_headers, &keys).text, TEXT);

    refused(
        &changed(&signed, "Hash: SHA512", "Hash: SHA256"),
        &keys,
        "uses the digest SHA512, which no Hash header names",
    );
    refused(
        &changed(&signed, "Hash: SHA512\n", "Hash: SHA512\nOrigin: Debian\n"),
        &keys,
        "a header other than Hash",
    );
    refused(&changed(&signed, "- - dash", "- dash"), &keys, "is wrong: the text was changed");
    // gpgv takes the signed part of these, and the rest looks signed to whoever reads the file.
    let more = |before: &str, after: &str| [before.as_bytes(), &signed, after.as_bytes()].concat();
    refused_by_us(
        &more("Origin: Evil\n", ""),
        &keys,
        "does not begin with -----BEGIN PGP SIGNED MESSAGE-----",
    );
    refused_by_us(&more("", "Origin: Evil\n"), &keys, "has data behind the signature, from line 18 on");
    refused_by_us(&more("", &String::from_utf8_lossy(&signed)), &keys, "has data behind the signature");
    refused_by_us(&changed(&signed, "- - dash", "-dash"), &keys, "begins with a dash that is not escaped");
    refused_by_us(
        &changed(&signed, "Origin: Test", "Origin: Test\rx"),
        &keys,
        "line 4 has a control character",
    );
    // A signature of a key, as one of a text.
    let block = gpg.run(0, &["--batch", "--armor", "--export", &key], b"");
    let block = String::from_utf8(block).expect("UTF-8");
    let message = String::from_utf8(signed).expect("UTF-8");
    let start = message.find("-----BEGIN PGP SIGNATURE").expect("it has one");
    let other = [&message[..start], &block.replace("PUBLIC KEY BLOCK", "SIGNATURE")].concat();
    refused(other.as_bytes(), &keys, "has other packets than signatures");
}
