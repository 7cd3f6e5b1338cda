//! Flags of the tree.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::error::ErrorKind;
use image_tree::{Shown, Timestamp};

use super::archives::ArchiveArguments;
use super::edits::Edits;
use super::general::General;
use super::keep::{KeepArguments, Kept};
use super::output::usage;
use super::packages::PackageFileArguments;
use super::values;
use crate::architecture::Architecture;
use crate::cli::help::group;
use crate::closure::Request;
use crate::closure::requests::NamePattern;
use crate::quantity;
use crate::recipe::{KataRecipe, TreeRecipe};
use crate::source::container::{Platform, Reference};
use crate::source::tar::Limits;
use crate::stack::{Rules, Whiteouts};
use crate::threads::Threads;
use crate::transform::configure::Generators;
use crate::transform::edit::modules_load;
use crate::transform::overlay;
use crate::transform::ownership::Ownership;
use crate::transform::selinux::FileContexts;
use crate::transform::unreadable::Policy;
use crate::transform::{hardlinks, image_config};
use crate::xattr_filter::{Filter, Rule};

/// The sources of a tree, and the changes to it.
#[derive(Debug, Args)]
pub(in crate::cli) struct TreeArguments {
    /// Directory, archive, .deb, oci:IMAGE, dump, or - for stdin
    ///
    /// Images of containers are named as skopeo(1) does: oci:DIR[:REF], oci-archive:FILE[:REF],
    /// docker-archive:FILE[:REF] and dir:DIR; ./oci:x is a path. Standard input is a tar archive or a
    /// dump. Of several sources, each is added to those before it, as if unpacked over them. Debian
    /// packages that follow each other are merged as dpkg does, in any order.
    #[arg(value_name = "SOURCE", required = true, help_heading = group::INPUT)]
    sources: Vec<OsString>,

    /// Directory of the files that a dump names
    ///
    /// The default is the directory of the dump, and for standard input the current one.
    #[arg(long, value_name = "DIR", help_heading = group::INPUT)]
    basedir: Option<PathBuf>,

