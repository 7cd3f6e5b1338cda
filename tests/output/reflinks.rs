//! Images that share blocks with their sources, on btrfs and XFS.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::containers::layout::{Layer, Layout, Member, oci, tar};
use crate::judges;
use crate::oracle::expected::Content;
use crate::oracle::{Expected, Judge, Owner, debugfs, e2fsck, judge_by, kernel};
use crate::product::{NOBODY, Outcome, Scratch, rootcast, run};

/// Filesystems that share blocks, and their mkfs programs.
const KINDS: [(&str, &str); 2] = [("btrfs", "mkfs.btrfs"), ("xfs", "mkfs.xfs")];

/// The size of each filesystem: little more than the minimum of mkfs.xfs.
const SIZE: u64 = 400 << 20;

/// A filesystem in a file, writable by everybody, unmounted on drop.
pub(crate) struct Shared {
    pub(crate) kind: &'static str,
    at: PathBuf,
    /// Holds the file and the directory that it is mounted on.
    _scratch: Scratch,
}

impl Shared {
    /// Returns all that the machine can make and mount; each other one is a visible skip.
    pub(crate) fn all() -> Vec<Self> {
        if !judges::may_mount() {
            return Vec::new();
        }
        KINDS.into_iter().filter_map(|(kind, mkfs)| Self::new(kind, mkfs)).collect()
    }

    fn new(kind: &'static str, mkfs: &str) -> Option<Self> {
        let (mut mkfs, mut mount) = (judges::command(mkfs)?, judges::command("mount")?);
        let scratch = Scratch::new();
        let (image, at) = (scratch.join("filesystem"), scratch.join("mounted"));
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        fs::create_dir(&at).unwrap();
        run(mkfs.arg("-q").arg(&image)).success().unwrap_or_else(|why| panic!("{why}"));
        let outcome = run(mount.args(["-o", "loop", "-t", kind]).arg(&image).arg(&at));
        if outcome.stderr.contains("unknown filesystem type") {
            judges::skip(kind, "the kernel does not know it");
            return None;
        }
        outcome.success().unwrap_or_else(|why| panic!("{why}"));
        fs::set_permissions(&at, fs::Permissions::from_mode(0o1777)).unwrap();
        Some(Self { kind, at, _scratch: scratch })
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    /// A directory in it that the ordinary user may write to.
    fn directory(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        path
    }

    /// Returns the number of used bytes, after writeback.
    fn used(&self) -> u64 {
        rustix::fs::syncfs(File::open(&self.at).unwrap()).unwrap();
        let found = rustix::fs::statvfs(&self.at).unwrap();
        (found.f_blocks - found.f_bfree) * found.f_frsize
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // OK to ignore: the directory then remains, as the test's output will show.
        let _ = Command::new("umount").arg(&self.at).status();
    }
}

/// Returns bytes without two equal blocks.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = (state ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0x2545_f491_4f6c_dd1d);
        state ^= state >> 29;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Creates files with lengths around every threshold, holes, and stored zeros.
fn make_tree(root: &Path) {
    let block = 4096;
    for (seed, len) in [
        1,
        block - 1,
        block,
        block + 1,
        (32 << 10) - 1,
        32 << 10,
        (32 << 10) + 1,
        100_000,
        (1 << 20) - 1,
        1 << 20,
        (5 << 20) + 4097,
        (64 << 20) + 5000,
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(root.join(format!("len{len}")), noise(seed as u64, len)).unwrap();
    }
    let holes = File::create(root.join("holes")).unwrap();
    holes.set_len((3 << 20) + 10).unwrap();
    for offset in [1 << 20, (2 << 20) + 4096] {
        holes.write_all_at(&noise(offset, 40_000), offset).unwrap();
    }
    let mut zeros = noise(99, 200_000);
    zeros[50_000..150_000].fill(0);
    fs::write(root.join("zeros"), zeros).unwrap();
    fs::hard_link(root.join("zeros"), root.join("zeros again")).unwrap();
    everyone_reads(root);
}

fn everyone_reads(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o644)).unwrap();
    }
}

