//! Keys that may sign, and keys that may not.

use super::gpg::Gpg;
use super::packets::{SIGNATURE, SUBKEY, consent, join, split};
use super::{TEXT, accepted, refused, refused_by_us};

#[test]
fn keys_of_each_kind_sign_by_themselves_or_by_a_subkey() {
    let Some(gpg) = Gpg::new() else { return };
    for algorithm in ["ed25519", "rsa2048", "nistp256", "nistp384"] {
        let key = gpg.key(-10, algorithm, algorithm, "sign,cert", "1y");
        let verified = accepted(&gpg.sign(-1, &[&key], TEXT), &gpg.export(&key));
        let signer = &verified.signers[0];
        assert_eq!(
            (signer.key.as_str(), signer.certificate.as_str(), signer.name.as_str()),
            (&*key, &*key, algorithm)
        );
        assert_eq!(verified.text, TEXT);
    }
    let key = gpg.key(-10, "subkeys", "ed25519", "cert", "0");
    let subkey = gpg.subkey(-9, &key, "rsa2048", "sign", "0");
    let verified = accepted(&gpg.sign(-1, &[&format!("{subkey}!")], TEXT), &gpg.export(&key));
    assert_eq!(
        (verified.signers[0].key.as_str(), verified.signers[0].certificate.as_str()),
        (&*subkey, &*key)
    );
    assert!((super::now() - 86400 - verified.signers[0].created).abs() < 600);
}

#[test]
fn weak_keys_and_digests_do_not_count() {
    let Some(gpg) = Gpg::new() else { return };
    let key = gpg.key(-10, "key", "ed25519", "sign,cert", "1y");
    let keys = gpg.export(&key);
    for digest in ["SHA256", "SHA384", "SHA512"] {
        accepted(&gpg.sign_with(-1, &[&key], &["--digest-algo", digest], TEXT), &keys);
    }
    let rsa = gpg.key(-10, "old", "rsa2048", "sign,cert", "1y");
    for digest in ["SHA1", "RIPEMD160", "MD5"] {
        let why = format!("uses the digest {digest}, which is too weak");
        refused(&gpg.sign_with(-1, &[&rsa], &["--digest-algo", digest], TEXT), &gpg.export(&rsa), &why);
    }
    // Rules that gpgv does not have.
    let short = gpg.sign_with(-1, &[&rsa], &["--digest-algo", "SHA224"], TEXT);
    refused_by_us(&short, &gpg.export(&rsa), "uses the digest SHA224, which is too weak");
    for (algorithm, why) in [
        ("rsa1024", "does not count: the key is an RSA key of 1024 bits, less than 2048"),
        ("dsa2048", "does not count: the key is a DSA key, which is too weak"),
    ] {
        let weak = gpg.key(-10, algorithm, algorithm, "sign,cert", "1y");
        refused_by_us(&gpg.sign(-1, &[&weak], TEXT), &gpg.export(&weak), why);
        // What a weak key says of a strong one can be forged as well.
        let subkey = gpg.subkey(-9, &weak, "ed25519", "sign", "0");
        let signed = gpg.sign(-1, &[&format!("{subkey}!")], TEXT);
        let why = why.replace("the key is", "its primary key is");
        refused_by_us(&signed, &gpg.export(&weak), &why);
    }
    gpg.run(
        -10,
        &["--batch", "--cert-digest-algo", "SHA1", "--quick-gen-key", "sha1", "rsa2048", "sign,cert", "1y"],
        b"",
    );
    let why = "its primary key has no valid signature by itself: it uses the digest SHA1";
    refused_by_us(&gpg.sign(-1, &["sha1"], TEXT), &gpg.export("sha1"), why);
    gpg.run(
        -9,
        &["--batch", "--cert-digest-algo", "SHA1", "--quick-add-key", &rsa, "rsa2048", "sign", "0"],
        b"",
    );
    let signed = gpg.sign(-1, &[&rsa], TEXT);
    refused_by_us(
        &signed,
        &gpg.export(&rsa),
        "the subkey has no valid signature by its primary key: it uses the",
    );
    let critical = gpg.sign_with(-1, &[&key], &["--sig-notation", "!unknown@example.org=x"], TEXT);
    refused(&critical, &keys, "has a critical notation, which is not known");
    accepted(&gpg.sign_with(-1, &[&key], &["--sig-notation", "unknown@example.org=x"], TEXT), &keys);
}

