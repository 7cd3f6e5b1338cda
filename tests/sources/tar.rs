//! tar archives by three programs in every dialect, and invalid ones.

pub(crate) mod builder;
mod hostile;
mod property;
mod stacked;

use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;

use image_tree::{Content as _, Tree};
use rootcast::blob::Blob;
use rootcast::interrupt::Interrupt;
use rootcast::source::tar::{Limits, Reader, Unchanged};
use rootcast::source::{self, ReadOptions, Source};
use rootcast::stack::{Rules, Stack};
use rootcast::threads::Threads;

use crate::fixtures::{Fixture, Item, Kind, small};
use crate::judges;
use crate::oracle::expected::{Content, File, Kind as Found, Sees, Time};
use crate::oracle::{self, Expected, Owner};
use crate::product::{self, Scratch, rootcast, rootcast_as_root, run};

/// The features of a dialect.
#[derive(Clone, Copy)]
struct Can {
    long_names: bool,
    any_time: bool,
    fifos: bool,
    links_of_symlinks: bool,
    nanoseconds: bool,
    xattrs: bool,
}

const V7: Can = Can {
    long_names: false,
    any_time: false,
    fifos: false,
    links_of_symlinks: true,
    nanoseconds: false,
    xattrs: false,
};
const USTAR: Can = Can { fifos: true, ..V7 };
const GNU: Can = Can { long_names: true, any_time: true, ..USTAR };
const PAX: Can = Can { nanoseconds: true, xattrs: true, ..GNU };
/// libarchive writes times before 1970 with the wrong sign of the fraction, and not at all in GNU's
/// dialect.
const BSDTAR_GNU: Can = Can { any_time: false, ..GNU };
const BSDTAR_PAX: Can = Can { any_time: false, ..PAX };
/// Python's tarfile stores hard links of symbolic links as separate links, ignores xattrs, and uses
/// floating point for times.
const PYTHON_USTAR: Can = Can { links_of_symlinks: false, ..USTAR };
const PYTHON: Can = Can { links_of_symlinks: false, ..GNU };

/// Returns the part of a fixture that a dialect can store. No tar supports sockets.
fn fitting(mut fixture: Fixture, can: Can) -> Fixture {
    let fits = |item: &Item| {
        let target = match &item.kind {
            Kind::Symlink(target) | Kind::HardLink(target) => target.len(),
            _ => 0,
        };
        (can.long_names || (item.path.len() < 90 && target < 90))
            && (can.any_time || (0..1 << 33).contains(&item.mtime.0))
            && (can.fifos || !matches!(item.kind, Kind::Fifo))
            && !matches!(item.kind, Kind::Socket)
    };
    fixture.items.retain(fits);
    // No program but bsdtar stores two names of a fifo as hard links.
    let may_have_two_names = |item: &&Item| match item.kind {
        Kind::Fifo => false,
        Kind::Symlink(_) => can.links_of_symlinks,
        _ => true,
    };
    let paths: Vec<Vec<u8>> =
        fixture.items.iter().filter(may_have_two_names).map(|item| item.path.clone()).collect();
    fixture.items.retain(|item| !matches!(&item.kind, Kind::HardLink(first) if !paths.contains(first)));
    for item in &mut fixture.items {
        if !can.nanoseconds {
            item.mtime.1 = 0;
        }
        if !can.xattrs {
            item.xattrs.clear();
        }
    }
    fixture
}

/// Returns the tree as read by rootcast, with every byte of every file.
fn read(archive: &Path) -> Expected {
    let source = Source::at(archive.as_os_str(), None).expect("it is known");
    let interrupt = Interrupt::never();
    let scanned = source::read(source, &ReadOptions::new(&Threads::single(), &interrupt));
    expected(&scanned.unwrap_or_else(|error| panic!("{error}")).tree)
}

/// Returns the tree of one archive, in the order of a walk.
fn tree_of(reader: Reader<'_>) -> rootcast::error::Result<Tree<Blob>> {
    let mut stack = Stack::new(Rules::default());
    reader.add_to(&mut stack, &mut Unchanged)?;
    Ok(stack.finish())
}