fn sha256(path: &Path) -> String {
    Content::read(File::open(path).unwrap())
        .unwrap()
        .sha256
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn cast(source: &Path, output: &Path, arguments: &[&str]) -> Outcome {
    run(rootcast().arg("image").arg(source).arg("-o").arg(output).arg("-q").args(arguments))
}

/// Makes an image and returns the numbers of bytes that were cloned, copied and left as holes.
fn transfer(source: &Path, output: &Path, arguments: &[&str]) -> [u64; 3] {
    let outcome = cast(source, output, &[arguments, &["--json"]].concat());
    let outcome = outcome.success().unwrap_or_else(|why| panic!("{why}"));
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let counts = ["cloned_bytes", "copied_bytes", "hole_bytes"]
        .map(|name| report["transfer"][name].as_u64().unwrap_or_else(|| panic!("{report}")));
    assert_eq!(counts.iter().sum::<u64>(), fs::metadata(output).unwrap().len());
    counts
}

#[test]
fn cloned_and_copied_images_are_the_same() {
    let _heavy = judges::heavy();
    for shared in Shared::all() {
        let (source, out) = (shared.directory("source"), shared.directory("out"));
        make_tree(&source);
        for layout in [["--layout", "bare"], ["--layout", "gpt"], ["--layout=gpt", "--verity"]] {
            let digest = run(rootcast().arg("image").arg(&source).arg("--digest").args(layout));
            let digest = digest.success().unwrap_or_else(|why| panic!("{why}")).text().trim().to_owned();
            let streamed = run(rootcast().arg("image").arg(&source).args(["-o", "-"]).args(layout));
            let disk = out.join("disk");
            fs::write(&disk, &streamed.stdout).unwrap();
            assert_eq!(sha256(&disk), digest);
            fs::remove_file(&disk).unwrap();
            let mut cloned = Vec::new();
            for when in ["never", "auto", "always"] {
                for threads in ["1", "2", "7"] {
                    let when = format!("--reflink={when}");
                    let counts = transfer(&source, &disk, &[&layout[..], &["-j", threads, &when]].concat());
                    assert_eq!(sha256(&disk), digest, "{} {when} {threads}", shared.kind);
                    cloned.push(counts[0]);
                }
            }
            let (auto, always) = (70 << 20, (70 << 20) + (60 << 10));
            assert_eq!(cloned[..3], [0; 3]);
            assert!(cloned[3..6].iter().all(|bytes| *bytes > auto), "{} {cloned:?}", shared.kind);
            assert!(cloned[6..].iter().all(|bytes| *bytes > always && *bytes > cloned[3]), "{cloned:?}");
        }
    }
}

#[test]
fn judges_accept_a_cloned_image() {
    let _heavy = judges::heavy();
    let judges: [(&str, Judge); 3] = [
        ("e2fsck", |volume, _| e2fsck::check_clean(volume)),
        ("debugfs", debugfs::check),
        ("kernel", kernel::check),
    ];
    for shared in Shared::all() {
        let source = shared.directory("source");
        make_tree(&source);
        let image = shared.join("image");
        assert!(transfer(&source, &image, &["--layout", "bare"])[0] > 0);
        let expected = Expected::from_directory(&source, Owner::Root);
        judge_by(&image, None, &expected, &judges);
    }
}

#[test]
fn shared_blocks_survive_changes_of_the_source() {
    let _heavy = judges::heavy();
    for shared in Shared::all() {
        let source = shared.directory("source");
        make_tree(&source);
        let data = 75 << 20;
        let (before, image) = (shared.used(), shared.join("image"));
        transfer(&source, &image, &[]);
        let grown = shared.used().saturating_sub(before);
        assert!(grown < data / 4, "{}: {grown} bytes more are taken", shared.kind);
        if let Some(mut filefrag) = judges::command("filefrag") {
            let extents = run(filefrag.arg("-v").arg(&image)).success().unwrap_or_else(|why| panic!("{why}"));
            assert!(extents.text().contains("shared"), "{extents}");
        }
        let digest = sha256(&image);
        for name in ["len1048576", "zeros", "holes"] {
            let file = File::options().write(true).open(source.join(name)).unwrap();
            file.write_all_at(&[0xee; 70_000], 4096).unwrap();
            file.sync_all().unwrap();
        }
        fs::remove_file(source.join("len100000")).unwrap();
        assert_eq!(sha256(&image), digest, "{}: the image changed with its source", shared.kind);
        // And vice versa.
        let of_source = sha256(&source.join("len1048576"));
        let written = File::options().write(true).open(&image).unwrap();
        written.write_all_at(&vec![0; 60 << 20], 0).unwrap();
        written.sync_all().unwrap();
        assert_eq!(sha256(&source.join("len1048576")), of_source);
    }
}

#[test]
fn an_image_fits_by_sharing_where_a_copy_does_not() {
    let _heavy = judges::heavy();
    for shared in Shared::all() {
        let (source, out) = (shared.directory("source"), shared.directory("out"));
        for file in 0..7 {
            fs::write(source.join(file.to_string()), noise(file, 30 << 20)).unwrap();
        }
        everyone_reads(&source);
        let (used, disk) = (shared.used(), out.join("disk"));
        let copied = cast(&source, &disk, &["--reflink=never"]);
        assert_eq!(copied.code, Some(6), "{} {copied}", shared.kind);
        assert!(copied.stderr.contains("out/disk: no room for an image of "), "{copied}");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "something was left");
        assert!(shared.used() < used + (4 << 20), "{}: space is not given back", shared.kind);
        transfer(&source, &disk, &[]);
        fs::remove_file(&disk).unwrap();

        // Without any free space, the written parts do not fit either.
        let ballast = File::create(shared.join("ballast")).unwrap();
        let full = (0..).find(|mebibyte| {
            let written = ballast.write_all_at(&noise(7, 1 << 20), mebibyte << 20);
            written.and_then(|()| ballast.sync_all()).is_err()
        });
        assert!(full.is_some());
        let small = (0..500).map(|file| fs::write(source.join(format!("small{file}")), [1; 4000]));
        // OK to ignore: there is no space for them either.
        let _ = small.count();
        everyone_reads(&source);
        let outcome = cast(&source, &disk, &[]);
        assert_eq!(outcome.code, Some(6), "{} {outcome}", shared.kind);
        for words in ["out", "No space left"] {
            assert!(outcome.stderr.contains(words), "{words}: {outcome}");
        }
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "something was left");
    }
}