#[test]
fn nothing_counts_after_its_end() {
    let Some(gpg) = Gpg::new() else { return };
    let key = gpg.key(-700, "old", "ed25519", "sign,cert", "365d");
    let signed = gpg.sign(-600, &[&key], TEXT);
    let first = gpg.export(&key);
    refused(&signed, &first, "does not count: its primary key expired at 20");
    // It is made longer, and then shorter again: the newest statement counts, wherever it is.
    gpg.run(-400, &["--batch", "--quick-set-expire", &key, "1000d"], b"");
    let long = gpg.export(&key);
    accepted(&signed, &long);
    gpg.run(-399, &["--batch", "--quick-set-expire", &key, "100d"], b"");
    let short = gpg.export(&key);
    refused(&signed, &short, "its primary key expired at 20");
    let statement = |keys: &[u8]| split(keys).pop().expect("the last packet is the signature of the name");
    for (one, other, counts) in
        [(&first, &long, true), (&long, &first, true), (&short, &long, false), (&long, &short, false)]
    {
        let both = join(&[split(one), vec![statement(other)]].concat());
        match counts {
            true => drop(accepted(&signed, &both)),
            false => refused(&signed, &both, "its primary key expired at 20"),
        }
    }

    let key = gpg.key(-700, "subkeys", "ed25519", "cert", "0");
    let subkey = gpg.subkey(-700, &key, "ed25519", "sign", "365d");
    let signed = gpg.sign(-600, &[&format!("{subkey}!")], TEXT);
    refused(&signed, &gpg.export(&key), "does not count: the subkey expired at 20");
    let primary = gpg.key(-700, "primary", "ed25519", "cert", "365d");
    let subkey = gpg.subkey(-700, &primary, "ed25519", "sign", "0");
    let signed = gpg.sign(-600, &[&format!("{subkey}!")], TEXT);
    refused(&signed, &gpg.export(&primary), "does not count: its primary key expired at 20");

    let key = gpg.key(-700, "short", "ed25519", "sign,cert", "0");
    let keys = gpg.export(&key);
    let short = gpg.sign_with(-10, &[&key], &["--default-sig-expire", "5d"], TEXT);
    refused(&short, &keys, "expired at 20");
    let long = gpg.sign_with(-10, &[&key], &["--default-sig-expire", "50d"], TEXT);
    accepted(&long, &keys);
    let future = gpg.sign(1, &[&key], TEXT);
    refused_by_us(&future, &keys, "in the future");
    let early = gpg.sign_with(-701, &[&key], &["--ignore-time-conflict"], TEXT);
    refused(&early, &keys, "after the signature");
}