    #[arg(
        long, value_name = "WHO", value_parser = values::owner(), help = OWNER, long_help = OWNER_FORMS,
        help_heading = group::INPUT
    )]
    owner: Option<Ownership>,

    /// Exclude the contents of mount points in a SOURCE directory, as tar does
    #[arg(short = 'x', long, help_heading = group::INPUT)]
    one_file_system: bool,

    /// Keep links to directories where a later SOURCE has a directory
    ///
    /// The entries of the directory are added to the target of the link, whose own metadata
    /// remains. Without this flag the directory replaces the link, with a warning.
    #[arg(long, help_heading = group::INPUT)]
    keep_directory_symlink: bool,

    /// Treatment of the whiteouts of layers
    ///
    /// These are .wh.NAME, .wh..wh..opq, character devices 0:0 and the xattrs of overlayfs.
    #[arg(
        long, value_name = "WHAT", value_parser = values::choice_with_help(whiteouts_help), default_value = "report",
        help_heading = group::INPUT
    )]
    whiteouts: Whiteouts,

    /// Treatment of unreadable files and directories
    #[arg(
        long, value_name = "WHAT", value_parser = values::choice_with_help(unreadable_help), default_value = "fail",
        help_heading = group::INPUT
    )]
    unreadable: Policy,

    /// Treatment of hard links
    #[arg(
        long, value_name = "WHAT", value_parser = values::choice_with_help(hardlinks_help), default_value = "keep",
        help_heading = group::METADATA
    )]
    hardlinks: hardlinks::Policy,

    /// SELinux labels of all files: this file_contexts, or auto for that of the tree's own policy
    #[arg(long, value_name = "FILE|auto", help_heading = group::METADATA)]
    file_contexts: Option<PathBuf>,

    /// Keep or drop extended attributes of the SOURCEs by name, as drop=com.apple.* or
    /// keep=user.a,user.b; of several that match a name, the last one decides
    #[arg(long, value_name = "keep|drop=GLOB,…", long_help = XATTR_FILTER, help_heading = group::METADATA)]
    xattr_filter: Vec<Rule>,

    /// Raise times before this one, in seconds since 1970, to it
    #[arg(long, value_name = "SECONDS", value_parser = values::earliest, allow_negative_numbers = true, help_heading = group::METADATA)]
    clamp_mtime_min: Option<i64>,

    /// Set times after this one, in seconds since 1970, back to it [default: $SOURCE_DATE_EPOCH]
    #[arg(long, value_name = "SECONDS", value_parser = values::epoch, help_heading = group::METADATA)]
    source_date_epoch: Option<i64>,

    /// Maximum size of an unpacked archive in bytes; holes count where they are stored as zeros: in
    /// an initramfs and with --sparse never (K, M, G, T are powers of 1024)
    #[arg(
        long, value_name = "BYTES", value_parser = quantity::bytes, default_value = "1T", help_heading = group::INPUT
    )]
    max_size: u64,

    /// Maximum number of entries of an archive
    #[arg(
        long, value_name = "N", default_value_t = Limits::DEFAULT.max_entries, help_heading = group::INPUT
    )]
    max_entries: u64,

    /// Maximum memory for unpacking an archive
    ///
    /// It limits the window of zstd, and all memory of xz and lzma; 8G at most. The default is 128M
    /// for zstd and 576M for the others.
    #[arg(long, value_name = "BYTES", value_parser = values::decoder_memory, help_heading = group::INPUT)]
    decoder_memory: Option<u64>,

    /// Add what a guest needs and an image of containers lacks
    ///
    /// These are the mount points /dev, /proc, /run, /sys and /tmp, and /etc/hostname, /etc/hosts and
    /// /etc/resolv.conf. Whatever the tree has at these paths is unchanged.
    #[arg(long, help_heading = group::METADATA)]
    guest_files: bool,

    /// Path in the tree for the settings of an image of containers, or none
    ///
    /// They are Entrypoint, Cmd, Env, User, WorkingDir and so on, as JSON with sorted keys; an image
    /// without any has no such file. Of several images, the last one counts. The default is
    /// /etc/rootcast/config.json; an image that oci-export makes has them in its configuration, and
    /// its default is none.
    #[arg(
        long, value_name = "PATH|none", value_parser = values::image_config(), help_heading = group::METADATA
    )]
    image_config: Option<image_config::Place>,

    /// Make files that installation scripts would make of the tree's data, before the edits
    ///
    /// LIST is none, all, or names with commas between them. No script is run, and nothing is taken
    /// from this machine.
    #[arg(
        long, value_name = "LIST", value_parser = Generators::parse, default_value = "none", long_help = CONFIGURE,
        help_heading = group::GUEST
    )]
    configure: Generators,

    /// Load these kernel modules when the guest starts, by /etc/modules-load.d/rootcast.conf
    #[arg(
        long, value_name = "NAME,…", value_parser = modules_load::parse, value_delimiter = ',',
        help_heading = group::GUEST
    )]
    modules_load: Vec<String>,

    /// Platform of an image for several, such as linux/arm64 [default: that of --arch, or of this
    /// machine]
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", help_heading = group::INPUT)]
    platform: Option<Platform>,

    /// Architecture of the tree
    ///
    /// It chooses among the images of a SOURCE for several platforms, and the type of a partition. The
    /// default is that of this machine for an image, and that of a program in the tree for a
    /// partition.
    #[arg(long, value_name = "ARCH", help_heading = group::INPUT)]
    arch: Option<Architecture>,

    /// Directory for unnamed files with the unpacked layers of an image [default: that of the output]
    #[arg(long, value_name = "DIR", help_heading = group::INPUT)]
    spool: Option<PathBuf>,

    /// Lay this source over the tree after the edits, and keep all of it with what it needs
    ///
    /// It is of any kind that a SOURCE is. Directories are merged, also through links to
    /// directories.
    #[arg(long, value_name = "SOURCE", help_heading = group::INPUT)]
    overlay: Vec<OsString>,

    /// Treatment of places where an overlay meets another file that something else needs
    ///
    /// An empty directory is replaced in any case. Each place is reported.
    #[arg(
        long, value_name = "WHAT", value_parser = values::choice_with_help(conflict_help), default_value = "error",
        help_heading = group::INPUT
    )]
    overlay_conflict: overlay::Conflict,

    #[command(flatten)]
    archives: ArchiveArguments,

    #[command(flatten)]
    packages: PackageFileArguments,

    #[command(flatten)]
    edits: Edits,

    #[command(flatten)]
    keep: KeepArguments,
}

