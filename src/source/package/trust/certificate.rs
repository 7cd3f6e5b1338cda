//! A key with its subkeys, and the question of which of them may sign.

use std::path::PathBuf;

use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{Fingerprint, KeyDetails, KeyId, SignedUser, Tag, VerifyingKey};

use super::policy::{self, CLOCK_SKEW, Time};

/// A certificate of a keyring, with the path of its file.
pub(super) struct Certificate {
    pub(super) key: SignedPublicKey,
    pub(super) path: PathBuf,
}

/// A key of a certificate: the primary key or a subkey.
#[derive(Clone, Copy)]
pub(super) enum Key<'c> {
    Primary(&'c Certificate),
    Subkey(&'c Certificate, &'c SignedPublicSubKey),
}

impl<'c> Key<'c> {
    /// Returns the certificate that it is of.
    pub(super) fn certificate(self) -> &'c Certificate {
        match self {
            Self::Primary(certificate) | Self::Subkey(certificate, _) => certificate,
        }
    }

    fn details(self) -> &'c dyn KeyDetails {
        match self {
            Self::Primary(certificate) => &certificate.key.primary_key,
            Self::Subkey(_, subkey) => &subkey.key,
        }
    }

    /// The fingerprint.
    pub(super) fn fingerprint(self) -> Fingerprint {
        self.details().fingerprint()
    }

    /// The last digits of the fingerprint.
    pub(super) fn id(self) -> KeyId {
        self.details().legacy_key_id()
    }

    /// Returns true if the signature is by this key.
    pub(super) fn made(self, signature: &Signature, text: &[u8]) -> bool {
        match self {
            Self::Primary(certificate) => signature.verify(&certificate.key.primary_key, text).is_ok(),
            Self::Subkey(_, subkey) => signature.verify(&subkey.key, text).is_ok(),
        }
    }

    /// Returns successfully if the key may sign at `now`, and signed at `signed`.
    ///
    /// # Errors
    /// The rule that forbids it, as a sentence about the key.
    pub(super) fn may_sign(self, signed: Time, now: Time) -> Result<(), String> {
        let details = self.details();
        if let Some(weakness) = policy::weakness(details.public_params()) {
            return Err(format!("the key {weakness}"));
        }
        let created = Time::from(details.created_at());
        if signed < created {
            return Err(format!("the key was made at {created}, after the signature"));
        }
        let primary = self.certificate().valid(now)?;
        match self {
            Self::Primary(_) => may_sign("the key", primary.signs),
            Self::Subkey(certificate, subkey) => {
                let bound = certificate.bound(subkey, now)?;
                may_sign("the subkey", bound.signs)?;
                alive("the subkey", created.and(bound.lifetime), now)
            }
        }
    }
}

/// The properties of a key that is bound to its certificate.
struct Properties {
    /// The key flag for signing, if there are key flags.
    signs: Option<bool>,
    /// The time in seconds from the key's creation to its end; 0 is none.
    lifetime: Option<u32>,
}

impl Properties {
    fn of(signature: &Signature) -> Self {
        let has_flags = signature.config().is_some_and(|config| {
            config.hashed_subpackets().any(|subpacket| matches!(subpacket.data, SubpacketData::KeyFlags(_)))
        });
        Self {
            signs: has_flags.then(|| signature.key_flags().sign()),
            lifetime: signature.key_expiration_time().map(|time| time.as_secs()),
        }
    }
}

fn may_sign(what: &str, flag: Option<bool>) -> Result<(), String> {
    match flag {
        Some(false) => Err(format!("{what} may not sign by its key flags")),
        _ => Ok(()),
    }
}

fn alive(what: &str, end: Option<Time>, now: Time) -> Result<(), String> {
    match end {
        Some(end) if end <= now => Err(format!("{what} expired at {end}")),
        _ => Ok(()),
    }
}

