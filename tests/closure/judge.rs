//! The dynamic linkers as judges: each lists the libraries it would load, in a tree of its own,
//! without running a program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image_tree::Tree;
use image_tree::resolve::trace_in_root;
use rootcast::blob::Blob;
use rootcast::closure::{self, Closure, Hwcaps, Kind, Options, Reason, Request};
use rootcast::interrupt::Interrupt;
use rootcast::source::directory;
use rootcast::threads::Threads;

use crate::judges;

/// The result of a dynamic linker for one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The files it would load, by their paths without symbolic links, except the program.
    pub(crate) loaded: BTreeSet<String>,
    /// The names it did not find.
    pub(crate) missing: BTreeSet<String>,
    /// True if it stopped at the first missing name.
    pub(crate) gave_up: bool,
    /// Its complete output.
    pub(crate) said: String,
}

/// A dynamic linker to run in a tree.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    /// The directory that is the tree's root.
    pub(crate) root: PathBuf,
    /// The command line before the program's path, as the tree sees it.
    pub(crate) command: Vec<String>,
}

/// Prints `== PATH` before each program, so that one shell can handle thousands.
const SCRIPT: &str = r#"
mount --bind /proc "$1/proc" || exit 99
root=$1; shift
while read -r program; do
    echo "== $program"
    chroot "$root" "$@" "$program" 2>&1 < /dev/null
done
"#;

impl Judge {
    /// Lists the libraries of programs; `None` after a visible skip.
    pub(crate) fn ask(&self, programs: &[String]) -> Option<BTreeMap<String, Verdict>> {
        if !judges::is_root() {
            judges::skip("the dynamic linker", "only root changes the root directory");
            return None;
        }
        fs::create_dir_all(self.root.join("proc")).unwrap();
        let mut asked = Command::new("unshare");
        asked.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(&self.root).args(&self.command);
        asked.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        let questions = tempfile::NamedTempFile::new().unwrap();
        fs::write(questions.path(), programs.join("\n") + "\n").unwrap();
        let output = asked.stdin(Stdio::from(fs::File::open(questions.path()).unwrap())).output().unwrap();
        if output.status.code() == Some(99) {
            judges::skip("the dynamic linker", "this machine gives root no right to mount");
            return None;
        }
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = self.tree();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let parts = text.split("== ").filter(|part| !part.is_empty());
        Some(parts.map(|part| self.read(&tree, part)).collect())
    }

    /// Returns the tree that is judged.
    pub(crate) fn tree(&self) -> Tree<Blob> {
        directory::read(&self.root, &Threads::single(), &Interrupt::never()).unwrap().tree
    }

    fn read(&self, tree: &Tree<Blob>, part: &str) -> (String, Verdict) {
        let (program, said) = part.split_once('\n').unwrap();
        let mut verdict = Verdict { said: said.to_owned(), ..Verdict::default() };
        for line in said.lines().map(str::trim) {
            let (name, found) = line.split_once(" => ").unwrap_or((line, line));
            if found == "not found" {
                verdict.missing.insert(name.to_owned());
            } else if let Some((_, why)) = line.split_once("error while loading shared libraries: ") {
                verdict.gave_up = true;
                let path = why.split(": ").next().unwrap();
                verdict.missing.insert(path.rsplit('/').next().unwrap().to_owned());
            } else if let Some(name) = line.strip_prefix("Error loading shared library ") {
                verdict.missing.insert(name.split(':').next().unwrap().to_owned());
            } else if let Some((path, _)) = found.split_once(" (0x")
                && path.starts_with('/')
            {
                verdict.loaded.insert(canonical(tree, path));
            }
        }
        // The dynamic linker does not list itself unless an object depends on it; it is loaded all
        // the same.
        verdict.loaded.remove(&canonical(tree, program));
        (program.to_owned(), verdict)
    }
}

/// Returns a path without symbolic links.
pub(crate) fn canonical(tree: &Tree<Blob>, path: &str) -> String {
    let found =
        trace_in_root(tree, path.as_bytes(), &mut 0).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8(found.path).unwrap()
}

