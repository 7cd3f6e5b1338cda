//! `rootcast depmod`: writes the indices of the kernel modules in a directory.

use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;

use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{Level, Report as _};
use crate::output::files;
use crate::recipe::depmod::DepmodRecipe;
use crate::run::print;
use crate::shown::{self, Count};
use crate::source::ReadOptions;
use crate::source::directory::{self, Scanned};
use crate::transform::kernel_modules::plan;

/// Reads the modules and writes their indices. Links are followed within the directory, as if it
/// was the root of a tree.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if a module is corrupt or modules need each other in a circle,
/// [`Io`](ErrorKind::Io) if a file cannot be read or written. Existing indices are unchanged then.
pub fn depmod(recipe: &DepmodRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = print::log(recipe.level());
    if !recipe.modules.is_dir() {
        let what = "is not a directory; the modules are in lib/modules/VERSION of a tree";
        return Err(Error::at(ErrorKind::BadInput, &recipe.modules, what));
    }
    let threads = &recipe.threads;
    let options = ReadOptions { xattrs: false, ..ReadOptions::new(threads, interrupt) };
    let Scanned { tree, unreadable, .. } = directory::read_with(&recipe.modules, &options)?;
    if let Some(first) = unreadable.first() {
        return Err(Error::io(first.host_path(), rustix::io::Errno::ACCESS));
    }
    let place = recipe.modules.as_os_str().as_bytes();
    let planned = plan(&tree, b"/", place, threads, interrupt)?;
    planned.log(&log);
    files::write(&recipe.output, &planned.files, interrupt)?;
    if log.level() > Level::Quiet {
        let (output, modules) = (shown::path(&recipe.output), Count(planned.modules, "module", "modules"));
        // OK to ignore: standard error may be closed.
        let _ = writeln!(io::stderr(), "{output}: the indices of {modules}");
    }
    Ok(())
}