impl Certificate {
    /// Returns the primary key and the subkeys.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        let subkeys = self.key.public_subkeys.iter().map(|subkey| Key::Subkey(self, subkey));
        std::iter::once(Key::Primary(self)).chain(subkeys)
    }

    /// Returns the fingerprint of the primary key, in upper-case hexadecimal digits.
    pub(super) fn fingerprint(&self) -> String {
        self.key.primary_key.fingerprint().to_string().to_uppercase()
    }

    /// Returns the first name of the owner.
    pub(super) fn name(&self) -> String {
        let users = &self.key.details.users;
        users.first().map_or_else(String::new, |user| String::from_utf8_lossy(user.id.id()).into_owned())
    }

    /// Returns the properties of the primary key if it is valid at `now`.
    fn valid(&self, now: Time) -> Result<Properties, String> {
        let key = &self.key.primary_key;
        if let Some(weakness) = policy::weakness(key.public_params()) {
            return Err(format!("its primary key {weakness}"));
        }
        let created = Time::from(key.created_at());
        if created.0 > now.0.saturating_add(CLOCK_SKEW) {
            return Err(format!("its primary key is of {created}, in the future"));
        }
        self.not_revoked()?;
        let properties = self.properties(now)?;
        alive("its primary key", created.and(properties.lifetime), now)?;
        Ok(properties)
    }

    /// Fails if the owner revoked the certificate, or a key did that its owner named for that.
    fn not_revoked(&self) -> Result<(), String> {
        let key = &self.key.primary_key;
        for revocation in &self.key.details.revocation_signatures {
            let by_itself = revocation.verify_key(key).is_ok();
            if by_itself || self.is_by_revoker(revocation) {
                let time = policy::created(revocation).map(|time| format!(" at {time}")).unwrap_or_default();
                return Err(format!("its primary key was revoked{time}"));
            }
        }
        Ok(())
    }

    /// Returns true for a revocation that names a key which the owner permitted to revoke. It counts
    /// unverified, as that key is seldom at hand, and only the owner of the keyring can add it.
    fn is_by_revoker(&self, revocation: &Signature) -> bool {
        let permitted = self.key.details.direct_signatures.iter();
        let permitted = permitted.filter(|signature| signature.verify_key(&self.key.primary_key).is_ok());
        let revokers = permitted
            .filter_map(Signature::config)
            .flat_map(|config| config.hashed_subpackets())
            .filter_map(|subpacket| match &subpacket.data {
                SubpacketData::RevocationKey(revoker) => Some(&revoker.fingerprint[..]),
                _ => None,
            });
        let mut revokers = revokers;
        revokers.any(|revoker| {
            revocation.issuer_fingerprint().iter().any(|issuer| issuer.as_bytes() == revoker)
                || revocation.issuer_key_id().iter().any(|issuer| revoker.ends_with(issuer.as_ref()))
        })
    }

    /// Returns the properties that the newest self-signatures state: one over the key itself before
    /// those over its names.
    fn properties(&self, now: Time) -> Result<Properties, String> {
        let key = &self.key.primary_key;
        let mut faults = Vec::new();
        let direct = self.key.details.direct_signatures.iter();
        let direct = newest(direct, now, &mut faults, |signature| {
            signature.typ() == Some(SignatureType::Key) && signature.verify_key(key).is_ok()
        });
        let users = self.key.details.users.iter();
        let mut named: Vec<(Time, Properties)> =
            users.filter_map(|user| self.user(user, now, &mut faults)).collect();
        named.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        if direct.is_none() && named.is_empty() {
            let why = faults.pop().map(|fault| format!(": it {fault}")).unwrap_or_default();
            return Err(format!("its primary key has no valid signature by itself{why}"));
        }
        let direct = direct.map(|(_, signature)| Properties::of(signature));
        let properties = direct.iter().chain(named.iter().map(|(_, properties)| properties));
        let mut found = Properties { signs: None, lifetime: None };
        for stated in properties {
            found.signs = found.signs.or(stated.signs);
            found.lifetime = found.lifetime.or(stated.lifetime);
        }
        Ok(found)
    }

    /// Returns the properties that the newest self-signature over a name states, if the name was not
    /// revoked.
    fn user(&self, user: &SignedUser, now: Time, faults: &mut Vec<String>) -> Option<(Time, Properties)> {
        let key = &self.key.primary_key;
        let is_own =
            |signature: &Signature| signature.verify_certification(key, Tag::UserId, &user.id).is_ok();
        let revoked = |signature: &Signature| signature.typ() == Some(SignatureType::CertRevocation);
        let (time, signature) = newest(user.signatures.iter(), now, faults, |signature| {
            !revoked(signature) && is_own(signature)
        })?;
        let mut revocations = user.signatures.iter().filter(|signature| revoked(signature));
        let is_revoked = revocations.any(|revocation| {
            is_own(revocation) && policy::created(revocation).map_or(true, |revoked| revoked >= time)
        });
        (!is_revoked).then(|| (time, Properties::of(signature)))
    }

    /// Returns the properties of a subkey if it is bound at `now`.
    fn bound(&self, subkey: &SignedPublicSubKey, now: Time) -> Result<Properties, String> {
        let key = &self.key.primary_key;
        let is_own = |signature: &Signature| signature.verify_subkey_binding(key, &subkey.key).is_ok();
        let of_type = |signature: &Signature, kind| signature.typ() == Some(kind);
        let mut revocations =
            subkey.signatures.iter().filter(|signature| of_type(signature, SignatureType::SubkeyRevocation));
        if let Some(revocation) = revocations.find(|signature| is_own(signature)) {
            let time = policy::created(revocation).map(|time| format!(" at {time}")).unwrap_or_default();
            return Err(format!("the subkey was revoked{time}"));
        }
        let mut faults = Vec::new();
        let binding = newest(subkey.signatures.iter(), now, &mut faults, |signature| {
            of_type(signature, SignatureType::SubkeyBinding) && is_own(signature)
        });
        let Some((_, binding)) = binding else {
            let why = faults.pop().map(|fault| format!(": it {fault}")).unwrap_or_default();
            return Err(format!("the subkey has no valid signature by its primary key{why}"));
        };
        let consent = binding
            .embedded_signature()
            .ok_or("the subkey did not sign that it belongs to its primary key")?;
        policy::counts(consent, now)
            .map_err(|why| format!("the subkey's signature that it belongs to its primary key {why}"))?;
        if !consents(consent, &subkey.key, key) {
            return Err("the subkey's signature that it belongs to its primary key is wrong".to_owned());
        }
        Ok(Properties::of(binding))
    }
}

fn consents<S, P>(signature: &Signature, subkey: &S, primary: &P) -> bool
where
    S: VerifyingKey + Serialize,
    P: KeyDetails + Serialize,
{
    signature.verify_primary_key_binding(subkey, primary).is_ok()
}

/// Returns the newest signature that counts and is accepted. Adds the reasons of those that do not
/// count.
fn newest<'s>(
    signatures: impl Iterator<Item = &'s Signature>,
    now: Time,
    faults: &mut Vec<String>,
    accepted: impl Fn(&Signature) -> bool,
) -> Option<(Time, &'s Signature)> {
    let mut found: Option<(Time, &Signature)> = None;
    for signature in signatures.filter(|signature| accepted(signature)) {
        match policy::counts(signature, now) {
            Ok(time) if found.is_none_or(|(newest, _)| time >= newest) => found = Some((time, signature)),
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
    }
    found
}
