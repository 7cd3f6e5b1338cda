//! The first program of an initramfs: `/init`.
//!
//! The kernel runs `/init` of an initramfs and nothing else, while a root filesystem has its init
//! at `/sbin/init`. So a tree made to be a root filesystem gets a symlink.

use std::collections::BTreeSet;

use image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree};

use crate::closure::exec::Errno;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{self, Log};
use image_tree::resolve::resolve_in_root;

/// The choice of `/init`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Init {
    /// The tree's own, which must exist.
    Own,
    /// The tree's own if there is one, else a link to `/lib/systemd/systemd`. `/sbin/init` must
    /// exist.
    Systemd,
    /// The tree's own if there is one, else a link to `/sbin/init`, the location of Kata's agent
    /// when it is the init. Neither may be systemd.
    Agent,
    /// A link to that program. If the tree has its own, it must already be that program.
    Program(LinkTarget),
}

const INIT: &[u8] = b"/init";
const SBIN_INIT: &[u8] = b"/sbin/init";
const SYSTEMD: &[u8] = b"/lib/systemd/systemd";
/// The location of systemd if `/lib` is not a link to `/usr/lib`, where its programs moved.
const USR_SYSTEMD: &[u8] = b"/usr/lib/systemd/systemd";
const AGENT: &[u8] = b"/usr/bin/kata-agent";

/// The paths at which a program for `/init` is looked for, without that of [`Init::Program`].
pub const CANDIDATES: [&[u8]; 4] = [INIT, SBIN_INIT, SYSTEMD, AGENT];

/// The execute bits. Root may execute a file with any of them.
const EXECUTE: u16 = 0o111;

impl Init {
    /// Parses `own`, `systemd`, `agent` or the path of a program, which begins with `/`.
    ///
    /// # Errors
    /// Returns a message if it is none of these.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        match text {
            b"own" => Ok(Self::Own),
            b"systemd" => Ok(Self::Systemd),
            b"agent" => Ok(Self::Agent),
            [b'/', ..] => LinkTarget::new(text).map(Self::Program).map_err(|error| error.to_string()),
            _ => {
                let shown = text.escape_ascii();
                Err(format!("\"{shown}\" is not own, systemd, agent or an absolute path such as /sbin/init"))
            }
        }
    }
}

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The choice of `/init`.
    pub init: &'a Init,
    /// The mtime of a created link.
    pub time: Timestamp,
    /// True if systemd starts Kata's agent, which must then be in the tree.
    pub with_agent: bool,
    /// The paths of [`CANDIDATES`] that the tree had before it was reduced.
    pub before: &'a BTreeSet<Vec<u8>>,
}

/// The change to a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// True if `/init` was created.
    pub created: bool,
}

impl log::Report for Report {
    /// Logs nothing: the report on the initramfs states it.
    fn log(&self, _log: &Log) {}
}

/// Ensures that the tree has an `/init` that a kernel can run.
///
/// # Errors
/// If there is no such program, or the tree has another `/init` than the requested one.
pub fn apply<C>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<Report> {
    if options.with_agent && *options.init == Init::Systemd {
        require_agent(tree, options.before)?;
    }
    let created = ensure(tree, options).map_err(|why| Error::new(ErrorKind::BadInput, why))?;
    Ok(Report { created })
}

/// Checks that Kata's agent is at the path from which its systemd unit starts it.
///
/// # Errors
/// If it is missing, or not executable.
fn require_agent<C>(tree: &Tree<C>, before: &BTreeSet<Vec<u8>>) -> Result<()> {
    let hint =
        "systemd starts it in a guest of Kata; install it, or with the agent at /sbin/init use --init agent";
    require_executable(tree, before, AGENT, hint).map_err(|why| Error::new(ErrorKind::BadInput, why))
}

