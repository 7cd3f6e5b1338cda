//! The rules for a single signature and for the strength of keys.

use std::fmt;

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SubpacketData};
use pgp::ser::Serialize as _;
use pgp::types::{EcdsaPublicParams, PublicParams};

use crate::fetch::date;

/// The time by which a clock may be behind that of a signer, in seconds; apt allows as much.
pub(super) const CLOCK_SKEW: i64 = 10;

/// The fewest bits of an RSA key.
const RSA_BITS: u16 = 2048;

/// A time, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub(super) i64);

impl Time {
    /// Returns this time and a number of seconds after it; `None` if there is no end, which 0 means
    /// as well.
    pub(super) fn and(self, seconds: Option<u32>) -> Option<Self> {
        seconds.filter(|seconds| *seconds > 0).map(|seconds| Self(self.0.saturating_add(i64::from(seconds))))
    }
}

impl From<pgp::types::Timestamp> for Time {
    fn from(time: pgp::types::Timestamp) -> Self {
        Self(i64::from(time.as_secs()))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&date::shown(self.0))
    }
}

/// Returns true for digests that cannot be forged: those of 256 bits and more.
fn is_strong(algorithm: HashAlgorithm) -> bool {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    matches!(algorithm, Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512)
}

/// Returns the time of a signature that may count at `now`.
///
/// # Errors
/// The reason for which it does not, as the end of a sentence about it.
pub(super) fn counts(signature: &Signature, now: Time) -> Result<Time, String> {
    let config = signature.config().ok_or("is of a version that is not supported")?;
    if !is_strong(config.hash_alg) {
        return Err(format!("uses the digest {}, which is too weak", config.hash_alg));
    }
    let created = created(signature)?;
    if created.0 > now.0.saturating_add(CLOCK_SKEW) {
        return Err(format!("is of {created}, in the future"));
    }
    let lifetime = signature.signature_expiration_time().map(|time| time.as_secs());
    if let Some(end) = created.and(lifetime)
        && end <= now
    {
        return Err(format!("expired at {end}"));
    }
    for subpacket in config.hashed_subpackets().filter(|subpacket| subpacket.is_critical) {
        let kind = match &subpacket.data {
            SubpacketData::Other(kind, _) | SubpacketData::Experimental(kind, _) => {
                format!("subpacket {kind}")
            }
            SubpacketData::Notation(_) => "notation".to_owned(),
            _ => continue,
        };
        return Err(format!("has a critical {kind}, which is not known"));
    }
    Ok(created)
}

/// Returns the time of a signature, which is part of what it signs.
pub(super) fn created(signature: &Signature) -> Result<Time, String> {
    let config = signature.config().ok_or("is of a version that is not supported")?;
    if !matches!(config.version(), pgp::packet::SignatureVersion::V4 | pgp::packet::SignatureVersion::V6) {
        return Err("is of an old version, whose time is not signed".to_owned());
    }
    signature.created().map(Time::from).ok_or_else(|| "has no time".to_owned())
}

/// Returns the reason for which signatures of a key can be forged.
pub(super) fn weakness(key: &PublicParams) -> Option<String> {
    match key {
        PublicParams::RSA(rsa) => {
            // The length of the modulus is before it.
            let bytes = rsa.to_bytes().unwrap_or_default();
            let bits = bytes.first_chunk().map_or(0, |bits| u16::from_be_bytes(*bits));
            (bits < RSA_BITS).then(|| format!("is an RSA key of {bits} bits, less than {RSA_BITS}"))
        }
        PublicParams::ECDSA(EcdsaPublicParams::Unsupported { .. }) => {
            Some("is on a curve that is not supported".to_owned())
        }
        PublicParams::ECDSA(_)
        | PublicParams::EdDSALegacy(_)
        | PublicParams::Ed25519(_)
        | PublicParams::Ed448(_) => None,
        PublicParams::DSA(_) => Some("is a DSA key, which is too weak".to_owned()),
        _ => Some("is of a kind that does not sign".to_owned()),
    }
}