/// Returns the same for bytes.
fn tree_of_bytes(bytes: &[u8], limits: Limits) -> rootcast::error::Result<Tree<Blob>> {
    tree_of(Reader::bytes(bytes, limits, &Interrupt::never()))
}

fn expected(tree: &Tree<Blob>) -> Expected {
    let mut expected = Expected::default();
    let mut inodes = std::collections::BTreeMap::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let inode = tree.get(step.id);
        inodes.insert(path.clone(), step.id.index() as u64);
        let mut file = File::new(kind(&inode.kind), inode.metadata.mode.into());
        (file.uid, file.gid) = (inode.metadata.uid, inode.metadata.gid);
        let mtime = inode.metadata.mtime;
        file.mtime = Some(Time { seconds: mtime.seconds(), nanoseconds: mtime.nanoseconds() });
        let xattrs = &inode.metadata.xattrs;
        file.xattrs = xattrs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect();
        expected.files.insert(path, file);
    }
    expected.link(&inodes);
    expected
}

fn kind(kind: &image_tree::Kind<Blob>) -> Found {
    use image_tree::Kind as K;
    match kind {
        K::Directory(_) => Found::Directory,
        K::Regular(blob) => {
            let mut bytes = vec![0; usize::try_from(blob.len()).unwrap()];
            // It is read in two parts, so that offsets matter.
            let third = bytes.len() / 3;
            let (head, tail) = bytes.split_at_mut(third);
            blob.read_at(tail, head.len() as u64).unwrap();
            blob.read_at(head, 0).unwrap();
            Found::Regular(Content::of(&bytes))
        }
        K::Symlink(target) => Found::Symlink(target.as_bytes().to_vec()),
        K::CharacterDevice(device) => Found::CharacterDevice { major: device.major, minor: device.minor },
        K::BlockDevice(device) => Found::BlockDevice { major: device.major, minor: device.minor },
        K::Fifo => Found::Fifo,
        K::Socket => Found::Socket,
    }
}

/// A program that writes `archive` of the directory `source` in a dialect, or `None` after a
/// visible skip.
type Writer = fn(source: &Path, archive: &Path, dialect: &str) -> Option<Command>;

fn gnu_tar(source: &Path, archive: &Path, dialect: &str) -> Option<Command> {
    let mut command = judges::command("tar")?;
    command.args(dialect.split_whitespace());
    command.arg("-C").arg(source).arg("-cf").arg(archive).arg(".");
    Some(command)
}

fn bsdtar(source: &Path, archive: &Path, dialect: &str) -> Option<Command> {
    let mut command = judges::command("bsdtar")?;
    command.args(dialect.split_whitespace());
    command.arg("-C").arg(source).arg("-cf").arg(archive).arg(".");
    Some(command)
}

const TARFILE: &str = "import sys, tarfile\n\
    with tarfile.open(sys.argv[2], 'w', format=getattr(tarfile, sys.argv[3])) as archive:\n    \
        archive.add(sys.argv[1], arcname='.')\n";

fn python(source: &Path, archive: &Path, dialect: &str) -> Option<Command> {
    let mut command = judges::command("python3")?;
    command.args(["-c", TARFILE]).arg(source).arg(archive).arg(dialect);
    Some(command)
}

const XATTRS: &str = "--format=posix --xattrs --xattrs-include=* --acls";

