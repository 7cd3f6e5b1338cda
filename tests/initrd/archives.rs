//! `rootcast initrd`: its output as read by other programs, and its messages.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::fixtures::{Fixture, INITRD_DUMP, Item, Kind};
use crate::judges;
use crate::oracle::expected::{self, Sees};
use crate::oracle::{Expected, Owner};
use crate::product::{Outcome, Scratch, rootcast, run};

/// Every codec, and the program that unpacks standard input to standard output.
const CODECS: [(&str, &str, &[&str]); 5] = [
    ("none", "cat", &[]),
    ("gzip", "gzip", &["-dc"]),
    ("zstd", "unzstd", &["-c"]),
    ("lz4", "lz4", &["-d", "-l", "-c"]),
    ("xz", "xz", &["-dc"]),
];

/// The features visible to the programs: an initramfs has no xattrs.
const SEES: Sees = Sees { xattrs: false, ..Sees::EVERYTHING };

pub(super) fn good(command: &mut Command) -> Outcome {
    run(command).success().unwrap_or_else(|why| panic!("{why}"))
}

/// Returns the tree of the dump. Unpacking changes the times of directories, and GNU cpio does not
/// set those of symlinks.
fn expected() -> Expected {
    let mut expected = Expected::from_dump(INITRD_DUMP);
    for file in expected.files.values_mut() {
        if matches!(file.kind, expected::Kind::Directory | expected::Kind::Symlink(_)) {
            file.mtime = None;
        }
    }
    expected
}

/// Runs `rootcast initrd SOURCE -o OUTPUT ARGUMENTS`, which has to succeed.
pub(super) fn initrd(source: &Path, output: &Path, arguments: &[&str]) -> Outcome {
    good(rootcast().arg("initrd").arg(source).arg("-o").arg(output).args(arguments))
}

pub(super) fn check(initrd: &Path, arguments: &[&str]) -> Outcome {
    run(rootcast().arg("check").arg(initrd).args(arguments))
}

#[test]
fn cpio_and_bsdtar_find_the_tree_in_every_output() {
    if !judges::is_root() {
        judges::skip("cpio", "only root makes devices and gives files away");
        return;
    }
    for (codec, unpacker, arguments) in CODECS {
        let scratch = Scratch::new();
        let (source, out) = (scratch.file("tree.dump", INITRD_DUMP), scratch.join("initrd"));
        // Stored segments form an archive of their own before this one, which requires
        // unmkinitramfs.
        let without = ["--remove", "/usr/lib/modules/a.ko.xz", "--compress", codec];
        initrd(&source, &out, &without);
        let Some(mut unpacker) = judges::command(unpacker) else { continue };
        let archive = scratch.file("archive", good(unpacker.args(arguments).arg(&out)).stdout);
        let mut expected = expected();
        expected.files.remove(&b"/usr/lib/modules/a.ko.xz"[..]);
        for (program, script) in
            [("cpio", "cpio -idm --quiet --no-absolute-filenames < \"$0\""), ("bsdtar", "bsdtar -xpf \"$0\"")]
        {
            if judges::command(program).is_none() {
                continue;
            }
            let into = scratch.join(program);
            fs::create_dir(&into).unwrap();
            let mut shell = Command::new("/bin/sh");
            good(shell.arg("-c").arg(script).arg(&archive).current_dir(&into).env("LC_ALL", "C"));
            let found = Expected::from_directory(&into, Owner::Keep);
            expected.compare(&found, SEES).unwrap_or_else(|why| panic!("{codec}, {program}:\n{why}"));
        }
    }
}

