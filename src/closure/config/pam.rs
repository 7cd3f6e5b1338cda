//! The modules that PAM opens for a service, according to `/etc/pam.d` of the tree.
//!
//! ```text
//! auth  [success=1 default=ignore]  pam_unix.so  nullok
//! -session  optional  pam_systemd.so          a minus: no word in the log when it is not there
//! account  include  common-account            and substack, and Debian's "@include common-account"
//! ```

use std::collections::BTreeSet;

use image_tree::{Content, Directories};

use crate::closure::Kind;
use crate::closure::config::file::{self, MAX_LEN};
use crate::closure::dependency::{Dependencies, PATH, Target};
use crate::closure::error::Result;

/// The directories of service files; the first that has a service wins.
const DIRECTORIES: [&[u8]; 2] = [b"/etc/pam.d", b"/usr/lib/pam.d"];

/// The maximum number of services that one may include.
const MAX_SERVICES: usize = 128;

/// Returns the service files of `service` and its includes, the modules, and the programs that
/// pam_exec runs.
///
/// A module without a directory is searched for in `security` of each of `library_directories`, in
/// order.
///
/// # Errors
/// Returns an error if a file of the tree cannot be read or is too long.
pub fn dependencies<T: Directories<Content: Content>>(
    tree: &T,
    service: &[u8],
    library_directories: &[Vec<u8>],
) -> Result<Dependencies> {
    let mut dependencies = Dependencies::default();
    let mut seen = BTreeSet::from([service.to_vec()]);
    let mut pending = vec![service.to_vec()];
    while let Some(service) = pending.pop() {
        let candidates = DIRECTORIES.map(|directory| [directory, b"/", &service].concat());
        let mut found = None;
        for path in candidates {
            if found.is_none() {
                found = file::read(tree, &path)?.map(|text| (path, text));
            }
        }
        let Some((path, text)) = found else {
            dependencies.unknown.push(format!("PAM service \"{}\" not found", service.escape_ascii()));
            continue;
        };
        dependencies.configured(&path, true, format!("is the PAM service {}", service.escape_ascii()));
        for line in lines(&text) {
            match Line::parse(&line) {
                Some(Line::Include(name)) if seen.contains(name) => {}
                Some(Line::Include(name)) if is_name(name) && seen.len() < MAX_SERVICES => {
                    seen.insert(name.to_vec());
                    pending.push(name.to_vec());
                }
                Some(Line::Include(name)) => dependencies.unknown.push(format!(
                    "{} includes \"{}\", which is not a service, or one more than {MAX_SERVICES}",
                    path.escape_ascii(),
                    name.escape_ascii()
                )),
                Some(Line::Module { name, arguments, required }) => {
                    add_module(&mut dependencies, &path, name, &arguments, required, library_directories);
                }
                None => {}
            }
        }
    }
    Ok(dependencies)
}

fn add_module(
    dependencies: &mut Dependencies,
    service: &[u8],
    name: &[u8],
    arguments: &[&[u8]],
    required: bool,
    library_directories: &[Vec<u8>],
) {
    // The directory may contain a placeholder for the C library's architecture:
    // "/lib/security/$ISA/pam_x.so".
    let name = match name.strip_prefix(b"/lib/security/$ISA/") {
        Some(name) => name,
        None => name,
    };
    let paths = match name.starts_with(b"/") {
        true => vec![name.to_vec()],
        false => library_directories.iter().map(|path| [path, &b"/security/"[..], name].concat()).collect(),
    };
    let reason = format!("is a module of the PAM service {}", service.escape_ascii());
    dependencies.add(Target::File(paths), Kind::Dlopen, required, reason);
    if name.ends_with(b"pam_exec.so")
        && let Some(program) = arguments.iter().find(|argument| argument.starts_with(b"/"))
    {
        let reason = format!("is run by pam_exec for {}", service.escape_ascii());
        dependencies.add(Target::program(program, &PATH), Kind::Configured, required, reason);
    }
}

/// Returns true if a service name is a valid file name.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.contains(&b'/') && name != b"." && name != b".."
}

/// Splits a text into lines, joining those that end in a backslash.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    debug_assert!(text.len() as u64 <= MAX_LEN);
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut is_open = false;
    for line in text.split(|byte| *byte == b'\n') {
        let (part, continues) = match line.strip_suffix(b"\\") {
            Some(part) => (part, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| is_open) {
            Some(last) => last.extend([b" ", part].concat()),
            None => lines.push(part.to_vec()),
        }
        is_open = continues;
    }
    lines
}

enum Line<'a> {
    Include(&'a [u8]),
    Module { name: &'a [u8], arguments: Vec<&'a [u8]>, required: bool },
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let line = line.split(|byte| *byte == b'#').next()?.trim_ascii();
        let (kind, rest) = word(line)?;
        if kind == b"@include" {
            return word(rest).map(|(name, _)| Self::Include(name));
        }
        let (control, rest) = match rest.strip_prefix(b"[") {
            Some(rest) => {
                let end = rest.iter().position(|byte| *byte == b']')?;
                (&rest[..end], rest[end + 1..].trim_ascii_start())
            }
            None => word(rest)?,
        };
        let (name, rest) = word(rest)?;
        if matches!(control, b"include" | b"substack") {
            return Some(Self::Include(name));
        }
        let required = !kind.starts_with(b"-") && control != b"optional";
        let arguments = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        Some(Self::Module { name, arguments, required })
    }
}

/// Returns the first word and the text after it, without the whitespace between them.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (end > 0).then(|| (&text[..end], text[end..].trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::testing::small_tree::tree;

    #[test]
    fn services_depend_on_modules_includes_and_programs() {
        let tree = tree(
            &[
                (
                    "/etc/pam.d/login",
                    "# x\nauth  optional pam_faildelay.so  delay=3\n@include common-auth\nsession [success=ok \\\n ignore=ignore] pam_selinux.so close\n-session optional pam_systemd.so\nauth required pam_exec.so quiet /usr/bin/hook x\n",
                ),
                (
                    "/etc/pam.d/common-auth",
                    "auth [success=1] /opt/pam_unix.so\nauth substack login\nauth include gone\n@include ../passwd\n",
                ),
            ],
            &[],
        );
        let directories = [b"/lib/x".to_vec(), b"/usr/lib".to_vec()];
        let dependencies = dependencies(&tree, b"login", &directories).expect("it can be read");
        let found: Vec<(String, bool)> = dependencies
            .known
            .iter()
            .map(|dependency| match &dependency.target {
                Target::File(paths) => (paths[0].escape_ascii().to_string(), dependency.required),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [
            ("/etc/pam.d/login", true),
            ("/lib/x/security/pam_faildelay.so", false),
            ("/lib/x/security/pam_selinux.so", true),
            ("/lib/x/security/pam_systemd.so", false),
            ("/lib/x/security/pam_exec.so", true),
            ("/usr/bin/hook", true),
            ("/etc/pam.d/common-auth", true),
            ("/opt/pam_unix.so", true),
        ];
        assert_eq!(found, expected.map(|(path, required)| (path.to_owned(), required)));
        assert_eq!(dependencies.unknown.len(), 2, "{:?}", dependencies.unknown);
    }
}