#[test]
fn revoked_keys_do_not_count() {
    let Some(gpg) = Gpg::new() else { return };
    let key = gpg.key(-10, "revoked", "ed25519", "sign,cert", "0");
    let subkey = gpg.subkey(-9, &key, "ed25519", "sign", "0");
    let own = gpg.sign(-2, &[&format!("{key}!")], TEXT);
    let by_subkey = gpg.sign(-2, &[&format!("{subkey}!")], TEXT);
    accepted(&own, &gpg.export(&key));
    accepted(&by_subkey, &gpg.export(&key));
    gpg.edit(-1, &key, "key 1\nrevkey\ny\n0\n\ny\nsave\n");
    accepted(&own, &gpg.export(&key));
    refused(&by_subkey, &gpg.export(&key), "does not count: the subkey was revoked at 20");
    gpg.revoke(&key);
    refused(&own, &gpg.export(&key), "does not count: its primary key was revoked");
    refused(&by_subkey, &gpg.export(&key), "does not count: its primary key was revoked");

    // By another key, which the owner named for that.
    let revoker = gpg.key(-10, "revoker", "ed25519", "sign,cert", "0");
    let key = gpg.key(-10, "owner", "ed25519", "sign,cert", "0");
    gpg.edit(-9, &key, &format!("addrevoker\n{revoker}\ny\nsave\n"));
    let signed = gpg.sign(-2, &[&key], TEXT);
    accepted(&signed, &gpg.export(&key));
    let answers = "y\n0\n\ny\n";
    let certificate = gpg.run(
        -1,
        &["--command-fd", "0", "--status-fd", "2", "--local-user", &revoker, "--desig-revoke", &key],
        answers.as_bytes(),
    );
    gpg.run(-1, &["--batch", "--import"], &certificate);
    let both = [gpg.export(&key), gpg.export(&revoker)].concat();
    refused(&signed, &both, "does not count: its primary key was revoked");
    // gpgv knows the revocation only if it has the other key.
    refused_by_us(&signed, &gpg.export(&key), "does not count: its primary key was revoked");
}

#[test]
fn keys_sign_only_if_their_flags_permit_it() {
    let Some(gpg) = Gpg::new() else { return };
    let key = gpg.key(-10, "flags", "ed25519", "sign,cert", "0");
    let subkey = gpg.subkey(-9, &key, "rsa2048", "sign", "0");
    let own = gpg.sign(-2, &[&format!("{key}!")], TEXT);
    let by_subkey = gpg.sign(-2, &[&format!("{subkey}!")], TEXT);
    gpg.edit(-1, &key, "change-usage\ns\nq\nsave\n");
    refused(&own, &gpg.export(&key), "does not count: the key may not sign by its key flags");
    accepted(&by_subkey, &gpg.export(&key));
    gpg.edit(-1, &key, "key 1\nchange-usage\ns\ne\nq\nsave\n");
    refused(&by_subkey, &gpg.export(&key), "does not count: the subkey may not sign by its key flags");
}

#[test]
fn subkeys_need_the_signatures_of_both_keys() {
    let Some(gpg) = Gpg::new() else { return };
    let key = gpg.key(-10, "one", "ed25519", "cert", "0");
    let subkey = gpg.subkey(-9, &key, "ed25519", "sign", "0");
    let signed = gpg.sign(-2, &[&format!("{subkey}!")], TEXT);
    let keys = gpg.export(&key);
    accepted(&signed, &keys);

    let mut without = keys.clone();
    without[consent(&keys)] = 100;
    refused(&signed, &without, "the subkey did not sign that it belongs to its primary key");
    let mut wrong = keys.clone();
    // A byte near the end of the signature.
    wrong[consent(&keys) + 100] ^= 1;
    refused(&signed, &wrong, "the subkey's signature that it belongs to its primary key is wrong");

    // Somebody else's subkey, with the signature by its own primary key.
    let other = gpg.key(-10, "other", "ed25519", "cert", "0");
    gpg.subkey(-9, &other, "ed25519", "sign", "0");
    let (mut mixed, own) = (split(&gpg.export(&other)), split(&keys));
    let start = own.iter().position(|(kind, _)| *kind == SUBKEY).expect("it has one");
    mixed.extend_from_slice(&own[start..]);
    refused(&signed, &join(&mixed), "the subkey has no valid signature by its primary key");
    // And without any.
    let bare: Vec<_> = own[..=start].to_vec();
    refused(&signed, &join(&bare), "none of which is in keys.gpg");
    let is_kept = |(at, (kind, _)): &(usize, &(u8, Vec<u8>))| *at > start || *kind != SIGNATURE;
    let unnamed: Vec<_> = own.iter().enumerate().filter(is_kept).map(|(_, packet)| packet.clone()).collect();
    refused(&signed, &join(&unnamed), "its primary key has no valid signature by itself");
}