#[test]
fn initramfs_tools_find_the_tree_in_every_output() {
    let root = judges::is_root();
    for (codec, ..) in CODECS {
        let scratch = Scratch::new();
        let (source, out) = (scratch.file("tree.dump", INITRD_DUMP), scratch.join("initrd"));
        let microcode = microcode_files(&scratch);
        let more: &[&str] = if codec == "none" { &[] } else { &[&microcode[0], &microcode[1]] };
        initrd(&source, &out, &[&["--compress", codec], more].concat());
        let Some(mut lsinitramfs) = judges::command("lsinitramfs") else { return };
        // Without compression, the two read all of it and then complain about the missing next
        // archive.
        let tolerated = |outcome: Outcome| match codec {
            "none" if outcome.stderr == "cpio: premature end of archive\n" => outcome,
            _ => outcome.success().unwrap_or_else(|why| panic!("{why}")),
        };
        let listed = tolerated(run(lsinitramfs.arg(&out))).stdout;
        let expected = expected();
        for path in expected.files.keys().filter(|path| *path != b"/") {
            let found = listed.split(|byte| *byte == b'\n').any(|line| line == &path[1..]);
            assert!(found, "{codec}: lsinitramfs lists no {}", path.escape_ascii());
        }
        let Some(mut unmkinitramfs) = judges::command("unmkinitramfs").filter(|_| root) else { continue };
        let into = scratch.join("unpacked");
        tolerated(run(unmkinitramfs.arg(&out).arg(&into)));
        // Version 0.142 makes a directory for each archive, and 0.148 one for all that follow the
        // microcode, or none.
        if codec == "none" {
            let early = into.join("early");
            let found = Expected::from_directory(if early.exists() { &early } else { &into }, Owner::Keep);
            expected.compare(&found, SEES).unwrap_or_else(|why| panic!("{codec}:\n{why}"));
            continue;
        }
        let mut rest = expected;
        if into.join("early2").exists() {
            let stored = rest.files.remove(&b"/usr/lib/modules/a.ko.xz"[..]).expect("it is in the dump");
            rest.files.remove(&b"/usr/lib/modules"[..]);
            let found = Expected::from_directory(&into.join("early2"), Owner::Keep);
            assert_eq!(found.files[&b"/usr/lib/modules/a.ko.xz"[..]], stored);
        }
        let found = Expected::from_directory(&into.join("main"), Owner::Keep);
        rest.compare(&found, SEES).unwrap_or_else(|why| panic!("{codec}:\n{why}"));
        let ucode = fs::read(into.join("early/kernel/x86/microcode/GenuineIntel.bin")).unwrap();
        assert_eq!(ucode, INTEL);
    }
}

pub(super) const INTEL: &[u8] = b"\x01\0\0\0of Intel";
pub(super) const AMD: &[u8] = b"DMA\0of AMD";

/// Returns the flags for one file of each vendor.
pub(super) fn microcode_files(scratch: &Scratch) -> [String; 2] {
    [("intel", INTEL), ("amd", AMD)]
        .map(|(name, bytes)| format!("--microcode={}", scratch.file(name, bytes).display()))
}

/// Creates a kernel configuration with these codecs, and returns its path.
fn kernel_config(scratch: &Scratch, name: &str, codecs: &[&str]) -> String {
    let mut text = "# Linux/x86 6.12 Kernel Configuration\nCONFIG_BLK_DEV_INITRD=y\n".to_owned();
    for codec in codecs {
        text += &format!("CONFIG_RD_{codec}=y\n");
    }
    scratch.file(name, text).display().to_string()
}

/// Returns the codec of an initramfs that is only planned.
fn planned_codec(source: &Path, arguments: &[&str]) -> String {
    let mut command = rootcast();
    command.arg("initrd").arg(source).args(["--dry-run", "--json", "-q"]).args(arguments);
    let report: Value = serde_json::from_slice(&good(&mut command).stdout).unwrap();
    report["compression"].as_str().unwrap().to_owned()
}