#[test]
fn a_file_changed_before_cloning_is_reported() {
    for shared in Shared::all() {
        let (source, out) = (shared.directory("source"), shared.directory("out"));
        let changing = source.join("changing");
        fs::write(&changing, noise(1, 1 << 20)).unwrap();
        everyone_reads(&source);
        let file = File::options().write(true).open(&changing).unwrap();
        let times = fs::metadata(&changing).unwrap().modified().unwrap();
        let change: [(&str, &dyn Fn()); 3] = [
            ("was modified", &|| file.write_all_at(b"other", 5000).unwrap()),
            ("inode was changed", &|| {
                file.write_all_at(b"bytes", 5000).unwrap();
                file.set_modified(times).unwrap();
            }),
            ("size 1048576 when scanned, 4096 now", &|| file.set_len(4096).unwrap()),
        ];
        for (words, change) in change {
            for when in ["--reflink=auto", "--reflink=always"] {
                file.set_len(0).unwrap();
                file.write_all_at(&noise(1, 1 << 20), 0).unwrap();
                file.set_modified(times).unwrap();
                sleep(Duration::from_millis(30));
                let outcome = change_after_the_scan(&source, &out.join("disk"), when, change);
                assert_eq!(outcome.code, Some(3), "{} {words} {outcome}", shared.kind);
                let message = "changing: changed while it was read: ";
                assert!(outcome.stderr.contains(message) && outcome.stderr.contains(words), "{outcome}");
                assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "something was left");
            }
        }
    }
}

