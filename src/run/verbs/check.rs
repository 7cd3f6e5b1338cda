//! `rootcast check`: checks that a kernel unpacks an initramfs.

mod unpacked;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use initramfs::check::{Limits, Report, Severity};

use self::unpacked::Unpacked;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::{Interrupt, Interruptible};
use crate::recipe::initrd::CheckRecipe;
use crate::report::CheckReport;
use crate::run::plan::initrd::kernel;
use crate::run::print::{print, print_json};
use crate::shown;
use crate::source::refuse_terminal;

/// Prints the findings about an initramfs.
///
/// # Errors
/// [`Rejected`](ErrorKind::Rejected) if a kernel would not unpack all of it, which is printed as
/// well; other errors if the file or the kernel's configuration cannot be read.
pub fn check(recipe: &CheckRecipe, interrupt: &Interrupt) -> Result<()> {
    let kernel = kernel::config(recipe.kernel.as_ref())?;
    let path = &recipe.file;
    let reader: Box<dyn Read> = if path == Path::new("-") {
        refuse_terminal()?;
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| Error::io(path, error))?)
    };
    let mut reader = Interruptible::new(reader, interrupt);
    let mut unpacked = Unpacked::new();
    let limits = Limits::default();
    let checked = initramfs::check::check_and_unpack(&mut reader, &kernel, &limits, &mut unpacked);
    interrupt.check()?;
    let mut report = checked.map_err(|error| Error::io(path, error))?;
    // After an error the files are not those that a kernel would have.
    if report.is_accepted()
        && let Some(failure) = unpacked.failure(&kernel::executes(&kernel))?
    {
        report.init_fails(failure.to_string());
    }
    if recipe.json {
        print_json(&CheckReport::new(path, &report))?;
    } else {
        print(in_words(path, &report).as_bytes())?;
    }
    if report.is_accepted() {
        return Ok(());
    }
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let errors = shown::Count(errors, "error", "errors");
    Err(Error::at(ErrorKind::Rejected, path, format!("a kernel would not accept all of it: {errors}")))
}

fn in_words(path: &Path, report: &Report) -> String {
    let mut text: String = report.findings.iter().map(|finding| format!("{finding}\n")).collect();
    if report.omitted > 0 {
        text += &format!("and {} more\n", report.omitted);
    }
    let Report { entries, members, unpacked_bytes, .. } = report;
    let verdict =
        if report.is_accepted() { "a kernel accepts it" } else { "a kernel would not accept all of it" };
    text += &format!(
        "{}: {verdict}; entries: {entries}, members: {members}, bytes unpacked: {unpacked_bytes}\n",
        shown::path(path)
    );
    text
}