#[test]
fn the_default_codec_is_one_that_the_kernel_unpacks() {
    let scratch = Scratch::new();
    let source = scratch.file("tree.dump", INITRD_DUMP);
    let codec = |arguments: &[&str]| planned_codec(&source, arguments);
    assert_eq!(codec(&[]), "zstd:3");
    assert_eq!(codec(&["--preset", "kata", "--no-rootfs-check"]), "gzip:6");
    assert_eq!(codec(&["--preset", "kata", "--no-rootfs-check", "--compress", "xz:1"]), "xz:1");
    for (codecs, expected) in [
        (&["GZIP", "ZSTD"][..], "zstd:3"),
        (&["GZIP", "LZ4"], "gzip:6"),
        (&["LZ4", "XZ"], "lz4:9"),
        (&["XZ"], "xz:6"),
        (&["BZIP2", "LZO"], "none"),
        (&[], "none"),
    ] {
        let config = kernel_config(&scratch, "config", codecs);
        assert_eq!(codec(&["--kernel-config", &config]), expected, "{codecs:?}");
    }
    let all = kernel_config(&scratch, "config", &["GZIP", "ZSTD"]);
    assert_eq!(codec(&["--kernel-config", &all, "--preset", "kata", "--no-rootfs-check"]), "gzip:6");
    // The configuration within a kernel, as CONFIG_IKCONFIG puts it.
    let Some(mut gzip) = judges::command("gzip") else { return };
    let packed = good(gzip.arg("-c").arg(kernel_config(&scratch, "inner", &["XZ"]))).stdout;
    let kernel = [b"\x7fELF...IKCFG_ST", &packed[..], b"IKCFG_ED..."].concat();
    let kernel = scratch.file("vmlinux", kernel).display().to_string();
    assert_eq!(codec(&["--kernel", &kernel]), "xz:6");
}

/// The kernels of a preset's users may differ from Kata's own, so an unsupported codec is a
/// warning, unless the kernel is known.
#[test]
fn a_codec_that_kernels_of_the_preset_lack_is_a_warning() {
    let scratch = Scratch::new();
    let source = scratch.file("tree.dump", INITRD_DUMP);
    let all = kernel_config(&scratch, "config", &["GZIP", "ZSTD"]);
    let warns = |arguments: &[&str]| {
        let mut command = rootcast();
        command
            .arg("initrd")
            .arg(&source)
            .args(["--dry-run", "-q", "--preset", "kata", "--no-rootfs-check"])
            .args(arguments);
        good(&mut command)
            .stderr
            .contains("Kata's own kernels do not unpack zstd: use --compress gzip or none")
    };
    assert!(warns(&["--compress", "zstd"]));
    for quiet in [
        &["--compress", "zstd", "--kernel-config", &all][..],
        &["--compress", "gzip"],
        &["--compress", "none"],
    ] {
        assert!(!warns(quiet), "{quiet:?}");
    }
}

/// The magic number of an appended file shows its codec.
#[test]
fn an_appended_file_that_kernels_of_the_preset_cannot_unpack_is_a_warning() {
    let scratch = Scratch::new();
    let source = scratch.file("tree.dump", INITRD_DUMP);
    let all = kernel_config(&scratch, "config", &["GZIP", "ZSTD"]);
    let small =
        scratch.file("small.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/init 3 100755 1 0 0 0 0.0 - two -\n");
    let foreign = |codec: &str| {
        let path = scratch.join(format!("foreign.{codec}"));
        initrd(&small, &path, &["--init", "none", "--compress", codec, "-q"]);
        path.display().to_string()
    };
    let warns_of = |appended: &str, arguments: &[&str]| {
        let mut command = rootcast();
        command.arg("initrd").arg(&source).args(["--dry-run", "-q", "--append", appended]).args(arguments);
        let warning =
            format!("{appended}: Kata's own kernels do not unpack zstd: append what is compressed with");
        good(&mut command).stderr.contains(&warning)
    };
    let zstd = foreign("zstd");
    assert!(warns_of(&zstd, &["--preset", "kata", "--no-rootfs-check"]));
    assert!(!warns_of(&zstd, &[]));
    assert!(!warns_of(&zstd, &["--preset", "kata", "--no-rootfs-check", "--kernel-config", &all]));
    for codec in ["gzip", "none"] {
        assert!(!warns_of(&foreign(codec), &["--preset", "kata", "--no-rootfs-check"]), "{codec}");
    }
}