/// Makes an image of a directory and of an empty archive on standard input, which is read after the
/// directory has been scanned.
fn change_after_the_scan(source: &Path, disk: &Path, when: &str, change: &dyn Fn()) -> Outcome {
    let mut command = rootcast();
    command.arg("image").arg(source).args(["-", when, "-q", "-o"]).arg(disk);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_reading_standard_input(&child) {
        assert!(Instant::now() < deadline, "rootcast does not read its second source");
        sleep(Duration::from_millis(20));
    }
    change();
    child.stdin.take().unwrap().write_all(&[0; 1024]).unwrap();
    let code = child.wait().unwrap().code();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    Outcome { command: format!("{command:?}"), code, stdout: Vec::new(), stderr }
}

fn is_reading_standard_input(child: &Child) -> bool {
    let call = fs::read_to_string(format!("/proc/{}/syscall", child.id())).unwrap_or_default();
    // 0 on x86-64, 63 on arm64 and riscv64.
    call.starts_with("0 0x0 ") || call.starts_with("63 0x0 ")
}

#[test]
fn files_that_cannot_be_cloned_are_copied_or_rejected() {
    for shared in Shared::all() {
        let (source, elsewhere) = (shared.directory("source"), Scratch::new());
        fs::write(source.join("file"), noise(1, 1 << 20)).unwrap();
        everyone_reads(&source);
        let disk = elsewhere.join("disk");
        assert_eq!(transfer(&source, &disk, &[])[0], 0);
        let digest = sha256(&disk);
        fs::remove_file(&disk).unwrap();
        let refused = cast(&source, &disk, &["--reflink"]);
        assert_eq!(refused.code, Some(6), "{refused}");
        for words in ["source/file: cannot be cloned into ", "disk: ", "cross-device", "--reflink=auto"] {
            assert!(refused.stderr.contains(words), "{words}: {refused}");
        }
        assert!(!disk.exists());

        let archive = shared.join("archive");
        let Some(mut tar) = judges::command("tar") else { return };
        run(tar.arg("-cf").arg(&archive).arg("-C").arg(&source).args(["--sort=name", "."]))
            .success()
            .unwrap();
        let disk = shared.join("disk");
        let refused = cast(&archive, &disk, &["--reflink=always"]);
        assert_eq!(refused.code, Some(2), "{refused}");
        assert!(refused.stderr.contains("/file: ") && refused.stderr.contains("archive"), "{refused}");
        assert_eq!(transfer(&source, &disk, &["--reflink=always"])[0], 1 << 20);
        assert_eq!(sha256(&disk), digest);
    }
}

#[test]
fn subvolumes_share_and_files_without_copy_on_write_do_not() {
    let Some(shared) = Shared::all().into_iter().find(|shared| shared.kind == "btrfs") else { return };
    let (Some(mut btrfs), Some(mut chattr)) = (judges::command("btrfs"), judges::command("chattr")) else {
        return;
    };
    let source = shared.join("subvolume");
    run(btrfs.args(["subvolume", "create"]).arg(&source)).success().unwrap_or_else(|why| panic!("{why}"));
    assert_ne!(fs::metadata(&source).unwrap().dev(), fs::metadata(&shared.at).unwrap().dev());
    fs::write(source.join("file"), noise(1, 1 << 20)).unwrap();
    everyone_reads(&source);
    let disk = shared.join("disk");
    assert_eq!(transfer(&source, &disk, &[])[0], 1 << 20);

    let fixed: Vec<PathBuf> = (0..3).map(|number| source.join(format!("fixed{number}"))).collect();
    for path in &fixed {
        File::create(path).unwrap();
    }
    run(chattr.arg("+C").args(&fixed)).success().unwrap_or_else(|why| panic!("{why}"));
    for (seed, path) in fixed.iter().enumerate() {
        fs::write(path, noise(seed as u64, (3 << 20) + 7)).unwrap();
    }
    everyone_reads(&source);
    assert_eq!(transfer(&source, &disk, &[])[0], 1 << 20);
    let digest = sha256(&disk);
    assert_eq!(transfer(&source, &disk, &["--reflink=never"])[0], 0);
    assert_eq!(sha256(&disk), digest);
    let refused = cast(&source, &disk, &["--reflink=always"]);
    assert_eq!(refused.code, Some(6), "{refused}");
    assert!(refused.stderr.contains("Invalid argument"), "{refused}");
    assert_eq!(sha256(&disk), digest, "what was there stays");
}