#[test]
fn archives_of_every_program_and_dialect_match_the_directory() {
    let dialects: [(Writer, &str, Can); 16] = [
        (gnu_tar, "--format=v7", V7),
        (gnu_tar, "--format=ustar", USTAR),
        (gnu_tar, "--format=oldgnu", GNU),
        (gnu_tar, "--format=gnu", GNU),
        (gnu_tar, "--format=gnu --sparse", GNU),
        (gnu_tar, "--format=oldgnu --sparse", GNU),
        (gnu_tar, XATTRS, PAX),
        (gnu_tar, "--format=posix --sparse --sparse-version=0.0", Can { xattrs: false, ..PAX }),
        (gnu_tar, "--format=posix --sparse --sparse-version=0.1", Can { xattrs: false, ..PAX }),
        (gnu_tar, "--format=posix --sparse --sparse-version=1.0", Can { xattrs: false, ..PAX }),
        (bsdtar, "--format=v7tar", V7),
        (bsdtar, "--format=ustar", USTAR),
        (bsdtar, "--format=gnutar", BSDTAR_GNU),
        (bsdtar, "--format=pax", BSDTAR_PAX),
        (python, "USTAR_FORMAT", PYTHON_USTAR),
        (python, "PAX_FORMAT", PYTHON),
    ];
    let mut wrong = Vec::new();
    for (writer, dialect, can) in dialects {
        let scratch = Scratch::new();
        let (source, archive) = (scratch.join("source"), scratch.join("archive.tar"));
        let fixture = fitting(small::small(), can);
        assert!(fixture.items.len() > 50, "{dialect} carries nearly nothing");
        fixture.make(&source);
        let Some(mut command) = writer(&source, &archive, dialect) else { continue };
        run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
        let from_directory = Expected::from_directory(&source, Owner::Keep);
        if let Err(why) = from_directory.compare(&read(&archive), Sees::EVERYTHING) {
            wrong.push(format!("{command:?}:\n{why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn numbers_and_names_written_by_python_are_read() {
    let scratch = Scratch::new();
    let (source, archive) = (scratch.join("source"), scratch.join("archive.tar"));
    fitting(small::small(), PYTHON).make(&source);
    let Some(mut command) = python(&source, &archive, "GNU_FORMAT") else { return };
    run(&mut command).success().unwrap();
    let from_directory = Expected::from_directory(&source, Owner::Keep);
    from_directory.compare(&read(&archive), Sees::EVERYTHING).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn sparse_members_are_read_without_their_holes() {
    let scratch = Scratch::new();
    let (source, archive) = (scratch.join("source"), scratch.join("archive.tar"));
    let data = vec![(1 << 30, b"in the middle".to_vec())];
    let items =
        vec![Item::new("", Kind::Directory), Item::new("sparse", Kind::Sparse { len: 2 << 30, data })];
    Fixture { items }.make(&source);
    for dialect in ["--format=gnu -S", "--format=posix -S --sparse-version=0.0", "--format=posix -S"] {
        let Some(mut command) = gnu_tar(&source, &archive, dialect) else { return };
        run(&mut command).success().unwrap();
        assert!(fs::metadata(&archive).unwrap().len() < 1 << 20, "{dialect} stored the hole");
        let file = fs::File::open(&archive).unwrap();
        let interrupt = Interrupt::never();
        let tree = tree_of(Reader::file(file, &archive, Limits::DEFAULT, &interrupt).unwrap()).unwrap();
        let id = tree.resolve_no_symlinks(b"/sparse").unwrap();
        let image_tree::Kind::Regular(blob @ Blob::Sparse(_)) = &tree.get(id).kind else {
            panic!("{dialect}: {:?}", tree.get(id).kind)
        };
        assert_eq!(blob.len(), 2 << 30);
        let mut middle = [9; 20];
        blob.read_at(&mut middle, (1 << 30) - 3).unwrap();
        assert_eq!(&middle, b"\0\0\0in the middle\0\0\0\0");
    }
}

#[test]
fn compressed_archives_and_pipes_give_the_same_tree() {
    let scratch = Scratch::new();
    let (source, archive) = (scratch.join("source"), scratch.join("archive.tar"));
    fitting(small::small(), PAX).make(&source);
    let Some(mut command) = gnu_tar(&source, &archive, XATTRS) else { return };
    run(&mut command).success().unwrap();
    let from_directory = Expected::from_directory(&source, Owner::Keep);
    for tool in ["gzip", "zstd", "xz", "xz --format=lzma", "bzip2", "lz4"] {
        let mut words = tool.split(' ');
        let Some(mut command) = judges::command(words.next().unwrap()) else { continue };
        let packed = run(command.args(words).arg("-c").arg(&archive)).success().unwrap().stdout;
        let packed = scratch.file("packed", packed);
        from_directory
            .compare(&read(&packed), Sees::EVERYTHING)
            .unwrap_or_else(|why| panic!("{tool}: {why}"));

        // A truncated stream is reported, whatever the error of its library.
        let bytes = fs::read(&packed).unwrap();
        let cut = scratch.file("cut", &bytes[..bytes.len() / 2]);
        let outcome = run(rootcast().arg("tree").arg(&cut));
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.contains("cut: offset "), "{outcome}");
    }
    let stream = BufReader::new(fs::File::open(&archive).unwrap());
    let interrupt = Interrupt::never();
    let tree = tree_of(Reader::stream(stream, None, &archive, Limits::DEFAULT, &interrupt).unwrap()).unwrap();
    from_directory.compare(&expected(&tree), Sees::EVERYTHING).unwrap_or_else(|why| panic!("{why}"));

    let printed = |command: &mut Command| run(command).success().unwrap().text();
    let by_path = printed(rootcast().arg("tree").arg(&archive));
    let by_pipe = printed(rootcast().args(["tree", "-"]).stdin(fs::File::open(&archive).unwrap()));
    assert_eq!(by_path, by_pipe);
    let by_directory = printed(rootcast_as_root().arg("tree").arg("--owner").arg("keep").arg(&source));
    assert_eq!(by_path, by_directory);
}

#[test]
fn an_archive_is_cast_into_a_filesystem() {
    let scratch = Scratch::new();
    let (source, archive) = (scratch.join("source"), scratch.join("archive.tar"));
    fitting(small::small(), PAX).make(&source);
    let Some(mut command) = gnu_tar(&source, &archive, &format!("{XATTRS} --sparse")) else { return };
    run(&mut command).success().unwrap();
    let image = scratch.join("image");
    product::image(&archive, &image, &["--layout", "bare"]);
    oracle::judge(&image, None, &Expected::from_directory(&source, Owner::Keep));

    // Unpacked by its writer and read as a directory, it gives the same image.
    let unpacked = scratch.join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let mut unpack = judges::command("tar").unwrap();
    unpack.args(["--xattrs", "--xattrs-include=*", "--acls", "--same-owner", "--same-permissions"]);
    run(unpack.arg("-C").arg(&unpacked).arg("-xf").arg(&archive)).success().unwrap();
    let digest = |source: &Path| {
        let digest = rootcast_as_root()
            .args(["image", "--layout", "bare", "--owner", "keep", "--digest"])
            .arg(source)
            .output();
        String::from_utf8(digest.unwrap().stdout).unwrap()
    };
    assert_eq!(digest(&archive).len(), 65);
    if judges::is_root() {
        assert_eq!(digest(&archive), digest(&unpacked));
    }
}

#[test]
fn later_sources_override_earlier_ones() {
    let scratch = Scratch::new();
    let base = builder::Archive::new()
        .directory("usr/", 0o755)
        .directory("usr/lib/", 0o750)
        .link("lib", b'2', "usr/lib")
        .file("etc/motd", "base")
        .file("etc/keep", "kept")
        .finish();
    let base = scratch.file("base.tar", base);
    let over = scratch.join("over");
    let items = vec![
        Item::new("", Kind::Directory),
        Item::new("etc", Kind::Directory).mode(0o700),
        Item::new("etc/motd", Kind::File(b"overlaid".to_vec())),
        Item::new("lib", Kind::Directory),
    ];
    Fixture { items }.make(&over);
    let outcome = run(rootcast().args(["tree", "-v"]).arg(&base).arg(&over));
    let stderr = outcome.stderr.clone();
    let text = outcome.success().unwrap().text();
    let shown: Vec<String> =
        text.lines().map(|line| line.split(' ').take(6).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        shown,
        [
            "/ 0 40755 5 0 0",
            "/etc 0 40700 2 0 0",
            "/etc/keep 4 100644 1 0 0",
            "/etc/motd 8 100644 1 0 0",
            "/lib 0 40755 2 0 0",
            "/usr 0 40755 3 0 0",
            "/usr/lib 0 40750 2 0 0",
        ]
    );
    assert!(stderr.contains("/etc/motd: a file replaced by a file"), "{stderr}");
    assert!(
        stderr.contains("warning: ") && stderr.contains("/lib: a symbolic link replaced by a directory"),
        "{stderr}"
    );
}