#[test]
fn unsupported_metadata_is_reported_with_counts() {
    let dump = "/ 0 40755 2 0 0 0 0.0 - - -\n\
        /init 2 100755 1 0 0 0 0.5 - #! - security.capability=x user.a=1\n\
        /ping 0 100755 1 0 0 0 0.0 - - - security.capability=x\n\
        /s 4 120777 2 0 0 0 0.0 init - -\n/t 4 @120777 2 0 0 0 0.0 /s - -\n";
    let scratch = Scratch::new();
    let source = scratch.file("tree.dump", dump);
    let mut command = rootcast();
    let outcome = good(command.arg("initrd").arg(source).args(["--init", "none", "--dry-run", "--json"]));
    let warnings = [
        "1 file loses that several names are one symlink",
        "2 files lose capabilities, which an initramfs cannot store; the first is /init",
        "1 file loses xattr user.a",
    ];
    for warning in warnings {
        assert!(outcome.stderr.contains(warning), "no \"{warning}\": {outcome}");
    }
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(report["warnings"].as_array().unwrap().len(), warnings.len());
    let count = |what: &str| {
        let all = report["exclusions"].as_array().unwrap();
        all.iter().find(|one| one["what"] == what).map(|one| one["count"].clone())
    };
    assert_eq!(count("capabilities"), Some(2.into()));
    assert_eq!(count("fractions of seconds of times"), Some(1.into()));
}

#[test]
fn a_check_reports_the_rule_and_the_offset() {
    let scratch = Scratch::new();
    let (source, out) = (scratch.file("tree.dump", INITRD_DUMP), scratch.join("initrd"));
    initrd(&source, &out, &["--compress", "none", "--checksums"]);
    let good = fs::read(&out).unwrap();
    let accepted = check(&out, &[]);
    assert_eq!((accepted.code, accepted.stderr.as_str()), (Some(0), ""), "{accepted}");
    assert!(accepted.text().contains("a kernel accepts it; entries: 21, members: 1"), "{accepted}");

    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let content = good.windows(11).position(|window| window == b"!/bin/false").unwrap();
    let zstd = [b"\x28\xb5\x2f\xfd".as_slice(), &[0; 20]].concat();
    for (rule, bytes) in [
        ("cpio-magic", changed(5, b'7')),
        ("checksum", changed(content, b'?')),
        ("truncated", good[..good.len() / 2].to_vec()),
        ("alignment", [b"\0", &good[..]].concat()),
        ("corrupt", zstd),
        ("lz4-frame", b"\x04\x22\x4d\x18rest of it".to_vec()),
    ] {
        let found = check(&scratch.file("bad", bytes), &[]);
        assert_eq!(found.code, Some(1), "{rule}: {found}");
        assert!(found.text().contains(&format!("error [{rule}] at byte ")), "{rule}: {found}");
        assert!(found.stderr.contains("/bad: a kernel would not accept all of it: 1 error"), "{found}");
    }
    // The kernel is known not to support it.
    initrd(&source, &out, &["--compress", "xz"]);
    let config = scratch.file("config", "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\n");
    let found = check(&out, &["--kernel-config", config.to_str().unwrap()]);
    assert_eq!(found.code, Some(1));
    assert!(found.text().contains("error [configured]"), "{found}");
}

#[test]
fn a_check_reads_standard_input() {
    let scratch = Scratch::new();
    let (source, out) = (scratch.file("tree.dump", INITRD_DUMP), scratch.join("initrd"));
    initrd(&source, &out, &["--compress", "gzip"]);
    let mut command = rootcast();
    command.args(["check", "-"]).stdin(fs::File::open(&out).unwrap());
    let outcome = good(&mut command);
    assert!(outcome.text().starts_with("-: a kernel accepts it"), "{outcome}");
}

#[test]
fn a_signal_ends_the_run_and_leaves_no_file() {
    let scratch = Scratch::new();
    let (source, out) = (scratch.join("source"), scratch.join("out"));
    fs::create_dir(&source).unwrap();
    // The files are holes: compressing all of this takes minutes.
    fs::File::create(source.join("long")).unwrap().set_len(u64::from(u32::MAX)).unwrap();
    fs::create_dir(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).unwrap();
    for codec in ["xz:9", "zstd:19", "gzip:12"] {
        let mut command = rootcast();
        command.arg("initrd").arg(&source).arg("-o").arg(out.join("initrd"));
        command.args(["--init", "none", "--compress", codec, "-j", "2"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        sleep(Duration::from_millis(500));
        let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success(), "{codec} was done already");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "{codec} left a file");
    }
}

