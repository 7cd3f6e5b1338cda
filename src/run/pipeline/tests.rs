//! Each step of the table is needed: its case holds with all steps, and fails without it.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use image_tree::dump::{self, Body};
use image_tree::{Content as _, Kind, Timestamp, Tree};
use serde_json::json;

use super::reader::SOURCE_STEPS;
use super::*;
use crate::blob::Blob;
use crate::blob::archive::{Archive, ArchiveRange, Sparse};
use crate::blob::{HostDirectory, Root, SpoolMemory};
use crate::closure::config::systemd::DefaultTarget;
use crate::closure::kernel_modules;
use crate::closure::testing::kernel_module;
use crate::filesystem::Properties;
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::progress::Silent;
use crate::recipe::filesystem::FilesystemRecipe;
use crate::recipe::modules::Compression;
use crate::report::ContainerReport;
use crate::run::sources::{Reader, SourceStep};
use crate::source::directory::{self, Unreadable};
use crate::transform::accounts::Accounts;
use crate::transform::configure::Generators;
use crate::transform::edit::parse::EDIT_FLAGS;
use crate::transform::init::Init;
use crate::transform::own_files::OwnFiles;
use crate::transform::own_files::host_inode;
use crate::transform::ownership::{Ownership, SetIdChange};
use crate::transform::selinux::FileContexts;

const ROOT: &str = "/ 0 40755 2 0 0 0 0.0 - - -\n";
const FILES: &str = "/f 1 100644 1 0 0 0 100.0 - x -\n/g 1 100644 1 0 0 0 0.0 - x -\n";

/// A tree before the steps, their options, and the verb.
struct Setup {
    directory: tempfile::TempDir,
    recipe: TreeRecipe,
    prepared: Prepared,
    filesystem: Option<Properties>,
    init: Option<Init>,
    startable: Option<startable::Options>,
    own: OwnFiles,
    verb: Verb,
}

