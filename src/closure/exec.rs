//! The start of a program by the kernel: the rules of `execve(2)` that depend on files.
//!
//! ```text
//!  path ─▶ links ─▶ regular file, executable ─┬─ "#!" ─▶ interpreter, again from the left
//!                                             ├─ ELF ──▶ PT_INTERP ─▶ the dynamic linker
//!                                             └─ else ─▶ ENOEXEC
//! ```
//!
//! The sources are `fs/exec.c`, `fs/binfmt_script.c`, `fs/binfmt_elf.c` and `init/main.c` of Linux
//! 6.12. Formats of `binfmt_misc` are not part of an initramfs and are ignored.

mod kernel;
mod program;
mod refusal;
mod startup;

use std::io;

use image_tree::resolve::{ResolveError, Resolved};
use image_tree::{Content, Directories, Kind};

use super::config::script::{MAX_SCRIPTS, MAX_START, Shebang};
use super::elf::Abi;
use super::files::Files;

pub use kernel::Kernel;
pub use program::record;
use refusal::refusal;
pub use refusal::{Errno, Refusal};
pub use startup::{Failure, INIT, failure, needs_dynamic_linker};

/// A program that the kernel starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Started {
    /// The ABI of the program: of the interpreter, if the file is a script.
    pub(super) abi: Abi,
    /// True if a dynamic linker loads it.
    pub(super) is_dynamic: bool,
}

/// Returns the program that the kernel starts for a path, or the error with which it refuses.
///
/// A relative interpreter of a script is taken from the root, the working directory of `/init`.
pub(super) fn execute<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    path: &[u8],
    kernel: &Kernel,
) -> io::Result<Result<Started, Refusal>> {
    let mut file = match open(files, path) {
        Ok(file) => file,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut context = String::new();
    for scripts in 0.. {
        let head = files.head(file.id, MAX_START)?;
        if !head.starts_with(b"#!") {
            let started = binary(files, &file, &head, kernel)?;
            return Ok(started.map_err(|Refusal { errno, why }| Refusal { errno, why: context + &why }));
        }
        let next = match script(files, &head, kernel) {
            Ok((_, interpreter)) if scripts >= MAX_SCRIPTS => {
                let why = format!(
                    "{context}it is a script for a script, and so on, more than {MAX_SCRIPTS} times, up to {}",
                    interpreter.escape_ascii()
                );
                return Ok(refusal(Errno::Loop, why));
            }
            Ok(next) => next,
            Err(Refusal { errno, why }) => return Ok(refusal(errno, context + &why)),
        };
        context += &format!("its interpreter {}: ", next.1.escape_ascii());
        file = next.0;
    }
    // The loop ends after MAX_SCRIPTS scripts.
    Ok(refusal(Errno::Loop, context))
}

/// Opens a file to execute.
fn open<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    path: &[u8],
) -> Result<Resolved, Refusal> {
    let file = match files.trace(path) {
        Ok(file) => file,
        Err(error) => {
            let errno = match error {
                ResolveError::NotADirectory => Errno::Notdir,
                ResolveError::TooManySymlinks => Errno::Loop,
                ResolveError::TooLong => Errno::Nametoolong,
                _ => Errno::Noent,
            };
            return refusal(errno, files.unresolved(path, error).to_string());
        }
    };
    let inode = files.tree.get(file.id);
    match inode.kind {
        Kind::Regular(_) if inode.metadata.mode & 0o111 != 0 => Ok(file),
        Kind::Regular(_) => {
            let mode = inode.metadata.mode;
            refusal(Errno::Acces, format!("it has mode {mode:04o}, so nobody may execute it"))
        }
        Kind::Directory(_) => refusal(Errno::Acces, "it is a directory"),
        _ => refusal(Errno::Acces, "it is not a regular file"),
    }
}

/// Returns the interpreter of a script, with the path by which the script names it.
fn script<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    head: &[u8],
    kernel: &Kernel,
) -> Result<(Resolved, Vec<u8>), Refusal> {
    if kernel.lacks_scripts {
        return refusal(
            Errno::Noexec,
            "it is a script, which the kernel does not execute without CONFIG_BINFMT_SCRIPT",
        );
    }
    let interpreter = match Shebang::parse(head) {
        Ok(Some(Shebang { interpreter, .. })) => interpreter,
        Ok(None) => return refusal(Errno::Noexec, "it does not start with #!"),
        Err(error) => return refusal(Errno::Noexec, error.to_string()),
    };
    match open(files, &interpreter) {
        Ok(file) => Ok((file, interpreter)),
        Err(Refusal { errno, why }) => {
            let shown = interpreter.escape_ascii();
            let hint = match interpreter.ends_with(b"\r") {
                true => {
                    "; its #! line ends in a carriage return, which the kernel takes as a part of the name"
                }
                false => "",
            };
            refusal(errno, format!("its interpreter {shown}: {why}{hint}"))
        }
    }
}

/// Returns the program that the kernel starts for a file that is not a script.
fn binary<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    file: &Resolved,
    head: &[u8],
    kernel: &Kernel,
) -> io::Result<Result<Started, Refusal>> {
    if head.is_empty() {
        return Ok(refusal(Errno::Noexec, "it is empty"));
    }
    let Kind::Regular(content) = &files.tree.get(file.id).kind else {
        return Ok(refusal(Errno::Acces, "it is not a regular file"));
    };
    let program = match program::Program::read(content)? {
        Ok(program) => program,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(why) = kernel.refuses(program.abi) {
        return Ok(refusal(Errno::Noexec, why));
    }
    let is_dynamic = program.interpreter.is_some();
    if let Some(path) = &program.interpreter
        && let Err(Refusal { errno, why }) = dynamic_linker(files, path, program.abi)?
    {
        return Ok(refusal(errno, format!("its dynamic linker {}: {why}", path.escape_ascii())));
    }
    Ok(Ok(Started { abi: program.abi, is_dynamic }))
}

/// Checks the file that `PT_INTERP` names.
fn dynamic_linker<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    path: &[u8],
    abi: Abi,
) -> io::Result<Result<(), Refusal>> {
    let file = match open(files, path) {
        Ok(file) => file,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Kind::Regular(content) = &files.tree.get(file.id).kind else {
        return Ok(refusal(Errno::Acces, "it is not a regular file"));
    };
    if content.len() < program::header_len(abi) {
        return Ok(refusal(Errno::Io, "it is shorter than an ELF header"));
    }
    Ok(match program::Program::read(content)? {
        Ok(linker) if linker.abi == abi => Ok(()),
        Ok(_) => refusal(Errno::Libbad, "it is for another machine"),
        Err(Refusal { why, .. }) => refusal(Errno::Libbad, why),
    })
}

#[cfg(test)]
mod tests;
