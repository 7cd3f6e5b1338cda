//! The same input gives the same bytes, whoever casts it, where, and when.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::fixtures::{self, Fixture, Making, small, wide};
use crate::judges;
use crate::oracle::expected::Content;
use crate::product::{NOBODY, Scratch, rootcast, rootcast_as, rootcast_as_root, rootcast_under_umask, run};

/// What identifies a file's bytes, for people.
fn sha256(path: &Path) -> String {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Content::read(file).unwrap().sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of the disk that `command` makes of `source`.
fn digest(mut command: Command, source: &Path) -> String {
    let scratch = Scratch::new();
    let disk = scratch.join("disk");
    let command = command.arg("image").arg(source).arg("-o").arg(&disk);
    run(command.args(["--layout", "gpt", "--arch", "x86_64"]))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    sha256(&disk)
}

fn make(fixture: &Fixture, making: Making) -> Scratch {
    let scratch = Scratch::new();
    fixture.make_as(&scratch.join("source"), making);
    scratch
}

/// Compares what `vary` makes of a command with what the plain command makes, of the same source.
#[track_caller]
fn assert_same(vary: impl Fn() -> Command) {
    let scratch = make(&small::small(), Making::USUAL);
    let source = scratch.join("source");
    assert_eq!(digest(vary(), &source), digest(rootcast(), &source));
}

#[test]
fn the_number_of_threads_does_not_show() {
    let scratch = make(&small::small(), Making::USUAL);
    let source = scratch.join("source");
    let of_threads = |count: &str| {
        let disk = scratch.join(format!("disk {count}"));
        let mut command = rootcast();
        command.arg("image").arg(&source).arg("-o").arg(&disk).args(["-j", count]);
        run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
        sha256(&disk)
    };
    let one = of_threads("1");
    assert_eq!(of_threads("2"), one);
    assert_eq!(of_threads("7"), one);
}

#[test]
fn the_umask_does_not_show() {
    assert_same(|| rootcast_under_umask("000"));
    assert_same(|| rootcast_under_umask("077"));
}

#[test]
fn the_environment_does_not_show() {
    assert_same(|| {
        let mut command = rootcast();
        command.env("TZ", "Asia/Kathmandu").env("LANG", "tr_TR.UTF-8").env("LC_ALL", "tr_TR.UTF-8");
        command.env("USER", "somebody").env("HOME", "/nowhere").env("HOSTNAME", "elsewhere");
        command
    });
    assert_same(|| {
        let mut command = rootcast();
        command.env_clear();
        command
    });
}

#[test]
fn time_does_not_show() {
    let scratch = make(&small::small(), Making::USUAL);
    let source = scratch.join("source");
    let first = digest(rootcast(), &source);
    // Superblocks count whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(digest(rootcast(), &source), first);
}

#[test]
fn the_working_directory_does_not_show() {
    let scratch = make(&small::small(), Making::USUAL);
    let source = scratch.join("source");
    let mut inside = rootcast();
    inside.current_dir(&source);
    assert_eq!(digest(inside, Path::new(".")), digest(rootcast(), &source));
}

#[test]
fn the_place_and_the_order_of_creation_do_not_show() {
    let fixture = with_many_names();
    let plain = make(&fixture, Making::USUAL);
    let other = make(&fixture, Making { reversed: true, ..Making::USUAL });
    let expected = digest(rootcast(), &plain.join("source"));
    assert_eq!(digest(rootcast(), &other.join("source")), expected);
}

#[test]
fn the_filesystem_of_the_source_does_not_show() {
    let shm = Path::new("/dev/shm");
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    if device(shm).is_none() || device(shm) == device(&std::env::temp_dir()) {
        judges::skip("another filesystem", "/dev/shm is not one");
        return;
    }
    let mut fixture = with_many_names();
    // Within its first and last second ext4 drops the nanoseconds, and tmpfs does not.
    fixture.items.retain(|item| !item.path.starts_with(b"times/-2147483648."));
    fixture.items.retain(|item| !item.path.starts_with(b"times/15032385535."));
    let plain = make(&fixture, Making::USUAL);
    let other = Scratch::below(shm);
    if fixture.make_as(&other.join("source"), Making { reversed: true, ..Making::USUAL }) {
        assert_eq!(digest(rootcast(), &other.join("source")), digest(rootcast(), &plain.join("source")));
    }
}

/// Enough names that a directory's hash order differs from any order of creation.
fn with_many_names() -> Fixture {
    let mut fixture = small::small();
    fixture.items.extend(wide::wide(1000).items.into_iter().filter(|item| !item.path.is_empty()));
    fixture
}

#[test]
fn the_user_does_not_show() {
    if !judges::is_root() {
        judges::skip("other users", "only root becomes someone else");
        return;
    }
    let by = |user: u32, command: Command| {
        let scratch = make(&small::small(), Making { owner: user, ..Making::USUAL });
        digest(command, &scratch.join("source"))
    };
    let nobody = by(NOBODY, rootcast());
    assert_eq!(by(1234, rootcast_as(1234)), nobody);
    assert_eq!(by(0, rootcast_as_root()), nobody);
}

#[test]
fn the_digest_asked_for_is_the_digest_of_the_file() {
    let scratch = make(&small::small(), Making::USUAL);
    let disk = scratch.join("disk");
    let mut command = rootcast();
    run(command.arg("image").arg(scratch.join("source")).arg("-o").arg(&disk))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    let mut command = rootcast();
    let outcome = run(command.arg("image").arg(scratch.join("source")).arg("--digest"))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(outcome.text().trim(), sha256(&disk), "{outcome}");
}

/// The digest of the disk of each named tree, made by
/// `rootcast image NAME.dump -o disk --layout gpt --arch x86_64 && sha256sum disk`.
///
/// The bytes are frozen: a change of a digest is a change of the format, and takes a new name for it. To pin a tree,
/// write `""` here, run this test, look at the image it describes with every judge, and write down what it prints.
const PINNED: [(&str, &str); 3] = [
    ("minimal", "0747a194015bd29f725215b3a527dab76036203a64f6074e1592e3c17f491883"),
    ("every-kind", "b6cb8c0622bd426dd529f1b2c39548f4786f1454443ff785719f5792381120c2"),
    ("wide", "4aafdd3636929ef478ccb37c952e829d8c9ddd7fc20e02825edb831654750aaa"),
];

#[test]
fn named_trees_have_the_bytes_they_always_had() {
    let wide = wide::wide_dump(5000);
    let wrong: Vec<String> = PINNED
        .iter()
        .filter_map(|(name, pinned)| {
            let dump = match *name {
                "minimal" => fixtures::MINIMAL_DUMP,
                "every-kind" => fixtures::EVERY_KIND_DUMP,
                _ => &wide,
            };
            let scratch = Scratch::new();
            let found = digest(rootcast(), &scratch.file("tree.dump", dump));
            (found != *pinned).then(|| format!("{name}: pinned {pinned:?}, found {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
