//! The verification of texts.

use std::path::Path;

use pgp::packet::{Signature, SignatureType};

use super::armor;
use super::cleartext::Cleartext;
use super::keyring::Keyring;
use super::policy::{self, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::shown;

/// A text whose signatures were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The text that is signed.
    pub text: String,
    /// Those who signed it, by the order of their signatures. There is at least one.
    pub signers: Vec<Signer>,
}

/// A key that signed a text and may do so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The fingerprint of the primary key, in upper-case hexadecimal digits.
    pub certificate: String,
    /// The fingerprint of the key that signed, which can be a subkey.
    pub key: String,
    /// The first name of the owner, such as
    /// `Debian Archive Automatic Signing Key (12/bookworm) <ftpmaster@debian.org>`.
    pub name: String,
    /// The time of the signature, in seconds since 1970.
    pub created: i64,
}

/// Verifies a text with its signatures behind it, such as `InRelease`. `name` is its URL or path for
/// errors, and `now` the time in seconds since 1970 at which keys and signatures have to be valid.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput), naming the file, the key and the rule.
pub fn verify_inrelease(bytes: &[u8], name: &Path, keyring: &Keyring, now: i64) -> Result<Verified> {
    let refused = |why: String| Error::at(ErrorKind::BadInput, name, why);
    let message = Cleartext::parse(bytes).map_err(refused)?;
    let signatures = armor::signatures(message.signatures.as_bytes()).map_err(refused)?;
    let signers = Verification { keyring, now: Time(now), hashes: Some(&message.hashes) }
        .signers(&signatures, &message.signed())
        .map_err(refused)?;
    Ok(Verified { text: message.text, signers })
}

/// Verifies a text such as `Release` whose signatures are in another file, `Release.gpg`, in binary
/// or text form. Errors name the file `name`.
///
/// # Errors
/// Those of [`verify_inrelease`].
pub fn verify_detached(
    text: &[u8],
    signatures: &[u8],
    name: &Path,
    keyring: &Keyring,
    now: i64,
) -> Result<Verified> {
    let refused = |why: String| Error::at(ErrorKind::BadInput, name, why);
    let decoded = str::from_utf8(text)
        .map_err(|error| refused(format!("is not UTF-8 from byte {} on", error.valid_up_to())))?;
    let signatures = armor::signatures(signatures).map_err(|why| refused(format!("its signature {why}")))?;
    let signers =
        Verification { keyring, now: Time(now), hashes: None }.signers(&signatures, text).map_err(refused)?;
    Ok(Verified { text: decoded.to_owned(), signers })
}

struct Verification<'a> {
    keyring: &'a Keyring,
    now: Time,
    /// The digests that the text names, which its signatures have to use.
    hashes: Option<&'a [&'a str]>,
}

/// The judgement of a signature.
enum Judgement {
    Valid(Signer),
    /// It is by a key of the keyring, and does not count.
    Refused(String),
    /// It is not one of the text by the key that it names.
    Wrong(String),
    /// It is by a key that is not in the keyring.
    Foreign(String),
}

impl Verification<'_> {
    /// Returns those who signed.
    fn signers(&self, signatures: &[Signature], text: &[u8]) -> std::result::Result<Vec<Signer>, String> {
        let (mut signers, mut refused, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
        for signature in signatures {
            match self.judge(signature, text) {
                Judgement::Valid(signer) => signers.push(signer),
                Judgement::Wrong(why) => return Err(why),
                Judgement::Refused(why) => refused.push(why),
                Judgement::Foreign(issuer) => foreign.push(issuer),
            }
        }
        if !signers.is_empty() {
            return Ok(signers);
        }
        if !refused.is_empty() {
            return Err(refused.join("; "));
        }
        let files: Vec<String> =
            self.keyring.paths().iter().map(|path| shown::path(path).to_string()).collect();
        let files = if files.is_empty() { "an empty keyring".to_owned() } else { files.join(", ") };
        Err(format!("is signed by {}, none of which is in {files}", foreign.join(" and ")))
    }

    fn judge(&self, signature: &Signature, text: &[u8]) -> Judgement {
        let mut candidates = self.keyring.named(signature).peekable();
        if candidates.peek().is_none() {
            return Judgement::Foreign(issuer(signature));
        }
        let mut judgement = None;
        for key in candidates {
            let id = key.fingerprint().to_string().to_uppercase();
            let path = shown::path(&key.certificate().path);
            let about = |why: &str| format!("its signature by key {id} of {path} {why}");
            let (time, checked) = (policy::counts(signature, self.now), self.kind(signature));
            if let Err(why) = checked.and_then(|()| time.clone().map(|_| ())) {
                judgement.get_or_insert(Judgement::Refused(about(&why)));
                continue;
            }
            if !key.made(signature, text) {
                judgement.get_or_insert(Judgement::Wrong(about("is wrong: the text was changed")));
                continue;
            }
            let created = time.unwrap_or(self.now);
            if let Err(why) = key.may_sign(created, self.now) {
                judgement = Some(Judgement::Refused(about(&format!("does not count: {why}"))));
                continue;
            }
            let certificate = key.certificate();
            return Judgement::Valid(Signer {
                certificate: certificate.fingerprint(),
                key: id,
                name: certificate.name(),
                created: created.0,
            });
        }
        judgement.unwrap_or_else(|| Judgement::Foreign(issuer(signature)))
    }

    /// Fails for signatures of other things than texts, and for other digests than the text names.
    fn kind(&self, signature: &Signature) -> std::result::Result<(), String> {
        if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
            return Err("is not one of a text".to_owned());
        }
        let (Some(hashes), Some(used)) = (self.hashes, signature.hash_alg()) else { return Ok(()) };
        let used = used.to_string();
        match hashes.iter().any(|named| named.eq_ignore_ascii_case(&used)) {
            true => Ok(()),
            false => Err(format!("uses the digest {used}, which no Hash header names")),
        }
    }
}

/// Returns the key that a signature names.
fn issuer(signature: &Signature) -> String {
    let fingerprint = signature.issuer_fingerprint().first().map(|fingerprint| fingerprint.to_string());
    let id = || signature.issuer_key_id().first().map(|id| id.to_string());
    match fingerprint.or_else(id) {
        Some(issuer) => format!("key {}", issuer.to_uppercase()),
        None => "a key that it does not name".to_owned(),
    }
}
