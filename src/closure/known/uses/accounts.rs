//! The shells and home directories of accounts that can log in.

use std::collections::BTreeSet;

use image_tree::{Content, Directories};

use crate::closure::accounts::NamedAccounts;
use crate::closure::config::file::read;
use crate::closure::dependency::Target;
use crate::closure::error::Result;
use crate::closure::known::expand;

/// The shell of an account that does not name one.
const DEFAULT_SHELL: &[u8] = b"/bin/sh";

/// Adds root and the accounts with a shell that `/etc/shells` lists, and their existing shells and
/// home directories. Of a home directory only the directory itself is meant.
pub(super) fn add<T: Directories<Content: Content>>(
    tree: &T,
    files: &mut Vec<Target>,
    accounts: &mut NamedAccounts,
) -> Result<()> {
    let Some(passwd) = read(tree, b"/etc/passwd")? else { return Ok(()) };
    let shells = read(tree, b"/etc/shells")?.unwrap_or_default();
    let shells: BTreeSet<&[u8]> = shells.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    let mut paths = BTreeSet::new();
    for line in passwd.split(|byte| *byte == b'\n') {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [name, _, user, _, _, home, shell] = fields[..] else { continue };
        let shell = if shell.is_empty() { DEFAULT_SHELL } else { shell };
        if user == b"0" || shells.contains(shell) {
            accounts.add_user(name);
            let is_absolute = |path: &&[u8]| path.starts_with(b"/") && path.len() > 1;
            paths.extend([shell, home].into_iter().filter(is_absolute).map(<[u8]>::to_vec));
        }
    }
    files.extend(paths.into_iter().filter_map(|path| expand::existing(tree, path)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::testing::small_tree::tree;

    #[test]
    fn shells_of_accounts_that_can_log_in() {
        let passwd = "root:x:0:0::/root:/bin/rsh\nbad\na:x:1:1::/home/a:\nb:x:2:2::/home/b:/bin/no\nc:x:3:3:::/bin/b\n";
        let tree = tree(
            &[
                ("/etc/passwd", passwd),
                ("/etc/shells", "# shells\n/bin/sh\n /bin/b\n"),
                ("/bin/sh", ""),
                ("/bin/b", ""),
                ("/bin/no", ""),
                ("/bin/rsh", ""),
                ("/root/x", ""),
                ("/home/b/x", ""),
            ],
            &[],
        );
        let (mut found, mut accounts) = (Vec::new(), NamedAccounts::default());
        add(&tree, &mut found, &mut accounts).expect("the files are short");
        assert_eq!(accounts.users, ["a", "c", "root"].map(|name| name.as_bytes().to_vec()).into());
        let expected = ["/bin/b", "/bin/rsh", "/bin/sh", "/root"];
        assert_eq!(found, expected.map(|path| Target::File(vec![path.as_bytes().to_vec()])));
    }
}
