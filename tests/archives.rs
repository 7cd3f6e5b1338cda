//! `rootcast tar`: the same tree again, the same bytes every time, and what other programs read.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fixtures::{EVERY_KIND_DUMP, small};
use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

fn good(command: &mut std::process::Command) -> Outcome {
    run(command).success().unwrap_or_else(|why| panic!("{why}"))
}

/// Creates a directory with a dump of every kind of file, and a directory with holes, links and
/// long files; returns the sources and the flags that they need.
fn sources() -> (Scratch, [(PathBuf, &'static str); 2]) {
    let scratch = Scratch::new();
    let dump = scratch.file("every-kind", EVERY_KIND_DUMP);
    let directory = scratch.join("directory");
    small::small().make(&directory);
    let bytes: Vec<u8> =
        (0..5_000_000_u32).map(|at| (at / 9).wrapping_mul(0x9e37_79b9).to_le_bytes()[3]).collect();
    fs::write(directory.join("long"), bytes).unwrap();
    let sparse = fs::File::create(directory.join("with a hole")).unwrap();
    sparse.set_len(3 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, &[b'x'; 4096], 1 << 20).unwrap();
    let sources = [(dump, "--remove /run/socket"), (directory, "--remove /links/socket")];
    (scratch, sources)
}

fn digest(verb: &str, source: &Path, arguments: &str) -> String {
    let mut command = rootcast();
    command.arg(verb).arg(source).arg("--digest").args(arguments.split_whitespace());
    good(&mut command).text().trim_end().to_owned()
}

fn make(source: &Path, output: &Path, arguments: &str) {
    let mut command = rootcast();
    good(command.arg("tar").arg(source).arg("-o").arg(output).args(arguments.split_whitespace()));
}

#[test]
fn the_image_of_an_archive_is_that_of_its_source() {
    let (scratch, sources) = sources();
    for (source, flags) in sources {
        let flags = format!("{flags} --owner 7:8");
        let expected = digest("image", &source, &flags);
        for codec in ["none", "gzip:1", "zstd:1"] {
            let archive = scratch.join("archive");
            make(&source, &archive, &format!("{flags} --compress {codec}"));
            assert_eq!(digest("image", &archive, ""), expected, "{} {codec}", source.display());
        }
        let archive = scratch.join("archive");
        make(&source, &archive, &flags);
        assert_eq!(digest("tar", &archive, ""), digest("tar", &source, &flags), "an archive of the archive");
    }
}

#[test]
fn holes_take_no_room_unless_that_is_requested() {
    let (scratch, [_, (source, flags)]) = sources();
    let len = |sparse: &str| {
        let archive = scratch.join("archive");
        make(&source, &archive, &format!("{flags} {sparse}"));
        fs::metadata(archive).unwrap().len()
    };
    let (auto, never) = (len(""), len("--sparse never"));
    assert!(auto + (2 << 20) < never, "{auto} and {never} bytes");
    assert!(len("--sparse always") <= auto);
}

#[test]
fn bytes_of_archives_do_not_depend_on_threads_or_output() {
    let (scratch, [_, (source, flags)]) = sources();
    for codec in ["none", "gzip", "zstd", "zstd:12"] {
        let flags = format!("{flags} --compress {codec}");
        let one = digest("tar", &source, &format!("{flags} -j 1"));
        for jobs in ["2", "7"] {
            assert_eq!(digest("tar", &source, &format!("{flags} -j {jobs}")), one, "{codec} -j {jobs}");
        }
        let archive = scratch.join("archive");
        make(&source, &archive, &flags);
        let mut command = rootcast();
        command.arg("tar").arg(&source).args(flags.split_whitespace()).args(["-o", "-"]);
        let streamed = good(&mut command).stdout;
        assert!(fs::read(&archive).unwrap() == streamed, "{codec}");
        let Some(mut sha256sum) = judges::command("sha256sum") else { return };
        assert!(good(sha256sum.arg(&archive)).text().starts_with(&one), "{codec}");
    }
}

/// Digests of the archive of [`EVERY_KIND_DUMP`]. Other bytes need another name of the layout.
const PINNED: [(&str, &str); 3] = [
    ("", "e5b08519c7a3203f8b6d0a9e52064c865b5f0fefeb50771a3a68242ace3ea0f6"),
    ("--compress gzip", "b015b93a9dbf954ba398217eb3faa2f75991d95ea00ca627f699ee9399aa4f6a"),
    ("--compress zstd", "22819daab0c057c6bb8b4e16694d8f5d715d5029c4342aaf29c834c75164fee2"),
];

#[test]
fn archives_have_their_pinned_digests() {
    let (_scratch, [(source, flags), _]) = sources();
    let mut wrong = Vec::new();
    for (arguments, expected) in PINNED {
        let found = digest("tar", &source, &format!("{flags} {arguments}"));
        if found != expected {
            wrong.push(format!("(\"{arguments}\", \"{found}\"),"));
        }
    }
    assert!(wrong.is_empty(), "found\n{}", wrong.join("\n"));
}

#[test]
fn other_programs_list_compressed_archives() {
    let (scratch, [_, (source, flags)]) = sources();
    let mut lists = Vec::new();
    for (codec, program) in [("none", "cat"), ("gzip", "gzip"), ("zstd", "zstd")] {
        let archive = scratch.join(codec);
        make(&source, &archive, &format!("{flags} --compress {codec}"));
        let (Some(mut unpack), Some(mut tar)) = (judges::command(program), judges::command("tar")) else {
            return;
        };
        let unpacked = match codec {
            "none" => fs::read(&archive).unwrap(),
            _ => good(unpack.args(["-dc"]).arg(&archive)).stdout,
        };
        let plain = scratch.file("plain.tar", unpacked);
        lists.push(good(tar.args(["--numeric-owner", "-tvf"]).arg(plain)).text());
    }
    assert!(lists[0].lines().count() > 20 && lists.iter().all(|list| *list == lists[0]));
}

#[test]
fn reports_of_archives_match_their_schema() {
    let (scratch, [(source, flags), _]) = sources();
    let out = scratch.join("out");
    let to_file = ["-o", out.to_str().unwrap()];
    for codec in ["none", "gzip:3"] {
        for how in [&to_file[..], &["--digest"], &["--dry-run"]] {
            let mut command = rootcast();
            command.arg("tar").arg(&source).args(flags.split_whitespace());
            let json = good(command.args(["--json", "-q", "--compress", codec]).args(how)).stdout;
            let report: Value = serde_json::from_slice(&json).unwrap();
            if let Some(mut jsonschema) = judges::command("jsonschema") {
                let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/tar.schema.json");
                good(jsonschema.arg("-i").arg(scratch.file("report.json", &json)).arg(schema));
            }
            assert_eq!(report["compression"], codec);
            assert_eq!(report["written"], how == to_file);
            assert_eq!(report["sha256"].is_string(), how == ["--digest"]);
            assert_eq!(report["size"].is_null(), how == ["--dry-run"] && codec != "none");
            if how == to_file {
                assert_eq!(report["size"], fs::metadata(&out).unwrap().len());
            }
        }
    }
}

#[test]
fn what_an_archive_cannot_hold_is_refused_with_the_flag_that_helps() {
    let (scratch, [(source, _), _]) = sources();
    let mut command = rootcast();
    let outcome = run(command.arg("tar").arg(&source).arg("-o").arg(scratch.join("out")));
    assert_eq!(outcome.code, Some(3), "{outcome}");
    for words in ["cannot hold /run/socket", "it is a socket", "--remove /run/socket"] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
    assert!(!scratch.join("out").exists());
    let outcome = run(rootcast().arg("tar").arg(&source).args(["--digest", "--compress", "xz"]));
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("\"xz\" is not none, gzip or zstd"), "{outcome}");
}
