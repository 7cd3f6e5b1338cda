//! The filter for the xattrs of a source, by name.
//!
//! | rule | effect |
//! | --- | --- |
//! | `drop=GLOB,…` | xattrs with a matching name are left out |
//! | `keep=GLOB,…` | they are kept, even those that a host's directory loses by default |
//!
//! The last rule that matches a name takes precedence, so that flags override a recipe. A name that
//! no rule matches is treated as without rules. A GLOB is compared with the whole name, including
//! its namespace; `*` matches any bytes, including dots and slashes. `\,` is a comma within a GLOB.

use std::str::FromStr;

use thiserror::Error;

use image_tree::glob::FlatGlob;

/// A rule to keep or to drop names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    keep: bool,
    globs: Vec<FlatGlob>,
}

/// The reason that a text is not a rule.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct RuleError(String);

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (keep, globs) = match text.split_once('=') {
            Some(("keep", globs)) => (true, globs),
            Some(("drop", globs)) => (false, globs),
            _ => {
                let message =
                    format!("\"{text}\" is not keep=GLOB,… or drop=GLOB,…, such as drop=com.apple.*");
                return Err(RuleError(message));
            }
        };
        let globs: Result<Vec<_>, _> = split(globs.as_bytes()).into_iter().map(FlatGlob::parse).collect();
        Ok(Self { keep, globs: globs.map_err(RuleError)? })
    }
}

/// Splits at every comma that is not escaped with a backslash, and keeps the backslashes.
fn split(globs: &[u8]) -> Vec<&[u8]> {
    let mut escaped = false;
    let is_end = |byte: &u8| {
        let found = *byte == b',' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        found
    };
    globs.split(is_end).collect()
}

/// Rules in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    rules: Vec<Rule>,
}

const SELINUX: &[u8] = b"security.selinux";

/// Xattrs that are meaningless outside the filesystem and the host they were read from:
///
/// * `security.evm` signs the inode's number and the host's other labels, with a key of the host or
///   for its policy.
/// * `system.nfs4_acl` contains the server's access rules on an NFS mount; no disk filesystem
///   stores that name.
const HOST_SPECIFIC: [&[u8]; 2] = [b"security.evm", b"system.nfs4_acl"];

/// Properties of btrfs inodes, such as `btrfs.compression`, which no other filesystem supports.
const BTRFS: &[u8] = b"btrfs.";

/// The decision on an xattr of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Keep it.
    Keep,
    /// Drop it because of a rule.
    Drop,
    /// Drop it because it is meaningless outside the host.
    DropHostSpecific,
}

impl Filter {
    /// A filter without rules.
    pub const NONE: &'static Self = &Self { rules: Vec::new() };

    /// Creates a filter of rules in the order in which they were given.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Returns the decision on an xattr by its full name. SELinux labels that no rule names are
    /// kept only with `keep_selinux`.
    #[must_use]
    pub fn decide(&self, name: &[u8], keep_selinux: bool) -> Decision {
        let matching = self.rules.iter().rev().find(|rule| rule.globs.iter().any(|glob| glob.matches(name)));
        match (matching.map(|rule| rule.keep), name) {
            (Some(true), _) => Decision::Keep,
            (Some(false), _) => Decision::Drop,
            (None, SELINUX) if keep_selinux => Decision::Keep,
            (None, SELINUX) => Decision::DropHostSpecific,
            (None, name) if HOST_SPECIFIC.contains(&name) || name.starts_with(BTRFS) => {
                Decision::DropHostSpecific
            }
            (None, _) => Decision::Keep,
        }
    }
}

/// Returns a GLOB for messages that matches a name: bytes that are special in a shell or a GLOB
/// become `?`.
#[must_use]
pub fn pattern_of(name: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:@+/".contains(&byte);
    name.iter().map(|byte| if plain(*byte) { char::from(*byte) } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(rules: &[&str], names: &[&str]) -> Vec<Decision> {
        let rules = rules.iter().map(|rule| rule.parse().unwrap_or_else(|error| panic!("{error}")));
        let filter = Filter::new(rules.collect());
        names.iter().map(|name| filter.decide(name.as_bytes(), false)).collect()
    }

    #[test]
    fn the_last_matching_rule_applies() {
        use Decision::{Drop, DropHostSpecific, Keep};
        let names = ["user.a", "user.b", "com.apple.quarantine", "security.selinux", "btrfs.compression"];
        assert_eq!(decisions(&[], &names), [Keep, Keep, Keep, DropHostSpecific, DropHostSpecific]);
        assert_eq!(
            decisions(&["drop=com.apple.*"], &names),
            [Keep, Keep, Drop, DropHostSpecific, DropHostSpecific]
        );
        assert_eq!(decisions(&["drop=*", "keep=user.a"], &names), [Keep, Drop, Drop, Drop, Drop]);
        assert_eq!(decisions(&["keep=user.a", "drop=*"], &names), [Drop; 5]);
        assert_eq!(
            decisions(&["keep=security.*,user.b"], &names),
            [Keep, Keep, Keep, Keep, DropHostSpecific]
        );
    }

    #[test]
    fn globs_match_whole_names_and_escape_commas() {
        use Decision::{Drop, Keep};
        let names = ["user.a,b", "user.a", "b", "user.x/y", "xuser.a"];
        assert_eq!(decisions(&[r"drop=user.a\,b"], &names), [Drop, Keep, Keep, Keep, Keep]);
        assert_eq!(decisions(&["drop=user.a,b"], &names), [Keep, Drop, Drop, Keep, Keep]);
        assert_eq!(decisions(&["drop=user.*"], &names), [Drop, Drop, Keep, Drop, Keep]);
        assert_eq!(decisions(&["drop=user.?"], &names), [Keep, Drop, Keep, Keep, Keep]);
    }

    #[test]
    fn pattern_of_matches_its_name() {
        for name in ["com.apple.x", "user.a,b", "user.[x]*", "user.\\", "user.'é"] {
            let rule = format!("drop={}", pattern_of(name.as_bytes()));
            assert_eq!(decisions(&[&rule], &[name]), [Decision::Drop], "{rule}");
        }
        assert_eq!(pattern_of(b"user.a b"), "user.a?b");
    }

    #[test]
    fn refuses_invalid_rules() {
        for text in ["", "user.*", "+user.*", "keep", "drop=", "drop=a,", "drop=[a", "drop=a\\", "Drop=a"] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}
