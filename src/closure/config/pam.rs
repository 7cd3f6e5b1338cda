//! The modules that PAM opens for a service, according to `/etc/pam.d` of the tree.
//!
//! ```text
//! auth  [success=1 default=ignore]  pam_unix.so  nullok
//! -session  optional  pam_systemd.so          a minus: no word in the log when it is not there
//! account  include  common-account            and substack: the lines for accounts of another file
//! @include common-account                     Debian's: all lines of another file
//! ```
//!
//! libpam also reads the service `other`, whose modules stand in for those that a service does not
//! have. Words are compared without regard to case.

mod arguments;
mod line;

use std::collections::BTreeSet;

use image_tree::path::{base_name, join};
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories};

use self::line::{Line, Type};
use crate::closure::Kind;
use crate::closure::config::file;
use crate::closure::dependency::{Dependencies, Target};
use crate::closure::error::Result;

/// The directories of service files; the first that has a service wins. The last two are those of
/// distributions with `--with-vendordir`.
const DIRECTORIES: [&[u8]; 4] = [b"/etc/pam.d", b"/usr/lib/pam.d", b"/usr/share/pam.d", b"/usr/etc/pam.d"];

/// The file of all services, which is read if none of the directories exists.
const ALL_SERVICES: &[u8] = b"/etc/pam.conf";

/// The service for everything that a service does not have.
const OTHER: &[u8] = b"other";

/// The placeholder for the directory of modules of an architecture.
const ISA: &[u8] = b"$ISA";

/// The maximum number of files that a service may include.
const MAX_FILES: usize = 128;

/// Returns the files of `service`, of its includes and of `other`, their modules, and the files that
/// arguments of modules name. Nothing if the tree does not have the service.
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
    let has_directory = DIRECTORIES.iter().any(|directory| resolve_in_root(tree, directory).is_some());
    let mut walk = Walk { tree, library_directories, found: Dependencies::default(), seen: BTreeSet::new() };
    if has_directory {
        if walk.open(service)?.is_none() {
            return Ok(walk.found);
        }
        walk.file(service, None)?;
        if service != OTHER && walk.open(OTHER)?.is_some() {
            walk.file(OTHER, None)?;
        }
    } else if let Some(text) = file::read(tree, ALL_SERVICES)? {
        walk.all_services(service, &text)?;
    }
    Ok(walk.found)
}

/// A walk over the files of a service.
struct Walk<'a, T> {
    tree: &'a T,
    library_directories: &'a [Vec<u8>],
    found: Dependencies,
    /// The files that were read, and for which modules.
    seen: BTreeSet<(Vec<u8>, Option<Type>)>,
}

/// A file that is still to be read, for modules of one kind or all.
type Pending = (Vec<u8>, Option<Type>);