fn ensure<C>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<bool, String> {
    let Options { init, time, before, .. } = *options;
    let own = tree.resolve_no_symlinks(INIT).is_some();
    if matches!(init, Init::Systemd | Init::Agent) {
        require_executable(tree, before, SBIN_INIT, "a tree to boot has its init there; install one")?;
    }
    if *init == Init::Agent {
        require_not_systemd(tree, SBIN_INIT)?;
        require_not_systemd(tree, INIT)?;
    }
    let target = match init {
        Init::Own if !own && before.contains(INIT) => {
            return Err("/init is in the tree, but not kept; add --keep /init".to_owned());
        }
        Init::Own if !own => {
            return Err("the tree has no /init, which is what the kernel runs of an initramfs; \
                        name a program with --init, or none where another initramfs has it"
                .to_owned());
        }
        Init::Program(target) => target.clone(),
        Init::Systemd => LinkTarget::new(SYSTEMD).map_err(|error| error.to_string())?,
        Init::Own | Init::Agent => LinkTarget::new(SBIN_INIT).map_err(|error| error.to_string())?,
    };
    if own {
        require_executable(tree, before, INIT, "remove it, or let it point to a program")?;
        if matches!(init, Init::Program(_))
            && resolve_in_root(tree, INIT) != resolve_in_root(tree, target.as_bytes())
        {
            let shown = target.as_bytes().escape_ascii();
            return Err(format!("the tree has an /init that is not {shown}; remove it first"));
        }
        return Ok(false);
    }
    require_executable(
        tree,
        before,
        target.as_bytes(),
        "/init would lead there; install it, or name another program with --init",
    )?;
    let metadata = Metadata { mtime: time, ..Metadata::new(0o777) };
    let name = Name::new("init").map_err(|error| error.to_string())?;
    tree.insert(InodeId::ROOT, name, Inode { metadata, kind: Kind::Symlink(target) })
        .map_err(|error| error.to_string())?;
    Ok(true)
}

/// Checks that a path leads to a program, following links as the kernel does.
fn require_executable<C>(
    tree: &Tree<C>,
    before: &BTreeSet<Vec<u8>>,
    path: &[u8],
    hint: &str,
) -> Result<(), String> {
    let shown = path.escape_ascii();
    let Some(id) = resolve_in_root(tree, path) else {
        if before.contains(path) {
            return Err(format!("{shown} is in the tree, but not kept; add --keep {shown}"));
        }
        let what = if tree.resolve_no_symlinks(path).is_some() {
            refused("a dangling symbolic link", Errno::Noent)
        } else {
            "not in the tree".to_owned()
        };
        return Err(format!("{shown} is {what}; {hint}"));
    };
    let inode = tree.get(id);
    match inode.kind {
        Kind::Regular(_) if inode.metadata.mode & EXECUTE != 0 => Ok(()),
        Kind::Regular(_) => {
            let mode = format!("has mode {:04o}, so it is not executable", inode.metadata.mode);
            Err(format!("{shown} {}; {hint}", refused(&mode, Errno::Acces)))
        }
        _ => Err(format!("{shown} is {}; {hint}", refused("not a regular file", Errno::Acces))),
    }
}

/// Adds the error with which the kernel refuses a program.
fn refused(why: &str, errno: Errno) -> String {
    format!("{why} (error {errno} of the kernel)")
}