#[test]
fn an_uncompressed_initramfs_shares_aligned_files() {
    for shared in Shared::all() {
        let source = shared.join("source");
        fs::create_dir(&source).unwrap();
        for (seed, len) in [(1, 1 << 20), (2, 100_000), (3, 40_000), (4, 16_000)] {
            fs::write(source.join(seed.to_string()), noise(seed, len)).unwrap();
        }
        let out = shared.directory("out");
        let initrd = |name: &str, arguments: &[&str]| {
            let mut command = rootcast();
            command.arg("initrd").arg(&source).arg("-o").arg(out.join(name));
            command.args(["--init", "none", "--compress", "none", "--json", "-q"]).args(arguments);
            let outcome = run(&mut command).success().unwrap_or_else(|why| panic!("{}: {why}", shared.kind));
            let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
            (report["transfer"]["cloned_bytes"].as_u64().unwrap(), fs::read(out.join(name)).unwrap())
        };
        let (cloned, bytes) = initrd("cloned", &["--align"]);
        // Whole blocks of the three long files.
        assert_eq!(cloned, (1 << 20) + 98_304 + 36_864, "{}", shared.kind);
        let (none, copied) = initrd("copied", &["--align", "--reflink=never"]);
        assert_eq!(none, 0);
        assert!(bytes == copied, "{}: cloning shows in the bytes", shared.kind);
        let (unaligned, _) = initrd("unaligned", &[]);
        assert!(unaligned < cloned, "{}", shared.kind);
    }
}

/// Files of unpacked layers that are not in memory lie at blocks of the unnamed file.
#[test]
fn unpacked_layers_are_shared_with_the_image() {
    let _heavy = judges::heavy();
    for shared in Shared::all() {
        let (layout, out) = (shared.directory("layout"), shared.directory("out"));
        let text =
            |seed, len: usize| String::from_utf8(noise(seed, len).iter().map(|byte| byte & 0x7f).collect());
        let members = [
            Member::file("short", "short"),
            Member::file("long", &text(1, (66 << 20) + 5).expect("ASCII")),
            Member::file("medium", &text(2, 70_000).expect("ASCII")),
        ];
        let layout = Layout::new(layout);
        layout.image(&[Layer::gzip(tar(&members))]);
        let (source, disk) = (std::path::PathBuf::from(oci(&layout.0)), out.join("disk"));
        let digest = run(rootcast().arg("image").arg(&source).arg("--digest"));
        let digest = digest.success().unwrap_or_else(|why| panic!("{why}")).text().trim().to_owned();
        let [cloned, ..] = transfer(&source, &disk, &[]);
        assert_eq!(sha256(&disk), digest, "{}", shared.kind);
        // Files that fit are in memory.
        assert_eq!(cloned, 66 << 20, "{}", shared.kind);
        let [cloned, ..] = transfer(&source, &disk, &["--reflink=never"]);
        assert_eq!((cloned, sha256(&disk)), (0, digest), "{}", shared.kind);
    }
}