const OWNER: &str = "Owner of all: root, keep, UID:GID, or other forms";

const OWNER_FORMS: &str =
    "Owner of all files [default: root for directories that an ordinary user reads, else keep]

  root            root owns all
  keep            each file keeps its owner
  UID:GID         that user and group own all
  map:IN:OUT:N,…  owners from OUT on become those from IN on, N of them, as in
                  /proc/PID/uid_map; u: or g: before a range makes it one of
                  users or groups only; other owners are an error
  xattr           user.containers.override_stat, user.fuseoverlayfs.override_stat
                  and user.rootlesscontainers; others as by default
  fakeroot:FILE   the state that fakeroot -s FILE saved
  FILE            a manifest, mtree(5), with uid, gid, uname, gname and mode;
                  others as by default";

const XATTR_FILTER: &str =
    "Keep or drop extended attributes of the SOURCEs by name; of several that match a name, the last one decides

  drop=GLOB,…     leaves them out, as drop=com.apple.* those of an archive from
                  macOS, which no Linux filesystem stores
  keep=GLOB,…     keeps them, also those of a directory of this host that are
                  dropped otherwise: security.selinux, security.evm, system.nfs4_acl
                  and btrfs.*

A GLOB is of the whole name with its namespace; * matches any bytes, and \\, is a
comma. --xattr, --setcap and --file-contexts set xattrs regardless of it.";

const CONFIGURE: &str = "Make files that installation scripts would make of the tree's data, before the edits

  accounts        base-passwd's users and groups if there are none, and sysusers.d
  templates       files that packages copy where there are none, as nsswitch.conf;
                  base-files' skeleton; an empty machine-id
  alternatives    links and database, of dpkg's own and literal lines of scripts
  presets         links that enable systemd's units, as systemctl preset-all
  tmpfiles        tmpfiles.d as systemd-tmpfiles --create; dpkg's statoverride
  ca-certificates bundle of certificates, and links by the hashes of OpenSSL
  pam             /etc/pam.d/common-*, of the profiles of packages
  shells          /etc/shells, of the shells of packages
  devices         nodes of /dev, as of MAKEDEV
  ld-cache        /etc/ld.so.cache, if the tree has glibc

LIST is none, all, or names with commas between them. No script is run, and
nothing is taken from this machine.";

fn unreadable_help(policy: Policy) -> &'static str {
    match policy {
        Policy::Fail => "An error lists all of them",
        Policy::Skip => "They are left out",
        Policy::Empty => "They are empty",
    }
}

fn conflict_help(conflict: overlay::Conflict) -> &'static str {
    match conflict {
        overlay::Conflict::Error => "An error lists them",
        overlay::Conflict::Replace => "The overlay has precedence",
    }
}

fn whiteouts_help(whiteouts: Whiteouts) -> &'static str {
    match whiteouts {
        Whiteouts::Report => "They remain files, and a warning reports them",
        Whiteouts::Keep => "They remain files",
        Whiteouts::Apply => "They remove files of earlier sources, and are not added themselves",
    }
}

fn hardlinks_help(policy: hardlinks::Policy) -> &'static str {
    match policy {
        hardlinks::Policy::Keep => "They remain unchanged",
        hardlinks::Policy::Break => "Each name becomes a file of its own",
        hardlinks::Policy::Content => "Files with the same bytes, mode, owners, time and xattrs become one",
    }
}

