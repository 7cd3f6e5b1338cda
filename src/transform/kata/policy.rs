//! The policy of the agent: the requests that it allows.

use std::path::Path;

use super::guest::Guest;
use crate::error::{Error, ErrorKind, Result};
use crate::shown;

/// The directory of policies, and the name of the one in effect.
const DIRECTORY: &str = "/etc/kata-opa";
const DEFAULT: &str = "default-policy.rego";

/// Copies the policy under its own name, with a link to it.
pub(super) fn install(guest: &mut Guest<'_>, file: &Path) -> Result<()> {
    let name = file.file_name().and_then(|name| name.to_str());
    let Some(name) = name else {
        let message = format!("{}: the name of a policy has to be UTF-8", shown::path(file));
        return Err(Error::new(ErrorKind::BadInput, message));
    };
    guest.copy(file, &format!("{DIRECTORY}/{name}"), 0o644)?;
    if name == DEFAULT { Ok(()) } else { guest.link(&format!("{DIRECTORY}/{DEFAULT}"), name) }
}
