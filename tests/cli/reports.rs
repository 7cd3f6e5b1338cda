//! The output of the program: JSON by its schema, the plan as text, manual pages and completions.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::fixtures::{EVERY_KIND_DUMP, MINIMAL_DUMP};
use crate::judges;
use crate::oracle::Volume;
use crate::oracle::kernel::{Access, Mount};
use crate::product::{Outcome, Scratch, rootcast, run};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/image.schema.json");

/// Runs `rootcast image SOURCE ARGUMENTS --json` and validates the output by the schema.
fn report(scratch: &Scratch, dump: &str, arguments: &[&str]) -> Value {
    let source = scratch.file("tree.dump", dump);
    let outcome = run(rootcast().arg("image").arg(source).args(arguments).arg("--json").arg("-q"));
    let outcome = outcome.success().unwrap_or_else(|why| panic!("{why}"));
    let value: Value =
        serde_json::from_slice(&outcome.stdout).unwrap_or_else(|why| panic!("{why}: {outcome}"));
    check_schema(scratch, &value).unwrap_or_else(|why| panic!("{why}"));
    value
}

fn check_schema(scratch: &Scratch, value: &Value) -> Result<(), Outcome> {
    let Some(mut jsonschema) = judges::command("jsonschema") else { return Ok(()) };
    let instance = scratch.file("report.json", value.to_string());
    let outcome = run(jsonschema.arg("-i").arg(instance).arg(SCHEMA));
    if outcome.code == Some(0) { Ok(()) } else { Err(outcome) }
}

#[test]
fn reports_match_their_schema() {
    let scratch = Scratch::new();
    let out = scratch.join("disk.img");
    let to_file = ["-o", out.to_str().unwrap()];
    for layout in ["gpt", "mbr", "bare"] {
        for how in [&to_file[..], &["--digest"], &["--dry-run"]] {
            let arguments = [how, &["--layout", layout, "--label", "a label"]].concat();
            let report = report(&scratch, EVERY_KIND_DUMP, &arguments);
            assert_eq!(report["layout"], layout);
            assert_eq!(report["filesystem"]["label"], "a label");
            assert_eq!(report["written"], how == to_file);
            assert_eq!(report["sha256"].is_string(), how == ["--digest"]);
            assert_eq!(report["partition"].is_null(), layout == "bare");
            check_ranges(&report);
            assert_eq!(report["transfer"].is_object(), how == to_file);
            if how == to_file {
                assert_eq!(report["size"], fs::metadata(&out).unwrap().len());
                fs::remove_file(&out).unwrap();
            }
            assert!(!out.exists());
        }
    }
}

fn check_ranges(report: &Value) {
    let mut end = 0;
    for range in report["ranges"].as_array().unwrap() {
        assert_eq!(range["offset"].as_u64(), Some(end), "{report}");
        end += range["length"].as_u64().unwrap();
    }
    assert_eq!(report["size"].as_u64(), Some(end), "{report}");
}

#[test]
fn schemas_reject_invalid_reports() {
    let scratch = Scratch::new();
    if judges::command("jsonschema").is_none() {
        return;
    }
    let good = report(&scratch, MINIMAL_DUMP, &["--dry-run"]);
    let fields = [
        ("size", Value::from(-1)),
        ("report_version", 2.into()),
        ("layout", "floppy".into()),
        ("surprise", true.into()),
    ];
    for (field, value) in fields {
        let mut bad = good.clone();
        bad[field] = value;
        check_schema(&scratch, &bad).expect_err(field);
    }
}

#[test]
fn reports_agree_with_other_programs() {
    let scratch = Scratch::new();
    let out = scratch.join("root.ext4");
    let report = report(&scratch, EVERY_KIND_DUMP, &["-o", out.to_str().unwrap(), "--layout", "bare"]);
    let Some(mut dumpe2fs) = judges::command("dumpe2fs") else { return };
    let text = run(dumpe2fs.arg("-h").arg(&out)).success().unwrap_or_else(|why| panic!("{why}")).text();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {name}: {text}")).trim().to_owned()
    };
    let filesystem = &report["filesystem"];
    assert_eq!(filesystem["uuid"], field("Filesystem UUID"));
    for (ours, theirs) in [
        ("blocks", "Block count"),
        ("free_blocks", "Free blocks"),
        ("inodes", "Inode count"),
        ("free_inodes", "Free inodes"),
        ("block_size", "Block size"),
    ] {
        assert_eq!(filesystem[ours].to_string(), field(theirs), "{ours}");
    }
}

