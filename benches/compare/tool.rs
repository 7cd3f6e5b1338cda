//! The compared tools, and their command lines.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// One of the tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tool {
    /// The program of this repository.
    Rootcast,
    /// The same without sharing blocks with the tree. Only run if named: without reflinks it does
    /// not differ.
    RootcastCopy,
    /// e2fsprogs.
    Mke2fs,
    /// The crate mkext4, inside a child of this program.
    Mkext4,
    /// GNU tar, or the machine's tar.
    Tar,
    /// Reading and writing the content alone, inside a child of this program.
    Limit,
}

impl Tool {
    /// All tools in the order of each round.
    pub(crate) const ALL: [Tool; 6] =
        [Tool::Rootcast, Tool::RootcastCopy, Tool::Mke2fs, Tool::Mkext4, Tool::Tar, Tool::Limit];

    /// Returns true if it runs when no tool is named.
    pub(crate) fn is_usual(self) -> bool {
        self != Tool::RootcastCopy
    }

    /// Returns the name in flags and tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tool::Rootcast => "rootcast",
            Tool::RootcastCopy => "rootcast-copy",
            Tool::Mke2fs => "mke2fs",
            Tool::Mkext4 => "mkext4",
            Tool::Tar => "tar",
            Tool::Limit => "limit",
        }
    }
}

/// The parameters of a run.
pub(crate) struct Job<'a> {
    /// The directory to make an image of.
    pub(crate) tree: &'a Path,
    /// The file to write. It does not exist.
    pub(crate) out: PathBuf,
    /// The size of the image in MiB, for tools that need it.
    pub(crate) image_mib: u64,
}

/// The programs found on this machine.
pub(crate) struct Programs {
    rootcast: PathBuf,
    own: PathBuf,
    mke2fs: Option<PathBuf>,
    tar: Option<PathBuf>,
    e2fsck: Option<PathBuf>,
}

impl Programs {
    /// Searches for all programs; `rootcast` is the path given by the user.
    pub(crate) fn find(rootcast: Option<&Path>) -> Result<Programs> {
        let own = std::env::current_exe().context("this program's own path")?;
        let rootcast = rootcast.map_or_else(|| own.with_file_name("rootcast"), Path::to_owned);
        Ok(Programs {
            rootcast,
            own,
            mke2fs: in_path("mke2fs"),
            tar: in_path("tar"),
            e2fsck: in_path("e2fsck"),
        })
    }

    /// Returns the reason why `tool` cannot run here, if any.
    pub(crate) fn absence(&self, tool: Tool) -> Option<String> {
        match self.program(tool) {
            None => Some(format!("not installed: no {} in PATH, /usr/sbin or /sbin", tool.name())),
            Some(path) if !path.is_file() => Some(format!(
                "{}: no such file; build it with --release or name it with --rootcast",
                path.display()
            )),
            Some(_) => None,
        }
    }

    /// Returns the command that creates `job.out` with `tool`.
    ///
    /// # Panics
    ///
    /// If [`Programs::absence`] says that `tool` is absent.
    pub(crate) fn command(&self, tool: Tool, job: &Job<'_>) -> Command {
        let mut command = Command::new(self.program(tool).expect("an absent tool is not run"));
        match tool {
            Tool::Rootcast => {
                command.arg("image").arg(job.tree).arg("-o").arg(&job.out).args(["--layout", "bare"])
            }
            Tool::RootcastCopy => {
                command.arg("image").arg(job.tree).arg("-o").arg(&job.out);
                command.args(["--layout", "bare", "--reflink=never"])
            }
            Tool::Mke2fs => {
                let size = format!("{}M", job.image_mib);
                command.args(["-q", "-t", "ext4", "-d"]).arg(job.tree).arg(&job.out).arg(size)
            }
            Tool::Mkext4 => {
                let size = job.image_mib.to_string();
                command.arg("peer-mkext4").arg(job.tree).arg(&job.out).args(["--size", &size])
            }
            Tool::Tar => command.arg("-cf").arg(&job.out).arg("-C").arg(job.tree).arg("."),
            Tool::Limit => command.arg("peer-limit").arg(job.tree).arg(&job.out),
        };
        command
    }

