//! `modules.devname`: device nodes whose use loads a module.

use super::sources::Entry;
use crate::warning::Warning;

const TITLE: &[u8] = b"# Device nodes to trigger on-demand module loading.\n";

/// Returns the file, which is empty without such nodes.
pub(super) fn text(modules: &[&Entry], warnings: &mut Vec<Warning>) -> Vec<u8> {
    let mut text = Vec::new();
    for entry in modules {
        match node(&entry.module.info.aliases) {
            (Some(name), Some((kind, major, minor))) => {
                if text.is_empty() {
                    text.extend_from_slice(TITLE);
                }
                text.extend_from_slice(&[&entry.name[..], b" ", name, b" "].concat());
                text.extend_from_slice(format!("{kind}{major}:{minor}\n").as_bytes());
            }
            (Some(device), None) => {
                let (module, device) = (entry.name.clone(), device.to_vec());
                warnings.push(Warning::DeviceNumbers { module, device });
            }
            (None, _) => {}
        }
    }
    text
}

type Number = (char, u32, u32);

/// Returns the last name and the last number until there are both.
fn node(aliases: &[Vec<u8>]) -> (Option<&[u8]>, Option<Number>) {
    let (mut name, mut number) = (None, None);
    for alias in aliases {
        if let Some(device) = alias.strip_prefix(b"devname:") {
            name = Some(device);
        } else {
            number = device_number(alias).or(number);
        }
        if name.is_some() && number.is_some() {
            break;
        }
    }
    (name, number)
}

/// Returns the number in `char-major-10-200` or `block-major-7-0`.
fn device_number(alias: &[u8]) -> Option<Number> {
    let kinds = [('c', &b"char-major-"[..]), ('b', b"block-major-")];
    let (kind, rest) = kinds.iter().find_map(|(kind, start)| Some((*kind, alias.strip_prefix(*start)?)))?;
    let (major, rest) = digits(rest)?;
    let (minor, _) = digits(rest.strip_prefix(b"-")?)?;
    Some((kind, major, minor))
}

fn digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(len);
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_come_from_aliases() {
        let aliases =
            |list: &[&str]| -> Vec<Vec<u8>> { list.iter().map(|text| text.as_bytes().to_vec()).collect() };
        let found = |list: &[&str]| {
            let aliases = aliases(list);
            let (name, number) = node(&aliases);
            (name.map(<[u8]>::to_vec), number)
        };
        let loop_device =
            found(&["block-major-7-*", "devname:loop-control", "char-major-10-237", "devname:x"]);
        assert_eq!(loop_device, (Some(b"loop-control".to_vec()), Some(('c', 10, 237))));
        assert_eq!(found(&["block-major-7-0x"]), (None, Some(('b', 7, 0))));
        assert_eq!(found(&["char-major-10", "char-major--1", "char-major-1-"]), (None, None));
    }
}
