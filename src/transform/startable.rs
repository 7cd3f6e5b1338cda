//! A check that `/init` of an initramfs starts, by the rules of the kernel and of the dynamic
//! linkers. It changes nothing.

use image_tree::{Content, Tree};

use crate::architecture::{self, Architecture};
use crate::closure::Search;
use crate::closure::exec::{self, Kernel};
use crate::error::{Error, ErrorKind, Result, classify_read_error};
use crate::log::{self, Log};

/// The options of [`check`].
#[derive(Clone, Debug)]
pub struct Options {
    /// The programs that the kernel executes.
    pub kernel: Kernel,
    /// True if other archives follow, which can have what this one lacks.
    pub has_others: bool,
    /// True if `/init` must not need a dynamic linker.
    pub is_static: bool,
}

/// The doubts about `/init`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// A sentence for each.
    pub warnings: Vec<String>,
}

impl log::Report for Report {
    fn log(&self, log: &Log) {
        self.warnings.iter().for_each(|warning| log.warn(warning));
    }
}

/// Programs to compare the architecture of `/init` with.
const OTHERS: [&[u8]; 4] = [b"/bin/sh", b"/usr/bin/env", b"/bin/ls", b"/sbin/ldconfig"];

/// Checks that `/init` starts.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if it does not, unless other archives follow, or if it needs a
/// dynamic linker and must not; other errors if a file cannot be read.
pub fn check<C: Content>(tree: &Tree<C>, options: &Options) -> Result<Report> {
    let Options { kernel, has_others, is_static } = options;
    let bad = |message: String| Err(Error::new(ErrorKind::BadInput, message));
    let mut report = Report::default();
    let mut search = Search::new(tree);
    if let Some(failure) = exec::failure(&mut search, kernel)? {
        if !*has_others {
            return bad(format!("{failure}; with --init none it is not checked"));
        }
        report.warnings.push(format!("{failure}, unless an appended initramfs has what is missing"));
    }
    let Some((abi, is_dynamic)) = exec::needs_dynamic_linker(&mut search, kernel)? else { return Ok(report) };
    if *is_static && is_dynamic {
        return bad("/init is not static: a dynamic linker loads it; link it with -static, or leave out \
                    --static-init"
            .to_owned());
    }
    let own = Architecture::of_machine(abi.class, abi.data, abi.machine);
    for path in OTHERS {
        let other = architecture::of_path(tree, path).map_err(classify_read_error)?;
        if let (Some(own), Some(other)) = (own, other)
            && own != other
        {
            let path = path.escape_ascii();
            report.warnings.push(format!("/init is a program for {own}, and {path} is one for {other}"));
            break;
        }
    }
    Ok(report)
}
