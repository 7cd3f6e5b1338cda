//! A virtual machine writes to filesystems of every profile, and resizes some of them while they
//! are mounted.
//!
//! One machine has them all as disks, since booting the kernel takes most of the time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::boot::{DONE, compile, machine};
use crate::fixtures::{Fixture, Item, Kind, small};
use crate::judges;
use crate::oracle::expected::{Content, Sees};
use crate::oracle::kernel::{Access, Mount};
use crate::oracle::{Expected, Owner, Verdict, Volume, dumpe2fs, e2fsck, walk};
use crate::product::{self, Scratch, run};

/// One filesystem of the machine.
struct Case {
    name: &'static str,
    arguments: &'static str,
    does: Does,
    /// The mount options in the guest, or `-`.
    options: &'static str,
}

/// The guest's actions on a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Reads all files, and checks that writing fails.
    Read,
    /// Creates, changes and removes files.
    Write,
    /// Grows the filesystem by [`GROWTH`], and then writes.
    Grow,
}

/// The factor by which a filesystem grows.
const GROWTH: u64 = 16;

const CASES: [Case; 12] = [
    case("default", "", Does::Write, "-"),
    case("default-1k", "-b 1024", Does::Write, "-"),
    case("rw", "--profile rw", Does::Write, "-"),
    // Linux 6.1 miscounts reserved blocks when a small file outgrows the inode with delayed
    // allocation, and warns about it, also on filesystems of mke2fs.
    case("rw-inline-2k", "--profile rw -O inline_data -b 2048", Does::Write, "nodelalloc"),
    case("no-journal", "-O ^has_journal,^resize_inode,sparse_super2", Does::Write, "-"),
    case("kata", "--profile kata", Does::Read, "data=ordered,errors=remount-ro"),
    case("kata-shared", "--profile kata --dedupe --huge-pages", Does::Read, "data=ordered,errors=remount-ro"),
    case("kata-writable", "--profile kata", Does::Write, "data=ordered,errors=remount-ro"),
    case("ro-min", "--profile ro-min", Does::Read, "errors=remount-ro"),
    // The guest requests a writable mount of this one, which the kernel denies.
    case("ro-min-1k", "--profile ro-min -b 1024", Does::Read, "-"),
    case("growing", "", Does::Grow, "-"),
    case("growing-rw-1k", "--profile rw -b 1024", Does::Grow, "-"),
];

const fn case(name: &'static str, arguments: &'static str, does: Does, options: &'static str) -> Case {
    Case { name, arguments, does, options }
}

#[test]
fn a_machine_writes_to_every_profile_and_lets_filesystems_grow() {
    let Some(init) = compile(include_str!("filesystems.c")) else { return };
    let scratch = Scratch::in_memory();
    let root = scratch.join("root");
    let Some(partuuid) = make_root(&scratch, &root, &init) else { return };
    // Extended attributes are only stored below the usual directory, if anywhere.
    let sources = Scratch::new();
    let source = sources.join("source");
    fixture().make(&source);

    let filesystems: Vec<Filesystem> =
        CASES.iter().map(|case| Filesystem::new(case, &source, &scratch)).collect();
    let disks: Vec<PathBuf> =
        std::iter::once(root).chain(filesystems.iter().map(|filesystem| filesystem.image.clone())).collect();
    let Some(transcript) = machine(&format!("PARTUUID={partuuid}"), &disks) else { return };
    let complaint = transcript.lines().find(|line| is_complaint(line));
    assert_eq!(complaint, None, "{transcript}");
    assert!(transcript.contains(DONE), "the guest did not get to its end:\n{transcript}");

    let objections: Vec<String> = filesystems
        .iter()
        .filter_map(|found| Some(format!("{}: {}", found.case.name, found.check(&source).err()?)))
        .collect();
    assert!(objections.is_empty(), "{}\n{transcript}", objections.join("\n"));
}

/// Returns true if a line of the kernel's log reports a filesystem error.
fn is_complaint(line: &str) -> bool {
    ["EXT4-fs error", "EXT4-fs warning", "JBD2:", "WARNING:", "BUG:"].iter().any(|words| line.contains(words))
}

/// Makes a filesystem from which the machine boots, with its init program, resize2fs, and the
/// libraries of the latter. Returns the PARTUUID of its partition, or `None` after a visible skip.
fn make_root(scratch: &Scratch, image: &Path, init: &[u8]) -> Option<String> {
    let (resize2fs, mut ldd) = (judges::command("resize2fs")?, judges::command("ldd")?);
    let resize2fs = resize2fs.get_program();
    let cases: String = CASES
        .iter()
        .zip(2..)
        .map(|(case, number)| {
            let does = format!("{:?}", case.does).to_lowercase();
            format!("{} {number} {does} {}\n", case.name, case.options)
        })
        .collect();
    let directories = ["", "dev", "mnt", "proc", "sbin", "sys"];
    let mut items: Vec<Item> = directories.map(|path| Item::new(path, Kind::Directory)).into();
    items.push(Item::new("init", Kind::File(init.to_vec())).mode(0o755));
    items.push(Item::new("cases", Kind::File(cases.into_bytes())));
    let source = scratch.join("root source");
    Fixture { items }.make(&source);

    let libraries = run(ldd.arg(resize2fs)).success().unwrap().text();
    let mut arguments = vec![format!("--add={}:/sbin/resize2fs", Path::new(resize2fs).display())];
    // `libe2p.so.2 => /lib/x86_64-linux-gnu/libe2p.so.2 (0x…)`, and the dynamic linker without an
    // arrow
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        let file = fs::canonicalize(library).unwrap();
        arguments.push(format!("--add={}:{library}", file.display()));
    }
    arguments.extend(["--layout", "mbr", "--free", "8M"].map(str::to_owned));
    product::image(&source, image, &arguments);
    let disk = fs::read(image).unwrap();
    let signature = u32::from_le_bytes(disk[440..444].try_into().unwrap());
    Some(format!("{signature:08x}-01"))
}

