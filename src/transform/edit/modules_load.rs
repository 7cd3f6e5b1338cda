//! The list of kernel modules that a guest loads when it starts, for modules-load.d(5).

use super::action::{Action, Edit};

/// The path of the list.
pub const PATH: &[u8] = b"/etc/modules-load.d/rootcast.conf";

/// The maximum length of a module's name in the kernel, with its NUL (`MODULE_NAME_LEN` on 64-bit
/// machines is 56).
const MAX_LEN: usize = 55;

/// Parses the name of a module.
///
/// # Errors
/// Returns a message for a name that no module has.
pub fn parse(name: &str) -> Result<String, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    match name.bytes().all(is_name) && (1..=MAX_LEN).contains(&name.len()) {
        true => Ok(name.to_owned()),
        false => Err(format!("\"{name}\" is not the name of a kernel module")),
    }
}

/// Returns the edit that writes the list; `None` if it is empty.
#[must_use]
pub fn edit(names: &[String]) -> Option<Edit> {
    let text: Vec<u8> = names.iter().flat_map(|name| [name.as_bytes(), b"\n"].concat()).collect();
    let action = Action::Write { path: PATH.to_vec(), mode: None, text };
    (!names.is_empty()).then(|| Edit { text: format!("--modules-load {}", names.join(",")), action })
}