#[test]
fn a_cache_avoids_compressing_again() {
    let scratch = Scratch::new();
    let (source, out, cache) = (scratch.join("source"), scratch.join("initrd"), scratch.join("cache"));
    let pattern: Vec<u8> = (0..300_000_usize).map(|at| (at / 3).to_le_bytes()[0]).collect();
    let mut items = vec![Item::new("", Kind::Directory)];
    items.extend((0..40).map(|number| Item::new(format!("{number}"), Kind::File(pattern.clone()))));
    Fixture { items }.make(&source);
    let use_of = |name: &Path| {
        let arguments = ["--init", "none", "--compress", "gzip:1", "--json", "--cache"];
        let arguments = [&arguments[..], &[cache.to_str().unwrap()]].concat();
        let outcome = initrd(&source, name, &arguments);
        let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
        let bytes = fs::read(name).unwrap();
        (report["cache"]["hits"].as_u64().unwrap(), report["cache"]["misses"].as_u64().unwrap(), bytes)
    };
    let (cold_hits, pieces, cold) = use_of(&out);
    assert!(cold_hits == 0 && pieces > 3, "{pieces}");
    let (hits, misses, warm) = use_of(&out);
    assert_eq!((hits, misses), (pieces, 0));
    assert!(warm == cold);
    fs::write(source.join("20"), "changed").unwrap();
    let (hits, misses, changed) = use_of(&out);
    assert!(hits > 0 && (1..=2).contains(&misses), "{misses} of {pieces}");
    assert!(changed != cold);
}

/// Returns the paths of the schemas of both reports.
fn schema(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report").join(name)
}

fn judge_json(scratch: &Scratch, schema: &Path, json: &[u8]) -> Value {
    let value = serde_json::from_slice(json).unwrap();
    if let Some(mut jsonschema) = judges::command("jsonschema") {
        good(jsonschema.arg("-i").arg(scratch.file("report.json", json)).arg(schema));
    }
    value
}

#[test]
fn reports_match_their_schemas() {
    let scratch = Scratch::new();
    let (source, out) = (scratch.file("tree.dump", INITRD_DUMP), scratch.join("initrd"));
    let output = ["-o", out.to_str().unwrap()];
    let cache = scratch.join("cache");
    for how in [&output[..], &["--digest"], &["--dry-run"]] {
        for (codec, more) in [
            ("none", &["--align"][..]),
            ("zstd", &["--cache", cache.to_str().unwrap()]),
            ("gzip", &["--append", source.to_str().unwrap()]),
        ] {
            let foreign = scratch.join("foreign");
            initrd(&source, &foreign, &["--compress", "xz", "-q"]);
            let more: Vec<&str> =
                more.iter()
                    .map(|argument| {
                        if *argument == source.to_str().unwrap() {
                            foreign.to_str().unwrap()
                        } else {
                            argument
                        }
                    })
                    .collect();
            let mut command = rootcast();
            command
                .arg("initrd")
                .arg(&source)
                .args(how)
                .args(["--compress", codec, "--json", "-q"])
                .args(more);
            let report = judge_json(&scratch, &schema("initrd.schema.json"), &good(&mut command).stdout);
            assert_eq!(report["written"], how == output);
            assert_eq!(report["sha256"].is_string(), how == ["--digest"]);
            assert_eq!(report["cache"].is_object(), codec == "zstd" && how != ["--dry-run"]);
            assert_eq!(report["size"].is_null(), how == ["--dry-run"] && codec != "none");
            if how == output {
                assert_eq!(report["size"], fs::metadata(&out).unwrap().len());
                let found = check(&out, &["--json"]);
                let checked = judge_json(&scratch, &schema("check.schema.json"), &found.stdout);
                assert_eq!(checked["accepted"], true);
            }
        }
    }
    let found = check(&source, &["--json"]);
    let checked = judge_json(&scratch, &schema("check.schema.json"), &found.stdout);
    assert_eq!((found.code, &checked["accepted"]), (Some(1), &false.into()));
    assert_eq!(checked["findings"][0]["rule"], "magic");
}