/// Returns every kind of file in `/kept`, and in `/work` the files that the guest changes.
fn fixture() -> Fixture {
    let below = |path: &[u8]| [if path.is_empty() { &b"kept"[..] } else { b"kept/" }, path].concat();
    let kept = small::small().items.into_iter().map(|item| Item {
        path: below(&item.path),
        kind: if let Kind::HardLink(first) = &item.kind { Kind::HardLink(below(first)) } else { item.kind },
        ..item
    });
    let mut items = vec![Item::new("", Kind::Directory)];
    items.extend(kept);
    items.extend(["work", "work/wide"].map(|path| Item::new(path, Kind::Directory)));
    items.push(Item::new("work/big", Kind::File((0..=250).cycle().take(1 << 20).collect())));
    items.push(Item::new("work/one", Kind::File(b"one file".to_vec())));
    items.push(Item::new("work/two", Kind::HardLink(b"work/one".to_vec())));
    items.extend((0..2000).map(|index| {
        let name = format!("a-file-of-the-host-with-a-long-name-{index:05}");
        // The guest reads these at the end: the third, and each eightieth after it.
        let bytes = if index % 80 == 3 { name.clone().into_bytes() } else { Vec::new() };
        Item::new(format!("work/wide/{name}"), Kind::File(bytes))
    }));
    Fixture { items }
}

/// A case's filesystem, before the guest ran.
struct Filesystem {
    case: &'static Case,
    image: PathBuf,
    /// The content of the whole image.
    content: Content,
    /// The numbers of blocks and of free blocks.
    blocks: Option<(u64, u64)>,
}

impl Filesystem {
    fn new(case: &'static Case, source: &Path, scratch: &Scratch) -> Self {
        let image = scratch.join(case.name);
        let name = Item::new("name", Kind::File(case.name.into()));
        let naming = scratch.join(format!("{} name", case.name));
        Fixture { items: vec![Item::new("", Kind::Directory), name] }.make(&naming);
        let mut arguments = vec![naming.to_str().unwrap(), "--layout", "bare"];
        arguments.extend(case.arguments.split_whitespace());
        match case.does {
            Does::Read => {}
            Does::Write => arguments.extend(["--free", "16M"]),
            Does::Grow => arguments.extend(["--size", "32M"]),
        }
        let excluded: Vec<String> = case.too_large().iter().map(|path| format!("--exclude={path}")).collect();
        arguments.extend(excluded.iter().map(String::as_str));
        product::image(source, &image, &arguments);
        let blocks = blocks(&Volume::new(&image, None));
        if case.does == Does::Grow {
            let file = File::options().write(true).open(&image).unwrap();
            file.set_len(file.metadata().unwrap().len() * GROWTH).unwrap();
        }
        let content = Content::read(File::open(&image).unwrap()).unwrap();
        Self { case, image, content, blocks }
    }

    /// Checks that it is clean and has the expected size, and that the files the guest did not
    /// touch are unchanged.
    fn check(&self, source: &Path) -> Verdict {
        let volume = Volume::new(&self.image, None);
        e2fsck::check_clean(&volume)?;
        let changed = Content::read(File::open(&self.image).unwrap()).unwrap() != self.content;
        if changed != (self.case.does != Does::Read) {
            return Err(format!("its bytes {} what they were", if changed { "are not" } else { "are" }));
        }
        if self.case.does == Does::Grow
            && let (Some((before, free_before)), Some((after, free_after))) = (self.blocks, blocks(&volume))
        {
            // Inode tables take a part of the added space, and so do the guest's files.
            let least = free_before + (GROWTH - 1) * before * 9 / 10;
            if after != before * GROWTH || free_after < least {
                return Err(format!(
                    "{free_after} of {after} blocks are free, and {free_before} of {before} were"
                ));
            }
        }
        self.check_untouched(&volume, source)
    }

    fn check_untouched(&self, volume: &Volume, source: &Path) -> Verdict {
        if !judges::may_mount() {
            return Ok(());
        }
        let mut expected = Expected::from_directory(source, Owner::Root);
        for path in self.case.too_large() {
            expected.files.remove(path.as_bytes());
        }
        let Some(mount) = Mount::new(volume, Access::ReadOnly)? else { return Ok(()) };
        let (mut found, _) = walk::directory(mount.path()).map_err(|error| error.to_string())?;
        mount.unmount()?;
        if found.files.remove(&b"/name"[..]).is_none() {
            return Err("/name is gone".to_owned());
        }
        if self.case.does != Does::Read {
            expected.files.retain(|path, _| !path.starts_with(b"/work"));
            found.files.retain(|path, _| !path.starts_with(b"/work"));
        }
        expected.compare(&found, Sees::EVERYTHING)
    }
}

impl Case {
    /// The files that do not fit in its blocks.
    fn too_large(&self) -> Vec<String> {
        if self.arguments.contains("-b ") {
            small::LARGE.map(|path| format!("/kept{path}")).into()
        } else {
            Vec::new()
        }
    }
}

/// The numbers of blocks and of free blocks of a filesystem, or `None` after a visible skip.
fn blocks(volume: &Volume) -> Option<(u64, u64)> {
    let summary = dumpe2fs::read(volume).unwrap()?;
    Some((summary.number("Block count").unwrap(), summary.number("Free blocks").unwrap()))
}