/// Checks that a path that must lead to Kata's agent does not lead to systemd, which requires the
/// agent at another path.
fn require_not_systemd<C>(tree: &Tree<C>, path: &[u8]) -> Result<(), String> {
    let found = resolve_in_root(tree, path);
    if found.is_some()
        && [SYSTEMD, USR_SYSTEMD].into_iter().any(|systemd| resolve_in_root(tree, systemd) == found)
    {
        let shown = path.escape_ascii();
        return Err(format!(
            "{shown} is systemd and not Kata's agent; put the agent there, or use --init systemd"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a tree of programs, of files that are not executable, and of links.
    fn tree(programs: &[&str], files: &[&str], links: &[(&str, &str)]) -> Tree<Vec<u8>> {
        let mut tree = Tree::new(Metadata::new(0o755));
        let mut add = |path: &str, mode: u16, kind: Kind<Vec<u8>>| {
            let (above, name) = path.rsplit_once('/').expect("it begins with /");
            let mut parent = InodeId::ROOT;
            for directory in above.split('/').filter(|name| !name.is_empty()) {
                parent = tree.lookup(parent, directory.as_bytes()).unwrap_or_else(|| {
                    let name = Name::new(directory).expect("a valid name");
                    tree.insert(parent, name, Inode::directory(Metadata::new(0o755))).expect("it is new")
                });
            }
            let inode = Inode { metadata: Metadata::new(mode), kind };
            tree.insert(parent, Name::new(name).expect("a valid name"), inode).expect("it is new");
        };
        for path in programs {
            add(path, 0o755, Kind::Regular(Vec::new()));
        }
        for path in files {
            add(path, 0o644, Kind::Regular(Vec::new()));
        }
        for (path, target) in links {
            add(path, 0o777, Kind::Symlink(LinkTarget::new(target).expect("a valid target")));
        }
        tree
    }

    const TIME: Timestamp = Timestamp::from_seconds(7);

    fn give(tree: &mut Tree<Vec<u8>>, init: &Init) -> Result<bool> {
        let options = Options { init, time: TIME, with_agent: false, before: &BTreeSet::new() };
        apply(tree, &options).map(|report| report.created)
    }

    #[track_caller]
    fn made(mut tree: Tree<Vec<u8>>, init: &str, target: &str) {
        let init = Init::parse(init.as_bytes()).expect("it is one");
        assert!(give(&mut tree, &init).expect("there is one to be had"));
        let link = tree.get(tree.resolve_no_symlinks(INIT).expect("it was made"));
        assert_eq!(link.kind, Kind::Symlink(LinkTarget::new(target).expect("a valid target")));
        assert_eq!((link.metadata.mtime, link.metadata.mode, link.metadata.uid), (TIME, 0o777, 0));
        // Now it is the tree's own.
        assert!(!give(&mut tree, &init).expect("it is there"));
    }

    #[track_caller]
    fn refused(mut tree: Tree<Vec<u8>>, init: &str, why: &str) {
        let init = Init::parse(init.as_bytes()).expect("it is one");
        let before = tree.clone();
        let error = give(&mut tree, &init).expect_err("there is none");
        assert_eq!(error.to_string(), why);
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert_eq!(tree, before);
    }

    #[test]
    fn creates_the_links_of_osbuilder() {
        let debian = || {
            tree(
                &["/usr/lib/systemd/systemd"],
                &[],
                &[("/lib", "usr/lib"), ("/sbin/init", "/lib/systemd/systemd")],
            )
        };
        made(debian(), "systemd", "/lib/systemd/systemd");
        made(debian(), "/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd");
        made(tree(&["/sbin/init"], &[], &[]), "agent", "/sbin/init");
    }

    #[test]
    fn an_existing_init_is_kept() {
        for init in ["own", "agent", "systemd", "/init", "/sbin/init"] {
            let mut own = tree(&["/sbin/init"], &[], &[("/init", "sbin/init")]);
            let before = own.clone();
            let init = Init::parse(init.as_bytes()).expect("it is one");
            assert!(!give(&mut own, &init).expect("it is there"));
            assert_eq!(own, before);
        }
    }

    #[test]
    fn refuses_trees_without_an_init() {
        let empty = || tree(&[], &[], &[]);
        let none = "the tree has no /init, which is what the kernel runs of an initramfs; name a program with --init, or \
                    none where another initramfs has it";
        refused(empty(), "own", none);
        refused(
            empty(),
            "systemd",
            "/sbin/init is not in the tree; a tree to boot has its init there; install one",
        );
        refused(
            tree(&["/sbin/init"], &[], &[]),
            "systemd",
            "/lib/systemd/systemd is not in the tree; /init would lead there; install it, or name another program \
             with --init",
        );
        refused(
            tree(&[], &["/sbin/init"], &[]),
            "agent",
            "/sbin/init has mode 0644, so it is not executable (error -13 of the kernel); \
             a tree to boot has its init there; install one",
        );
        refused(
            tree(&["/sbin/init"], &[], &[("/init", "gone")]),
            "agent",
            "/init is a dangling symbolic link (error -2 of the kernel); remove it, or let it point to a program",
        );
        refused(
            tree(&["/a", "/init"], &[], &[]),
            "/a",
            "the tree has an /init that is not /a; remove it first",
        );
        refused(
            tree(&["/sbin/init"], &[], &[]),
            "/sbin",
            "/sbin is not a regular file (error -13 of the kernel); /init would lead there; \
             install it, or name another program with --init",
        );
    }

    #[test]
    fn a_program_that_is_not_kept_is_told_apart_from_one_that_the_tree_lacks() {
        let before: BTreeSet<Vec<u8>> = [INIT.to_vec(), SYSTEMD.to_vec()].into();
        let said = |init: Init, mut tree: Tree<Vec<u8>>| {
            let options = Options { init: &init, time: TIME, with_agent: false, before: &before };
            apply(&mut tree, &options).expect_err("it is not kept").to_string()
        };
        assert_eq!(
            said(Init::Own, tree(&[], &[], &[])),
            "/init is in the tree, but not kept; add --keep /init"
        );
        let kept = tree(&["/sbin/init"], &[], &[]);
        let systemd = "/lib/systemd/systemd is in the tree, but not kept; add --keep /lib/systemd/systemd";
        assert_eq!(said(Init::Systemd, kept), systemd);
    }

    #[test]
    fn refuses_systemd_as_the_agent() {
        let why = |path: &str| {
            format!("{path} is systemd and not Kata's agent; put the agent there, or use --init systemd")
        };
        let agent_and_systemd = ["/usr/bin/kata-agent", "/lib/systemd/systemd"];
        let links = [("/sbin/init", "/lib/systemd/systemd")];
        refused(tree(&agent_and_systemd, &[], &links), "agent", &why("/sbin/init"));
        let links = [("/sbin/init", "../usr/lib/systemd/systemd")];
        refused(tree(&["/usr/lib/systemd/systemd"], &[], &links), "agent", &why("/sbin/init"));
        let links = [("/init", "lib/systemd/systemd")];
        refused(tree(&["/sbin/init", "/lib/systemd/systemd"], &[], &links), "agent", &why("/init"));
        made(tree(&["/sbin/init", "/lib/systemd/systemd"], &[], &[]), "agent", "/sbin/init");
    }

    #[test]
    fn systemd_requires_the_agent_at_its_path() {
        let why = |tree| require_agent::<Vec<u8>>(&tree, &BTreeSet::new()).map_err(|error| error.to_string());
        assert_eq!(why(tree(&["/usr/bin/kata-agent"], &[], &[])), Ok(()));
        let hint = "systemd starts it in a guest of Kata; install it, or with the agent at /sbin/init use --init agent";
        let missing = format!("/usr/bin/kata-agent is not in the tree; {hint}");
        assert_eq!(why(tree(&["/sbin/init"], &[], &[])), Err(missing));
        let mode = format!(
            "/usr/bin/kata-agent has mode 0644, so it is not executable (error -13 of the kernel); {hint}"
        );
        assert_eq!(why(tree(&[], &["/usr/bin/kata-agent"], &[])), Err(mode));
        let ensured = |init: &Init, with_agent: bool| {
            let options = Options { init, time: TIME, with_agent, before: &BTreeSet::new() };
            apply(&mut tree(&["/sbin/init", "/lib/systemd/systemd"], &[], &[]), &options).is_ok()
        };
        assert!(ensured(&Init::Systemd, false) && !ensured(&Init::Systemd, true));
        assert!(ensured(&Init::Agent, true));
    }

    #[test]
    fn refuses_unknown_choices() {
        for text in ["", "sbin/init", "kata", "/\0"] {
            assert!(Init::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
