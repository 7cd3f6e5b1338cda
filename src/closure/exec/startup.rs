//! The start of `/init`: by the kernel, and by the dynamic linker.
//!
//! When `/init` starts, nothing is mounted. So the dynamic linkers cannot read `/proc/self/exe`, by
//! which they expand `$ORIGIN` in the search path of the program itself.

use std::io;

use image_tree::{Content, Directories};

use super::{Kernel, Refusal, Started, execute};
use crate::closure::elf::Abi;
use crate::closure::error::Result;
use crate::closure::files::Files;
use crate::closure::ld_so::hwcaps::Hwcaps;
use crate::closure::missing::Missing;
use crate::closure::requests::Request;
use crate::closure::search::{Search, options::Options};

/// The program that the kernel starts from an initramfs.
pub const INIT: &[u8] = b"/init";

/// The programs that the kernel tries after `/init`.
const OTHERS: [&[u8]; 4] = [b"/sbin/init", b"/etc/init", b"/bin/init", b"/bin/sh"];

/// The way in which `/init` fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The kernel does not execute it.
    Refused(Refusal, Consequence),
    /// The dynamic linker ends it, since these are missing.
    Missing {
        /// The missing files.
        missing: Vec<Missing>,
        /// True if they are found once `/proc` is mounted.
        by_origin: bool,
    },
}

/// The actions of the kernel after it fails to execute `/init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// It ignores the initramfs and looks for a root filesystem.
    LooksForRoot,
    /// It starts this program instead.
    Starts(Vec<u8>),
    /// It panics, since it finds no other program.
    Panics,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MISSING_SHOWN: usize = 3;
        match self {
            Self::Refused(Refusal { errno, why }, then) => {
                write!(f, "/init would not start: {why}; ")?;
                match then {
                    Consequence::LooksForRoot => write!(
                        f,
                        "the kernel ignores it (error {errno}), looks for a root filesystem and panics without one"
                    ),
                    Consequence::Starts(program) => write!(
                        f,
                        "the kernel reports \"Failed to execute /init (error {errno})\" and starts {} instead",
                        program.escape_ascii()
                    ),
                    Consequence::Panics => {
                        write!(f, "the kernel reports \"Failed to execute /init (error {errno})\" and panics")
                    }
                }
            }
            Self::Missing { missing, by_origin } => {
                write!(f, "/init would start and end at once: ")?;
                for (index, one) in missing.iter().take(MISSING_SHOWN).enumerate() {
                    write!(f, "{}missing: {one}", if index == 0 { "" } else { "; " })?;
                }
                if missing.len() > MISSING_SHOWN {
                    write!(f, "; and {} more", missing.len() - MISSING_SHOWN)?;
                }
                if *by_origin {
                    write!(
                        f,
                        "; $ORIGIN in its own search path is not known before /proc is mounted, so put the \
                         libraries into a directory that is searched without it"
                    )?;
                }
                write!(f, "; the kernel panics: \"Attempted to kill init! exitcode=0x00007f00\"")
            }
        }
    }
}

/// Returns the reason why `/init` of an initramfs would not run, as far as the files and the kernel
/// are known; `None` if nothing speaks against it.
///
/// # Errors
/// Returns an error if a file of the tree cannot be read, or the search exceeds its limits.
pub fn failure<T: Directories<Content: Content>>(
    search: &mut Search<'_, T>,
    kernel: &Kernel,
) -> Result<Option<Failure>> {
    let files = search.files();
    if let Err(refusal) = execute(files, INIT, kernel)? {
        let then = consequence(files, kernel)?;
        return Ok(Some(Failure::Refused(refusal, then)));
    }
    let options = |before_proc| Options { before_proc, hwcaps: Hwcaps::None, ..Options::default() };
    let requests = [Request::Path(INIT.to_vec())];
    let missing = search.close(&requests, &options(true))?.missing;
    if missing.is_empty() {
        return Ok(None);
    }
    let by_origin = search.close(&requests, &options(false))?.missing.is_empty();
    Ok(Some(Failure::Missing { missing, by_origin }))
}

fn consequence<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    kernel: &Kernel,
) -> io::Result<Consequence> {
    if files.trace(INIT).is_err() {
        return Ok(Consequence::LooksForRoot);
    }
    for path in OTHERS {
        if execute(files, path, kernel)?.is_ok() {
            return Ok(Consequence::Starts(path.to_vec()));
        }
    }
    Ok(Consequence::Panics)
}

/// Returns the ABI of the program that is started as `/init`, and true if a dynamic linker loads
/// it; `None` if it does not start.
///
/// # Errors
/// Returns an error if a file of the tree cannot be read.
pub fn needs_dynamic_linker<T: Directories<Content: Content>>(
    search: &mut Search<'_, T>,
    kernel: &Kernel,
) -> Result<Option<(Abi, bool)>> {
    let started = execute(search.files(), INIT, kernel)?;
    Ok(started.ok().map(|Started { abi, is_dynamic }| (abi, is_dynamic)))
}