/// The kernel withholds blocks, and the profile reserves some for root: the free space is the
/// requested and reported one.
#[test]
fn the_reported_free_space_can_be_written() {
    const ASKED: u64 = 16 << 20;
    let scratch = Scratch::new();
    let out = scratch.join("root.ext4");
    let flags = ["-o", out.to_str().unwrap(), "--layout", "bare", "--profile", "rw", "--free", "16M"];
    let report = report(&scratch, EVERY_KIND_DUMP, &flags);
    let filesystem = &report["filesystem"];
    let number = |field: &str| filesystem[field].as_u64().unwrap();
    let available = number("available_blocks");
    assert!(available * number("block_size") >= ASKED && available < number("free_blocks"), "{filesystem}");

    let mut dry_run = rootcast();
    dry_run.arg("image").arg(scratch.join("tree.dump")).args(flags).arg("--dry-run");
    let text = run(&mut dry_run).success().unwrap_or_else(|why| panic!("{why}")).text();
    let line = format!("  available    {available} blocks, {} bytes ", available * number("block_size"));
    assert!(text.contains(&line), "no \"{line}\" in {text}");

    if !judges::may_mount() {
        return;
    }
    let Some(mount) = Mount::new(&Volume::new(&out, None), Access::ReadWrite).unwrap() else { return };
    let mut stat = std::process::Command::new("stat");
    stat.args(["-f", "-c", "%a %d"]).arg(mount.path());
    let seen = run(&mut stat).success().unwrap_or_else(|why| panic!("{why}")).text();
    assert_eq!(seen.trim(), format!("{available} {}", number("free_inodes")));
    mount.unmount().unwrap();
}

#[test]
fn warnings_and_exclusions_are_in_the_report() {
    let dump = "/ 0 40755 2 0 0 0 0.0 - - - security.evm=x\n/a 0 100644 1 0 0 0 0.0 - - -\n";
    let scratch = Scratch::new();
    let contexts = scratch.file("file_contexts", "/ u:r:t\n/lost\\+found u:r:l\n");
    let arguments = ["--dry-run", "--file-contexts", contexts.to_str().unwrap()];
    let report = report(&scratch, dump, &arguments);
    assert_eq!(report["exclusions"][0]["what"], "xattr security.evm");
    assert_eq!(report["exclusions"][0]["count"], 1);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("security.evm") && warnings.contains("do not cover 1 file,"), "{warnings}");
}

#[test]
fn the_printed_digest_matches_the_report() {
    let scratch = Scratch::new();
    let report = report(&scratch, MINIMAL_DUMP, &["--digest"]);
    let outcome = run(rootcast().arg("image").arg(scratch.join("tree.dump")).arg("--digest"));
    assert_eq!(outcome.text().trim_end(), report["sha256"].as_str().unwrap());
}

#[test]
fn every_verb_has_a_manual_page() {
    let scratch = Scratch::new();
    let directory = scratch.join("man");
    run(rootcast().arg("man").arg(&directory)).success().unwrap_or_else(|why| panic!("{why}"));
    for (page, words) in [
        ("rootcast.1", &[".TH ROOTCAST 1", "image", "tree", "completions", "\"EXIT CODES\""][..]),
        ("rootcast-image.1", &["dry\\-run", "file\\-contexts", "layout", ".SH EXAMPLES", ".SH FILESYSTEM"]),
        ("rootcast-initrd.1", &["compress", "kernel\\-config", "microcode", ".SH EXAMPLES", ".SH OUTPUT"]),
        (
            "rootcast-check.1",
            &["FILE", "kernel\\-config", ".SH EXAMPLES", ".SH INPUT", ".SH \"KERNEL AND GUEST\""],
        ),
        ("rootcast-root-hash.1", &["FILE", "hash\\-offset", ".SH EXAMPLES", ".SH \"HASH TREE (DM-VERITY)\""]),
        ("rootcast-tree.1", &["SOURCE", "basedir", ".SH EXAMPLES", ".SH INPUT", ".SH GENERAL"]),
        ("rootcast-closure.1", &["why", "keep\\-unit", ".SH EXAMPLES", ".SH \"KEEPING A PART OF THE TREE\""]),
        ("rootcast-recipe.1", &["import\\-dracut", "show", ".SH EXAMPLES", "my.toml"]),
        ("rootcast-depmod.1", &["modules.dep", "kmod 30", ".SH EXAMPLES", ".SH OUTPUT"]),
        ("rootcast-resolve.1", &["mmdebstrap", "RELEASE", ".SH EXAMPLES"]),
        ("rootcast-fetch.1", &["RELEASE", ".SH EXAMPLES"]),
        ("rootcast-kata-rootfs.1", &["kata\\-agent", "rootfs.sh", ".SH EXAMPLES"]),
        ("rootcast-completions.1", &["SHELL", ".SH EXAMPLES"]),
        ("rootcast-man.1", &["DIR", ".SH EXAMPLES"]),
    ] {
        let text = fs::read_to_string(directory.join(page)).unwrap_or_else(|why| panic!("{page}: {why}"));
        for word in words {
            assert!(text.contains(word), "{page} does not say {word}:\n{text}");
        }
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 16);
}

#[test]
fn shells_accept_the_completions() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome =
            run(rootcast().args(["completions", shell])).success().unwrap_or_else(|why| panic!("{why}"));
        assert!(outcome.text().contains("file-contexts"), "{shell}");
        if shell == "bash" && Path::new("/bin/bash").exists() {
            let script = scratch.file("completions", &outcome.stdout);
            let check = run(std::process::Command::new("/bin/bash").arg("-n").arg(script));
            check.success().unwrap_or_else(|why| panic!("{why}"));
        }
    }
}
