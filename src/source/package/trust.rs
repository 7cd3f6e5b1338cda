//! Signatures of the metadata of packages, by OpenPGP.
//!
//! ```text
//! InRelease ─▶ cleartext: text, signatures ─┐
//! Release, Release.gpg ─────────────────────┴▶ keyring: which key ─▶ certificate: may it sign? ─▶ Verified
//! ```
//!
//! The library verifies single signatures. The rules are here, and nothing skips any of them:
//!
//! * At least one signature is by a key of the keyring which may sign now, and none by such a key is
//!   wrong. Signatures by unknown keys are ignored.
//! * A key may sign if it and its certificate have not expired and were never revoked; a subkey needs
//!   the binding signature of the primary key, and one by itself within that; key flags, where they
//!   are stated, must permit signing.
//! * Digests are SHA-2 or SHA-3, in signatures of keys as well. RSA keys have 2048 bits or more, and
//!   DSA is refused. Revocations count whatever their digest is.
//! * Nothing is before or behind the signed text, and only the signed text is returned.

mod armor;
mod certificate;
mod cleartext;
mod keyring;
mod policy;
mod validity;
mod verify;

pub use keyring::Keyring;
pub use validity::check_validity;
pub use verify::{Signer, Verified, verify_detached, verify_inrelease};