/// Returns the closure of one program.
pub(crate) fn close(tree: &Tree<Blob>, program: &str, hwcaps: Hwcaps) -> Closure {
    let threads = Threads::new(NonZeroUsize::new(2).unwrap());
    let options = Options { hwcaps, pool: threads.pool_of_several().unwrap(), ..Options::default() };
    closure::close(tree, &[Request::Path(program.into())], &options).unwrap()
}

/// Returns the loaded and the missing names of a closure, as in a verdict.
pub(crate) fn ours(closure: &Closure) -> (BTreeSet<String>, BTreeSet<String>) {
    let is_loaded =
        |kind: Kind| !matches!(kind, Kind::Requested | Kind::Symlink | Kind::Parent | Kind::Configured);
    let loaded =
        closure.kept.iter().filter(|(_, reasons)| reasons.iter().any(|reason| is_loaded(reason.kind)));
    let loaded = loaded.map(|(path, _)| String::from_utf8(path.clone()).unwrap());
    let missing = closure.missing.iter().map(|missing| String::from_utf8(missing.name.clone()).unwrap());
    (loaded.collect(), missing.collect())
}

fn loaders(closure: &Closure) -> BTreeSet<String> {
    let is_loader = |reason: &Reason| reason.kind == Kind::Interpreter;
    let kept = closure.kept.iter().filter(|(_, reasons)| reasons.iter().any(is_loader));
    kept.map(|(path, _)| String::from_utf8(path.clone()).unwrap()).collect()
}

/// Returns every ELF file of a tree with a dynamic segment, by its path without symbolic links.
pub(crate) fn dynamic_files(tree: &Tree<Blob>) -> Vec<String> {
    use image_tree::Kind as FileKind;
    use rootcast::closure::elf::Elf;
    let mut files = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let FileKind::Regular(blob) = &tree.get(step.id).kind else { continue };
        let Ok(elf) = Elf::read(blob) else { continue };
        if elf.is_loadable() && elf.dynamic.is_some_and(|dynamic| !dynamic.dependencies.is_empty()) {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            files.push(String::from_utf8(path).unwrap());
        }
    }
    files
}

/// Compares the closures of programs with the lists of the judge. Returns the number of programs.
pub(crate) fn compare(judge: &Judge, programs: &[String], hwcaps: &Hwcaps) -> Option<usize> {
    let verdicts = judge.ask(programs)?;
    let tree = judge.tree();
    let mut wrong = Vec::new();
    for program in programs {
        let verdict = &verdicts[program];
        let closure = close(&tree, program, hwcaps.clone());
        let (mut loaded, missing) = ours(&closure);
        loaded.remove(&canonical(&tree, program));
        let mut theirs = verdict.loaded.clone();
        // A dynamic linker that no object depends on by name is not listed.
        for loader in loaders(&closure) {
            loaded.remove(&loader);
            theirs.remove(&loader);
        }
        if verdict.gave_up && verdict.missing.is_subset(&missing) {
            continue;
        }
        if (&loaded, &missing) != (&theirs, &verdict.missing) {
            let only_ours: Vec<_> = loaded.difference(&theirs).collect();
            let only_theirs: Vec<_> = theirs.difference(&loaded).collect();
            wrong.push(format!(
                "{program}: only we load {only_ours:?}, only the dynamic linker loads {only_theirs:?}; we miss {missing:?}, \
                 the dynamic linker misses {:?}\n{}{:?}",
                verdict.missing, verdict.said, closure.missing
            ));
        }
    }
    let count = wrong.len();
    wrong.truncate(5);
    assert!(count == 0, "{count} of {} are wrong:\n{}", programs.len(), wrong.join("\n"));
    Some(programs.len())
}

/// Returns the judge that runs the dynamic linker of a tree in list mode.
pub(crate) fn listing(root: &Path, command: &[&str]) -> Judge {
    Judge { root: root.to_owned(), command: command.iter().map(|word| (*word).to_owned()).collect() }
}