impl<T: Directories<Content: Content>> Walk<'_, T> {
    /// Returns the path and the text of a service's file.
    fn open(&self, service: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let candidates = match service.starts_with(b"/") {
            true => vec![service.to_vec()],
            false => DIRECTORIES.iter().map(|directory| join(directory, service)).collect(),
        };
        for path in candidates {
            if let Some(text) = file::read(self.tree, &path)? {
                return Ok(Some((path, text)));
            }
        }
        Ok(None)
    }

    /// Adds a service's file and those that it includes.
    fn file(&mut self, service: &[u8], only: Option<Type>) -> Result<()> {
        let mut pending = Vec::from([(service.to_vec(), only)]);
        while let Some((service, only)) = pending.pop() {
            if self.seen.contains(&(service.clone(), only)) || self.seen.contains(&(service.clone(), None)) {
                continue;
            }
            let Some((path, text)) = self.open(&service)? else {
                self.found.unknown.push(format!("PAM service \"{}\" not found", service.escape_ascii()));
                continue;
            };
            if self.seen.len() == MAX_FILES {
                let path = path.escape_ascii();
                self.found
                    .unknown
                    .push(format!("{path} is one more than {MAX_FILES} files of a PAM service"));
                continue;
            }
            let reason = format!("is the PAM service {}", service.escape_ascii());
            self.found.configured(&path, true, reason);
            self.seen.insert((service, only));
            let lines = line::lines(&text);
            let included: Vec<Pending> =
                lines.iter().filter_map(|line| self.line(&path, line, only)).collect();
            // The files that are included first are read first.
            pending.extend(included.into_iter().rev());
        }
        Ok(())
    }

    /// Adds the lines of `/etc/pam.conf` for a service and for `other`.
    fn all_services(&mut self, service: &[u8], text: &[u8]) -> Result<()> {
        let lines = line::lines(text);
        for service in [service, OTHER] {
            let mut has_lines = false;
            for line in &lines {
                let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
                let (name, rest) = line.split_at(end);
                if !name.eq_ignore_ascii_case(service) {
                    continue;
                }
                has_lines = true;
                if let Some((name, only)) = self.line(ALL_SERVICES, rest, None) {
                    self.file(&name, only)?;
                }
            }
            if has_lines {
                let reason = format!("has the PAM service {}", service.escape_ascii());
                self.found.configured(ALL_SERVICES, true, reason);
            }
        }
        Ok(())
    }

    /// Adds the module of a line, or returns the file that it includes.
    fn line(&mut self, path: &[u8], line: &[u8], only: Option<Type>) -> Option<Pending> {
        match Line::parse(line)? {
            Line::Include { name, only: included } => {
                let is_wanted = only.is_none() || included.is_none() || included == only;
                is_wanted.then(|| (name.to_vec(), only.or(included)))
            }
            Line::Module { of, name, arguments, required } => {
                if only.is_none_or(|only| only == of) {
                    self.module(path, name, &arguments, required);
                }
                None
            }
        }
    }

    fn module(&mut self, service: &[u8], name: &[u8], arguments: &[&[u8]], required: bool) {
        let has_isa = name.windows(ISA.len()).any(|part| part == ISA);
        let paths = match name.starts_with(b"/") && !has_isa {
            true => vec![name.to_vec()],
            false => {
                let name = if has_isa { base_name(name) } else { name };
                let directories = self.library_directories.iter();
                directories.map(|directory| [directory, &b"/security/"[..], name].concat()).collect()
            }
        };
        let reason = format!("is a module of the PAM service {}", service.escape_ascii());
        self.found.add(Target::File(paths), Kind::Dlopen, required, reason);
        arguments::add(&mut self.found, service, base_name(name), arguments, required);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::testing::small_tree::tree;

    /// Returns the files, those that are not required in brackets.
    fn files(dependencies: &Dependencies) -> Vec<String> {
        let known = dependencies.known.iter();
        let file = known.map(|dependency| {
            let path = match &dependency.target {
                Target::File(paths) => paths[0].escape_ascii().to_string(),
                Target::Directory(path) => format!("{}/", path.escape_ascii()),
                other => panic!("{other:?}"),
            };
            if dependency.required { path } else { format!("({path})") }
        });
        file.collect()
    }

    fn check(texts: &[(&str, &str)], expected: &[&str]) -> Vec<String> {
        let tree = tree(texts, &[]);
        let directories = [b"/lib/x".to_vec(), b"/usr/lib".to_vec()];
        let found = dependencies(&tree, b"login", &directories).expect("it can be read");
        assert_eq!(files(&found), expected);
        found.unknown
    }

    #[test]
    fn modules_and_included_services_are_dependencies() {
        let login = "# x\nauth  optional pam_faildelay.so  delay=3\n@include common-auth\n\
            session [success=ok \\\n ignore=ignore] pam_selinux.so close\n-session optional pam_systemd.so\n\
            auth required pam_exec.so quiet /usr/bin/hook x\n";
        let auth =
            "auth [success=1] /opt/pam_unix.so\nauth substack login\nauth include gone\n@include ../passwd\n";
        let expected = [
            "/etc/pam.d/login",
            "(/lib/x/security/pam_faildelay.so)",
            "/lib/x/security/pam_selinux.so",
            "(/lib/x/security/pam_systemd.so)",
            "/lib/x/security/pam_exec.so",
            "/usr/bin/hook",
            "/etc/pam.d/common-auth",
            "/opt/pam_unix.so",
            "/etc/pam.d/other",
            "/lib/x/security/pam_deny.so",
        ];
        let other = ("/etc/pam.d/other", "auth required pam_deny.so\n");
        let unknown =
            check(&[("/etc/pam.d/login", login), ("/etc/pam.d/common-auth", auth), other], &expected);
        assert_eq!(unknown.len(), 2, "{unknown:?}");
    }

    #[test]
    fn an_include_is_for_one_kind_of_modules() {
        let expected = [
            "/etc/pam.d/login",
            "/usr/lib/pam.d/a",
            "/lib/x/security/pam_1.so",
            "/etc/security/b",
            "/lib/x/security/pam_3.so",
            "/usr/lib/pam.d/a",
            "/lib/x/security/pam_2.so",
            "/etc/security/b",
        ];
        let texts = [
            ("/etc/pam.d/login", "Auth INCLUDE a\nSESSION SubStack a\n"),
            (
                "/usr/lib/pam.d/a",
                "auth required pam_1.so\nsession required pam_2.so\n@include /etc/security/b\n",
            ),
            ("/etc/security/b", "auth required pam_3.so\npassword required pam_4.so\n"),
        ];
        check(&texts, &expected);
    }

    #[test]
    fn one_file_may_have_all_services() {
        let text = "login auth required pam_1.so\nLOGIN -session required /lib/$ISA/pam_2.so\nother auth include a\n\
            ftp auth required pam_3.so\n";
        let expected =
            ["/lib/x/security/pam_1.so", "(/lib/x/security/pam_2.so)", "/etc/pam.conf", "/etc/pam.conf"];
        assert_eq!(check(&[("/etc/pam.conf", text)], &expected).len(), 1);
        // The directory hides the file.
        check(&[("/etc/pam.conf", text), ("/etc/pam.d/x", "")], &[]);
    }

    #[test]
    fn arguments_name_files() {
        let text = "auth required pam_listfile.so item=user file=/etc/users sense=allow\n\
            session optional pam_motd.so motd=/a:/b motd_dir=/c\nauth required pam_userdb.so db=/d\n\
            session required pam_env.so envfile=relative\n";
        let expected = [
            "/etc/pam.d/login",
            "/lib/x/security/pam_listfile.so",
            "(/etc/users)",
            "(/lib/x/security/pam_motd.so)",
            "(/a)",
            "(/b)",
            "(/c/)",
            "/lib/x/security/pam_userdb.so",
            "(/d.db)",
            "/lib/x/security/pam_env.so",
        ];
        check(&[("/etc/pam.d/login", text)], &expected);
    }
}
