//! `rootcast closure`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use clap::Args;
use clap::error::ErrorKind;

use crate::cli::flags::general::General;
use crate::cli::flags::tree::TreeArguments;
use crate::cli::help::{Help, group};
use crate::recipe::closure::ClosureRecipe;

/// Print the paths of a tree that programs need to run
///
/// It is the part of a tree that --keep leaves, one path a line.
/// Programs, libraries, dynamic linkers, links and directories are found in the tree alone, by the
/// rules of the kernel and of the dynamic linkers of glibc and musl; nothing is run. The flags are
/// those of rootcast image, which reduces the tree by them. (--add is an edit: it brings files of
/// the host into the tree.)
#[derive(Debug, Args)]
pub(in crate::cli) struct ClosureVerb {
    #[command(flatten)]
    tree: TreeArguments,

    /// Print the chains of reasons for this path instead
    ///
    /// Each chain leads from the path to the request.
    #[arg(long, value_name = "PATH", conflicts_with = "json", help_heading = group::OUTPUT)]
    why: Vec<OsString>,

    /// Print the tree of reasons instead, with the bytes that each of them keeps
    ///
    /// A line has the bytes of a file with all beneath it, the bytes that would not be kept without
    /// it, and its name. Beneath a request, a unit or a file is what is kept for it, at the shortest
    /// way from a request; the largest come first.
    #[arg(long, conflicts_with_all = ["json", "why", "null"], help_heading = group::OUTPUT)]
    explain: bool,

    /// Print one JSON object with paths, reasons and warnings
    ///
    /// Its schema is src/report/closure.schema.json in the sources of rootcast.
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,

    /// End each path with a NUL byte, and escape nothing
    ///
    /// Without it, a backslash is doubled, and control characters and bytes that are not UTF-8 are
    /// escaped as \n or \xNN.
    #[arg(short = '0', long, conflicts_with_all = ["json", "why"], help_heading = group::OUTPUT)]
    null: bool,

    #[command(flatten)]
    general: General,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "closure",
    usage: "rootcast closure <SOURCE>... --keep <PATH|GLOB> [OPTIONS]",
    examples: &[
        "rootcast closure rootfs/ --keep /usr/bin/curl             the paths it needs",
        "rootcast closure rootfs/ --keep /usr/bin/curl --why /usr/lib/libz.so.1",
        "rootcast closure rootfs/ --keep /usr/bin/curl --explain   the cost of reasons",
        "rootcast image rootfs/ --keep /usr/bin/curl -o disk.img   an image of these",
        "rootcast closure rootfs/ --keep /sbin/init --keep-unit multi-user.target",
        "rootcast closure rootfs/ --keep '/usr/bin/*' --missing warn",
        "rootcast closure rootfs/ --keep-package nginx --depends",
        "rootcast closure rootfs/ --keep /usr/bin/curl -0 | xargs -0 -n 1 echo",
    ],
    common: &["sources", "keep", "keep_unit", "keep_package", "missing", "why", "json", "null", "verbose"],
};

impl ClosureVerb {
    pub(in crate::cli) fn recipe(self) -> Result<ClosureRecipe, clap::Error> {
        let mut tree = self.tree.recipe(self.general)?;
        let Some(keep) = &mut tree.keep else {
            let message = "a closure needs a request: give --keep, --keep-optional, --keep-first, --keep-unit, \
                           --keep-rule, --keep-package, --keep-module or --keep-module-optional\n";
            return Err(clap::Error::raw(ErrorKind::MissingRequiredArgument, message));
        };
        keep.keep.owners = !self.why.is_empty();
        Ok(ClosureRecipe {
            tree,
            explain: self.why.into_iter().map(OsString::into_vec).collect(),
            costs: self.explain,
            json: self.json,
            null: self.null,
        })
    }
}