    /// Checks `image` with e2fsck, if `tool` creates ext4 and e2fsck is installed.
    pub(crate) fn check(&self, tool: Tool, image: &Path) -> Result<()> {
        let makes_ext4 = !matches!(tool, Tool::Tar | Tool::Limit);
        let Some(e2fsck) = self.e2fsck.as_ref().filter(|_| makes_ext4) else { return Ok(()) };
        let verdict = Command::new(e2fsck).arg("-fn").arg(image).stdin(Stdio::null()).output()?;
        if !verdict.status.success() {
            let findings = String::from_utf8_lossy(&verdict.stdout);
            let few: Vec<&str> = findings.lines().take(5).collect();
            bail!("its image is wrong, says e2fsck -fn ({}): {}", verdict.status, few.join("; "));
        }
        Ok(())
    }

    /// Returns the version line of each program.
    pub(crate) fn versions(&self, tools: &[Tool]) -> Vec<(&'static str, String)> {
        let judge = self.e2fsck.as_deref().map_or_else(
            || "not found, so no image is checked".to_owned(),
            |e2fsck| version_line(e2fsck, "-V"),
        );
        let of = |tool| match (self.absence(tool), tool) {
            (Some(absence), _) => absence,
            (None, Tool::Mkext4) => "crate mkext4 0.0.3, in this program".to_owned(),
            (None, Tool::Limit) => "two threads, in this program".to_owned(),
            (None, Tool::Mke2fs) => {
                self.mke2fs.as_deref().map_or_else(String::new, |path| version_line(path, "-V"))
            }
            (None, Tool::Rootcast | Tool::RootcastCopy | Tool::Tar) => {
                self.program(tool).map_or_else(String::new, |path| version_line(path, "--version"))
            }
        };
        tools.iter().map(|&tool| (tool.name(), of(tool))).chain([("e2fsck", judge)]).collect()
    }

    fn program(&self, tool: Tool) -> Option<&Path> {
        match tool {
            Tool::Rootcast | Tool::RootcastCopy => Some(&self.rootcast),
            Tool::Mke2fs => self.mke2fs.as_deref(),
            Tool::Tar => self.tar.as_deref(),
            Tool::Mkext4 | Tool::Limit => Some(&self.own),
        }
    }
}

/// Returns the path of `name` in the first directory of PATH that has it. An ordinary user's PATH
/// may lack the directories of mke2fs.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// Returns the first line of the version output; e2fsprogs prints it to standard error.
fn version_line(program: &Path, flag: &str) -> String {
    match Command::new(program).arg(flag).stdin(Stdio::null()).output() {
        Err(error) => format!("{}: {error}", program.display()),
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&text).lines().next().unwrap_or("says no version").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_programs_are_reported() {
        let programs =
            Programs { mke2fs: None, ..Programs::find(Some(Path::new("/nonexistent/rootcast"))).unwrap() };
        assert!(programs.absence(Tool::Rootcast).unwrap().contains("/nonexistent/rootcast"));
        assert!(programs.absence(Tool::Mke2fs).unwrap().contains("mke2fs"));
        assert_eq!(programs.absence(Tool::Limit), None);
    }

    #[test]
    fn every_tool_gets_tree_and_output() {
        let programs = Programs { mke2fs: Some("mke2fs".into()), ..Programs::find(None).unwrap() };
        let job = Job { tree: Path::new("/a/tree"), out: PathBuf::from("/an/out"), image_mib: 512 };
        for tool in Tool::ALL {
            let command = programs.command(tool, &job);
            let arguments: Vec<_> = command.get_args().collect();
            assert!(
                arguments.contains(&"/a/tree".as_ref()) && arguments.contains(&"/an/out".as_ref()),
                "{tool:?}"
            );
        }
        let mke2fs = programs.command(Tool::Mke2fs, &job);
        assert_eq!(mke2fs.get_args().last(), Some("512M".as_ref()));
    }

    #[test]
    fn the_judge_rejects_files_that_are_not_filesystems() {
        let programs = Programs::find(None).unwrap();
        assert!(programs.e2fsck.is_some(), "e2fsck is not installed: the check of images goes untested");
        let image = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(image.path(), [1; 1 << 16]).unwrap();
        assert!(programs.check(Tool::Rootcast, image.path()).is_err());
        assert!(programs.check(Tool::Tar, image.path()).is_ok());
    }
}