#[test]
fn one_good_signature_is_enough_and_one_wrong_is_too_many() {
    let Some(gpg) = Gpg::new() else { return };
    let (one, two) =
        (gpg.key(-10, "one", "ed25519", "sign,cert", "0"), gpg.key(-10, "two", "rsa2048", "sign,cert", "0"));
    let old = gpg.key(-700, "old", "ed25519", "sign,cert", "100d");
    let revoked = gpg.key(-10, "revoked", "ed25519", "sign,cert", "0");
    let signed = gpg.sign(-1, &[&one, &two], TEXT);
    assert_eq!(accepted(&signed, &[gpg.export(&one), gpg.export(&two)].concat()).signers.len(), 2);
    assert_eq!(accepted(&signed, &gpg.export(&two)).signers.len(), 1);
    let why = format!("is signed by key {one} and key {two}, none of which is in keys.gpg");
    refused(&signed, &gpg.export(&old), &why);
    let with_old =
        gpg.sign_with(-650, &[&two, &old], &["--ignore-time-conflict", "--ignore-valid-from"], TEXT);
    refused(&with_old, &gpg.export(&old), "its primary key expired");
    let with_revoked = gpg.sign(-1, &[&one, &revoked], TEXT);
    gpg.revoke(&revoked);
    let both = [gpg.export(&one), gpg.export(&revoked)].concat();
    assert_eq!(accepted(&with_revoked, &both).signers.len(), 1);

    // The second signature is of another text.
    let parts = [gpg.detached(&[&one], &[], TEXT), gpg.detached(&[&two], &[], "another text")].concat();
    let keys = [gpg.export(&one), gpg.export(&two)].concat();
    let keyring = rootcast::source::package::trust::Keyring::read(&keys, "keys.gpg".as_ref()).expect("keys");
    let verify = |signatures: &[u8]| {
        rootcast::source::package::trust::verify_detached(
            TEXT.as_bytes(),
            signatures,
            "Release".as_ref(),
            &keyring,
            super::now(),
        )
    };
    let error = verify(&parts).expect_err("one is wrong").to_string();
    let expected = format!("Release: its signature by key {two} of keys.gpg is wrong: the text was changed");
    assert_eq!(error, expected);
    assert!(!super::Gpgv::judge_detached(TEXT.as_bytes(), &parts, &keys).accepts);
    let right = gpg.detached(&[&one, &two], &[], TEXT);
    assert_eq!(verify(&right).expect("both are right").signers.len(), 2);
    let armoured = gpg.detached(&[&two], &["--armor"], TEXT);
    assert_eq!(verify(&armoured).expect("it is right").text, TEXT);
    assert!(super::Gpgv::judge_detached(TEXT.as_bytes(), &armoured, &keys).accepts);
}

#[test]
fn keyrings_are_binary_or_text_and_may_have_several_keys() {
    let Some(gpg) = Gpg::new() else { return };
    let (one, two) =
        (gpg.key(-10, "one", "ed25519", "sign,cert", "0"), gpg.key(-10, "two", "ed25519", "sign,cert", "0"));
    let signed = gpg.sign(-1, &[&two], TEXT);
    let text = |name: &str| gpg.run(0, &["--batch", "--armor", "--export", name], b"");
    for keys in [
        gpg.run(0, &["--batch", "--armor", "--export", &one, &two], b""),
        [b"comment\n\n".to_vec(), text(&one), b"\nmore\n".to_vec(), text(&two)].concat(),
    ] {
        assert_eq!(super::verify(&signed, &keys).expect("the second key").signers[0].key, two);
    }
    for (keys, why) in [
        (b"".to_vec(), "keys.gpg: has no key of OpenPGP that can be read"),
        (b"<html>".to_vec(), "keys.gpg: has no key of OpenPGP that can be read"),
        (signed.clone(), "keys.gpg: "),
        (b"\0\0\0\x20\x01\x01\0\x02KBXf\0\0\0\0".to_vec(), "keys.gpg: is a keybox of GnuPG"),
    ] {
        let error = super::verify(&signed, &keys).expect_err(why);
        assert!(error.starts_with(why), "{error}");
    }
}
