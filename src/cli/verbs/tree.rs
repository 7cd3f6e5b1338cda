//! `rootcast tree`.

use clap::Args;

use crate::cli::flags::general::General;
use crate::cli::flags::tree::TreeArguments;
use crate::cli::help::Help;
use crate::recipe::TreeRecipe;

/// Print a tree as text, in the composefs dump format
///
/// There is one line for each file, and the output is itself a SOURCE. Contents that are not part
/// of it are named by their path beneath the source, which --basedir locates.
#[derive(Debug, Args)]
pub(in crate::cli) struct TreeVerb {
    #[command(flatten)]
    tree: TreeArguments,

    #[command(flatten)]
    general: General,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "tree",
    usage: "rootcast tree <SOURCE>... [OPTIONS]",
    examples: &[
        "rootcast tree rootfs/ > rootfs.dump                to read, compare and keep",
        "rootcast tree base.tar overlay/ --owner root       a directory over an archive",
        "rootcast tree rootfs/ --chown /srv:33:33           what an edit does",
        "rootcast image rootfs.dump --basedir rootfs/ -o disk.img",
        "tar -c rootfs/ | rootcast tree -",
    ],
    common: &["sources", "owner", "add", "chown", "exclude", "keep", "recipe", "verbose"],
};

impl TreeVerb {
    pub(in crate::cli) fn recipe(self) -> Result<TreeRecipe, clap::Error> {
        self.tree.recipe(self.general)
    }
}