/// A name, and a function that returns true if the step had its effect.
type Case = (&'static str, fn(Setup, &[Step]) -> bool);

/// A case of each step, in the order of the table.
const CASES: [Case; 34] = [
    ("sources", |mut setup, steps| {
        fs::write(setup.directory.path().join("f"), "x").expect("new");
        setup.recipe.sources = vec![setup.directory.path().into()];
        setup.find("", steps, |prepared| is_in(&prepared.tree, "/f"))
    }),
    ("ownership_manifest", |mut setup, steps| {
        let path = setup.file("manifest", "#mtree\n. type=dir\n./f type=file uid=7 gid=8 mode=644\n");
        setup.recipe.ownership = Some(Ownership::Mtree(path));
        setup.find(FILES, steps, |prepared| owner(&prepared.tree, "/f") == (7, 8))
    }),
    ("configure", |mut setup, steps| {
        setup.recipe.configure = Generators::parse("accounts").expect("a name");
        let above = ["/usr", "/usr/lib", "/usr/lib/sysusers.d"]
            .map(|path| format!("{path} 0 40755 2 0 0 0 0.0 - - -\n"));
        let tree =
            format!("{}/usr/lib/sysusers.d/a.conf 4 100644 1 0 0 0 0.0 - u\\x20x\\n -\n", above.concat());
        setup.find(&tree, steps, |prepared| is_in(&prepared.tree, "/etc/passwd"))
    }),
    ("kata_setup", |mut setup, steps| {
        setup.recipe.kata.setup = Some(kata::Setup::default());
        setup.fails(FILES, steps, "it is not in the tree")
    }),
    ("edits", |mut setup, steps| {
        let mkdir = EDIT_FLAGS.iter().find(|form| form.name == "mkdir").expect("a form");
        setup.recipe.edits = vec![mkdir.parse(OsStr::new("/made")).expect("an edit")];
        setup.has("/made", steps)
    }),
    ("modules of the host", |mut setup, steps| {
        let directory = setup.directory.path().join("1");
        fs::create_dir(&directory).expect("new");
        fs::write(directory.join("modules.builtin"), "").expect("new");
        setup.recipe.modules.directory = Some(directory);
        setup.find(FILES, steps, |prepared| is_in(&prepared.tree, "/lib/modules/1/modules.builtin"))
    }),
    ("overlay", |mut setup, steps| {
        fs::write(setup.directory.path().join("laid"), "x").expect("new");
        setup.recipe.overlays = vec![setup.directory.path().into()];
        setup.keep("/f");
        setup.find(FILES, steps, |prepared| is_in(&prepared.tree, "/laid") && is_in(&prepared.tree, "/f"))
    }),
    ("modules of the whole tree", |mut setup, steps| {
        let exclude = EDIT_FLAGS.iter().find(|form| form.name == "exclude").expect("a form");
        setup.recipe.edits = vec![exclude.parse(OsStr::new("/lib/modules/1/a.ko.gz")).expect("an edit")];
        setup.modules("/lib/modules/1/a.ko.gz 1 100644 1 0 0 0 0.0 - x -\n");
        setup.find("", steps, |prepared| is_in(&prepared.tree, "/lib/modules/1/modules.dep"))
    }),
    ("unreadable_files", |mut setup, steps| {
        setup.hide();
        setup.recipe.unreadable = unreadable::Policy::Skip;
        setup.find(FILES, steps, |prepared| !is_in(&prepared.tree, "/secret"))
    }),
    ("kept_part", |mut setup, steps| {
        setup.keep("/f");
        setup.find(FILES, steps, |prepared| prepared.reduction.is_some())
    }),
    ("missing_files", |mut setup, steps| {
        setup.keep("/script");
        setup.fails("/script 12 100755 1 0 0 0 0.0 - #!/bin/none\\n -\n", steps, "missing from the tree")
    }),
    ("reduction", |mut setup, steps| {
        setup.keep("/f");
        setup.find(FILES, steps, |prepared| !is_in(&prepared.tree, "/g"))
    }),
    ("ld_cache", |mut setup, steps| {
        setup.recipe.ld_cache = true;
        setup.fails(FILES, steps, "--ld-cache")
    }),
    ("form of modules", |mut setup, steps| {
        setup.recipe.modules.compression = Compression::None;
        setup.modules("/lib/modules/1/a.ko.gz 1 100644 1 0 0 0 0.0 - x -\n");
        setup.find("", steps, |prepared| is_in(&prepared.tree, "/lib/modules/1/a.ko"))
    }),
    ("module_indices", |mut setup, steps| {
        setup.keep("/f");
        let keep = &mut setup.recipe.keep.as_mut().expect("it was set").keep;
        keep.modules.names = vec![kernel_modules::parse(b"crc").expect("a name")];
        setup.modules("/lib/modules/1/modules.builtin 7 100644 1 0 0 0 0.0 - crc.ko\\n -\n");
        setup.find("", steps, |prepared| is_in(&prepared.tree, "/lib/modules/1/modules.dep.bin"))
    }),
    ("systemd_files", |mut setup, steps| {
        setup.keep("/usr/lib/systemd/systemd");
        setup.recipe.keep.as_mut().expect("it was set").keep.default_target = DefaultTarget::None;
        let above = ["/usr", "/usr/lib", "/usr/lib/systemd"]
            .map(|path| format!("{path} 0 40755 2 0 0 0 0.0 - - -\n"));
        let tree = format!("{}/usr/lib/systemd/systemd 1 100755 1 0 0 0 0.0 - x -\n", above.concat());
        setup.find(&tree, steps, |prepared| is_in(&prepared.tree, "/etc/machine-id"))
    }),
    ("unreadable_kept_files", |mut setup, steps| {
        setup.hide();
        setup.keep("/secret");
        setup.fails(FILES, steps, "may not be read")
    }),
    ("set_id_files", |mut setup, steps| {
        setup.prepared.set_id = vec![SetIdChange { uid: 0, gid: 0, paths: vec![b"/s".to_vec()] }];
        let log = setup.log("/s 0 104755 1 0 0 0 0.0 - - -\n", steps).1;
        log.warnings().iter().any(|warning| warning.contains("set-id file now runs as root: /s"))
    }),
    ("accounts", |mut setup, steps| {
        setup.keep("/f");
        let accounts = Accounts::parse(b"ann").expect("a name");
        setup.recipe.keep.as_mut().expect("it was set").accounts = accounts;
        setup.fails(FILES, steps, "--accounts ann")
    }),
    ("guest_files", |mut setup, steps| {
        setup.recipe.guest_files = true;
        setup.has("/etc/hosts", steps)
    }),
    ("image_config", |mut setup, steps| {
        setup.prepared.containers = vec![ContainerReport::for_test(json!({ "User": "www" }))];
        setup.has("/etc/rootcast/config.json", steps)
    }),
    ("times", |mut setup, steps| {
        setup.recipe.source_date_epoch = Some(Timestamp::from_seconds(50));
        setup.find(FILES, steps, |prepared| inode(&prepared.tree, "/f").metadata.mtime.seconds() == 50)
    }),
    ("undefined_ids", |setup, steps| {
        setup.fails("/f 0 100644 1 4294967295 0 0 0.0 - - -\n", steps, "its user is 4294967295")
    }),
    ("output_in_tree", |mut setup, steps| {
        let path = setup.host_file(&[1; 10]);
        setup.own.output = host_inode(&path);
        setup.verb = Image;
        setup.fails("", steps, "is an input and would be overwritten")
    }),
    ("own_directories", |mut setup, steps| {
        setup.label();
        setup.verb = Image;
        setup.has("/lost+found", steps)
    }),
    ("holes", |mut setup, steps| {
        setup.host_file(&[[0; 8192], [1; 8192]].concat());
        setup.verb = Image;
        setup.properties().holes = sparse::Policy::Always;
        setup.find("", steps, |prepared| match &inode(&prepared.tree, "/f").kind {
            Kind::Regular(content) => content.data_ranges() == Some(std::slice::from_ref(&(8192..16_384))),
            _ => false,
        })
    }),
    ("kata_check", |mut setup, steps| {
        setup.recipe.kata.check = Some(None);
        setup.fails(FILES, steps, "the tree is not one of a Kata guest")
    }),
    ("init", |mut setup, steps| {
        setup.init = Some(Init::Own);
        setup.verb = Initrd;
        setup.fails(FILES, steps, "the tree has no /init")
    }),
    ("startable", |mut setup, steps| {
        let kernel = crate::closure::exec::Kernel::default();
        setup.startable = Some(startable::Options { kernel, has_others: false, is_static: false });
        setup.verb = Initrd;
        setup.fails("/init 0 100755 1 0 0 0 0.0 - - -\n", steps, "/init would not start: it is empty")
    }),
    ("selinux_labels", |mut setup, steps| {
        setup.label();
        setup.find(FILES, steps, |prepared| !inode(&prepared.tree, "/f").metadata.xattrs.is_empty())
    }),
    ("hard_links", |mut setup, steps| {
        setup.recipe.hardlinks = hardlinks::Policy::Content;
        setup.recipe.source_date_epoch = Some(Timestamp::EPOCH);
        setup.find(FILES, steps, |prepared| prepared.hard_links.linked_names == 1)
    }),
    ("holes_as_zeros", |mut setup, steps| {
        // Within the limit as one file with two names, but not as the two files that it becomes.
        setup.two_names_of_holes(600);
        setup.recipe.limits.max_size = 1000;
        setup.verb = Initrd;
        setup.recipe.hardlinks = hardlinks::Policy::Break;
        setup.fails("", steps, "have 1200 bytes, holes included")
    }),
    ("unusable_xattrs", |mut setup, steps| {
        setup.verb = Image;
        let file = "/f 0 100644 1 0 0 0 0.0 - - - system.posix_acl_access=x\n";
        setup.find(file, steps, |prepared| inode(&prepared.tree, "/f").metadata.xattrs.is_empty())
    }),
    ("duplicates", |mut setup, steps| {
        setup.verb = Image;
        setup.properties().shares_duplicates = true;
        setup.find(FILES, steps, |prepared| prepared.duplicates.len() == 1)
    }),
];

#[test]
fn every_step_is_needed() {
    for (row, (name, has_effect)) in CASES.iter().enumerate() {
        assert!(has_effect(Setup::new(), &STEPS), "{name} has no effect");
        let others = STEPS.iter().enumerate().filter(|(other, _)| *other != row);
        let others: Vec<Step> = others.map(|(_, step)| *step).collect();
        assert!(!has_effect(Setup::new(), &others), "{name} is not needed");
    }
}

/// A name, a function that sets the case up, and one that returns true if the step of the source had
/// its effect on the tree.
type SourceCase = (&'static str, fn(&mut Setup), fn(&Tree<Blob>) -> bool);

/// A case of each step of a source, in the order of the table.
const SOURCE_CASES: [SourceCase; 3] = [
    (
        "own_files",
        |setup| setup.own.output = host_inode(&setup.directory.path().join("f")),
        |tree| !is_in(tree, "/f"),
    ),
    (
        "owners",
        |setup| setup.recipe.ownership = Some(Ownership::Ids { uid: 7, gid: 8 }),
        |tree| owner(tree, "/f") == (7, 8),
    ),
    (
        "host_metadata",
        |setup| setup.recipe.source_date_epoch = Some(Timestamp::from_seconds(50)),
        |tree| inode(tree, "/f").metadata.mtime.seconds() == 50,
    ),
];

#[test]
fn every_step_of_a_source_is_needed() {
    for (row, (name, set_up, has_effect)) in SOURCE_CASES.iter().enumerate() {
        let stacked = |steps: &[SourceStep]| {
            let mut setup = Setup::new();
            setup.file("f", "x");
            set_up(&mut setup);
            setup.recipe.sources = vec![setup.directory.path().into()];
            let Setup { recipe, own, .. } = &setup;
            let (log, interrupt) = (Log::silent(), Interrupt::never());
            let (spool, xattrs, own, progress) = (None, true, *own, &Silent);
            let memory = &SpoolMemory::default();
            let reader = Reader {
                recipe,
                spool,
                memory,
                temporary: None,
                steps,
                own,
                progress,
                xattrs,
                states: false,
                cache: None,
                interrupt: &interrupt,
                log: &log,
            };
            reader.stacked(None).expect("it can be read").tree
        };
        assert!(has_effect(&stacked(&SOURCE_STEPS)), "{name} has no effect");
        let others = SOURCE_STEPS.iter().enumerate().filter(|(other, _)| *other != row);
        let others: Vec<SourceStep> = others.map(|(_, step)| *step).collect();
        assert!(!has_effect(&stacked(&others)), "{name} is not needed");
    }
}

#[test]
fn holes_of_names_that_stay_links_count_once() {
    let mut setup = Setup::new();
    setup.two_names_of_holes(600);
    setup.recipe.limits.max_size = 1000;
    setup.verb = Initrd;
    assert!(setup.find("", &STEPS, |_| true));
}

impl Setup {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            recipe: TreeRecipe::new([""; 0], NonZeroUsize::MIN),
            prepared: Prepared::new(),
            filesystem: None,
            init: None,
            startable: None,
            own: OwnFiles::default(),
            verb: Verb::Tree,
        }
    }

    fn properties(&mut self) -> &mut Properties {
        self.filesystem.get_or_insert_with(|| FilesystemRecipe::default().filesystem().properties())
    }

    fn file(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("new");
        path
    }

    /// Makes the tree that of a directory with one file, `/f`, and returns its path.
    fn host_file(&mut self, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.directory.path().join("f");
        fs::write(&path, bytes).expect("new");
        let threads = &self.recipe.threads;
        let scanned = directory::read(self.directory.path(), threads, &Interrupt::never());
        self.prepared.tree = scanned.expect("it can be read").tree;
        path
    }

    /// Makes the tree one of a sparse file of an archive with two names.
    fn two_names_of_holes(&mut self, len: u64) {
        let range = ArchiveRange::new(Arc::new(Archive::memory(Vec::new().into())), 0, 0);
        let blob = Blob::Sparse(Arc::new(Sparse::new(len, &[], range)));
        let names = "/a 0 100644 2 0 0 0 0.0 - - -\n/b 0 @100644 2 0 0 0 0.0 /a - -\n";
        self.prepared.tree = parse(names);
        let id = self.prepared.tree.resolve_no_symlinks(b"/a").expect("it is there");
        let _ = self.prepared.tree.replace_kind(id, Kind::Regular(blob));
    }

    /// Adds an unreadable directory, as an ordinary user finds it.
    fn hide(&mut self) {
        let root = Arc::new(Root::open_at(self.directory.path()).expect("it is there"));
        let place = HostDirectory::at(root, b"secret");
        self.prepared.unreadable = vec![Unreadable::new(&place, b"", true)];
        self.prepared.tree = parse(&format!("{FILES}/secret 0 40700 2 0 0 0 0.0 - - -\n"));
    }

    /// Makes the tree one with files in a directory of modules. A file with the name of a module is
    /// one.
    fn modules(&mut self, files: &str) {
        let above = ["/lib", "/lib/modules", "/lib/modules/1"];
        let above = above.map(|path| format!("{path} 0 40755 2 0 0 0 0.0 - - -\n"));
        self.prepared.tree = parse(&format!("{FILES}{}{files}", above.concat()));
        if let Some(id) = self.prepared.tree.resolve_no_symlinks(b"/lib/modules/1/a.ko.gz") {
            let module = Kind::Regular(Blob::from(kernel_module(&[])));
            let _ = self.prepared.tree.replace_kind(id, module);
        }
    }

    fn keep(&mut self, path: &str) {
        self.recipe.keep = Some(reduction::keep_path(path));
    }

    fn label(&mut self) {
        let path = self.file("file_contexts", "/.* system_u:object_r:any_t:s0\n");
        self.recipe.file_contexts = Some(FileContexts::File(path));
    }

    /// Takes the steps with the files of a dump, unless there is a tree already. Cases without
    /// sources begin after the first step, which reads them.
    fn log(&mut self, files: &str, steps: &[Step]) -> (Result<Prepared>, Log) {
        if self.verb == Image {
            self.properties();
        }
        let Self { recipe, prepared, filesystem, init, startable, own, verb, .. } = self;
        let (log, interrupt) = (Log::silent(), Interrupt::never());
        let zeros = Holes::Zeros("an initramfs stores holes as zeros");
        let blocks = |of: &Properties| Holes::Blocks { policy: of.holes, len: of.block_size };
        let options = Options {
            own: *own,
            holes: filesystem.as_ref().map_or(zeros, blocks),
            filesystem: filesystem.as_ref(),
            init: init.as_ref(),
            startable: startable.take(),
            output: Path::new("output"),
            ..Options::new(recipe, &interrupt, &log)
        };
        let mut prepared = std::mem::replace(prepared, Prepared::new());
        if !files.is_empty() && prepared.tree.inode_count() == 1 {
            prepared.tree = parse(files);
        }
        let first = usize::from(recipe.sources.is_empty());
        let result = take(&steps[first..], *verb, &options, prepared);
        (result, log)
    }

    fn find(mut self, files: &str, steps: &[Step], found: impl FnOnce(&Prepared) -> bool) -> bool {
        self.log(files, steps).0.is_ok_and(|prepared| found(&prepared))
    }

    fn has(self, path: &str, steps: &[Step]) -> bool {
        self.find(FILES, steps, |prepared| is_in(&prepared.tree, path))
    }

    fn fails(mut self, files: &str, steps: &[Step], message: &str) -> bool {
        self.log(files, steps).0.is_err_and(|error| error.to_string().contains(message))
    }
}

fn parse(files: &str) -> Tree<Blob> {
    let tree = dump::parse(format!("{ROOT}{files}").as_bytes(), |file| match &file.body {
        Body::Inline(bytes) => Ok::<_, std::io::Error>(Blob::from(bytes.to_vec())),
        _ => Ok(Blob::from(Vec::new())),
    });
    tree.expect("a dump")
}

fn is_in(tree: &Tree<Blob>, path: &str) -> bool {
    tree.resolve_no_symlinks(path.as_bytes()).is_some()
}

fn inode<'t>(tree: &'t Tree<Blob>, path: &str) -> &'t image_tree::Inode<Blob> {
    tree.get(tree.resolve_no_symlinks(path.as_bytes()).expect("it is there"))
}

fn owner(tree: &Tree<Blob>, path: &str) -> (u32, u32) {
    let metadata = &inode(tree, path).metadata;
    (metadata.uid, metadata.gid)
}