impl TreeArguments {
    /// Returns true if an image of containers is among the sources.
    pub(in crate::cli) fn has_images(&self) -> bool {
        self.sources.iter().any(|source| Reference::path_of(source).is_some())
    }

    pub(in crate::cli) fn recipe(self, general: General) -> Result<TreeRecipe, clap::Error> {
        let epoch = match self.source_date_epoch {
            Some(seconds) => Some(seconds),
            None => epoch_of_environment()?,
        };
        let Kept { ld_cache, mut keep, modules } = self.keep.recipe()?;
        let mut edits = self.edits.0;
        if let Some(edit) = modules_load::edit(&self.modules_load) {
            edits.push(edit);
            if let Some(keep) = &mut keep {
                keep.keep.requests.push(Request::Path(modules_load::PATH.to_vec()));
                // The modules are kept as well, if any are.
                let modules = &mut keep.keep.modules;
                let names = match modules.names.is_empty() {
                    true => &mut modules.optional,
                    false => &mut modules.names,
                };
                if !names.is_empty() {
                    let pattern = |name: &String| NamePattern { text: name.clone().into_bytes(), glob: None };
                    names.extend(self.modules_load.iter().map(pattern));
                }
            }
        }
        let recipe = TreeRecipe {
            recipe_files: general.recipe_files(),
            sources: self.sources.into_iter().map(Into::into).collect(),
            basedir: self.basedir,
            ownership: self.owner,
            one_file_system: self.one_file_system,
            unreadable: self.unreadable,
            hardlinks: self.hardlinks,
            kata: KataRecipe::default(),
            configure: self.configure,
            edits,
            overlays: self.overlay.into_iter().map(Into::into).collect(),
            overlay_conflict: self.overlay_conflict,
            keep,
            modules,
            ld_cache,
            guest_files: self.guest_files,
            archives: self.archives.options(),
            packages: self.packages.recipe(),
            image_config: self.image_config.unwrap_or_default(),
            rules: Rules {
                whiteouts: self.whiteouts,
                keep_directory_symlink: self.keep_directory_symlink,
                is_layer: false,
            },
            platform: self.platform.or_else(|| self.arch.map(Platform::linux)),
            architecture: self.arch,
            spool: self.spool,
            cache: general.cache(),
            limits: Limits {
                max_size: self.max_size,
                max_entries: self.max_entries,
                decoder_memory: self.decoder_memory,
            },
            file_contexts: self.file_contexts.map(file_contexts),
            xattr_filter: Filter::new(self.xattr_filter),
            clamp_mtime_min: self.clamp_mtime_min.map(Timestamp::from_seconds),
            source_date_epoch: epoch.map(Timestamp::from_seconds),
            threads: Arc::new(Threads::new(general.threads())),
            verbose: general.verbose,
        };
        recipe.check().map_err(usage)?;
        Ok(recipe)
    }
}

fn file_contexts(path: PathBuf) -> FileContexts {
    if path == Path::new("auto") { FileContexts::Auto } else { FileContexts::File(path) }
}

/// Returns the value of `SOURCE_DATE_EPOCH`; `None` if it is unset or empty.
fn epoch_of_environment() -> Result<Option<i64>, clap::Error> {
    let Some(value) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let seconds = values::epoch(&Shown(value.as_bytes()).to_string());
    let refuse = |why| clap::Error::raw(ErrorKind::InvalidValue, format!("SOURCE_DATE_EPOCH: {why}\n"));
    seconds.map(Some).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use crate::cli::{self, Request};

    #[test]
    fn modules_to_load_are_kept_with_others() {
        let names = |words: &str| -> Vec<Vec<u8>> {
            let request = cli::parse(words.split(' ').map(Into::into)).expect("a command line");
            let Request::Tree(recipe) = request else { panic!("{request:?}") };
            let keep = recipe.keep.expect("a request");
            keep.keep.modules.names.into_iter().map(|name| name.text).collect()
        };
        let line = "rootcast tree x --keep-module a --modules-load b,c";
        assert_eq!(names(line), [b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]);
        assert!(names("rootcast tree x --keep /a --modules-load b").is_empty());
    }
}
