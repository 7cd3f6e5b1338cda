//! Names with control characters for terminals: messages, listings and JSON escape them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

const EVIL: &str = "evil\x1b[31m\nrootcast: warning: forged";
const ESCAPED: &str = r"evil\x1b[31m\nrootcast: warning: forged";

/// Returns the outcome of a command whose messages must name [`EVIL`] without a line break or a
/// control character.
fn names_evil(arguments: &[&OsStr]) -> Outcome {
    let outcome = run(rootcast().args(arguments));
    let stderr = &outcome.stderr;
    assert!(stderr.contains(ESCAPED), "{outcome:?}");
    let is_raw = |character: char| character.is_control() && character != '\n';
    assert!(!stderr.contains(is_raw), "{outcome:?}");
    assert!(!stderr.lines().any(|line| line == "rootcast: warning: forged"), "{outcome:?}");
    outcome
}

#[test]
fn names_cannot_forge_lines_of_messages() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    fs::create_dir(&source).unwrap();
    let evil = source.join(EVIL);
    fs::write(&evil, "secret").unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o000)).unwrap();
    let (tree, source, out) = (OsStr::new("tree"), source.as_os_str(), scratch.join(EVIL).join("out"));

    names_evil(&[tree, source]);
    let skipped = names_evil(&[tree, source, "--unreadable=skip".as_ref()]);
    assert_eq!(skipped.code, Some(0), "{skipped:?}");
    names_evil(&[tree, scratch.join(EVIL).as_os_str()]);
    let add = |path: &Path| [path.as_os_str().as_bytes(), b":/x"].concat();
    names_evil(&[
        tree,
        source,
        "--unreadable=skip".as_ref(),
        "--add".as_ref(),
        OsStr::from_bytes(&add(&out)),
    ]);
    names_evil(&[tree, source, "--file-contexts".as_ref(), out.as_os_str()]);
    names_evil(&[tree, source, "--recipe".as_ref(), out.as_os_str()]);
    names_evil(&[tree, source, "--owner".as_ref(), OsStr::new(EVIL)]);
    names_evil(&["initrd".as_ref(), "--check".as_ref(), out.as_os_str()]);
    let image = OsStr::new("image");
    names_evil(&[image, source, "--unreadable=empty".as_ref(), "-o".as_ref(), out.as_os_str()]);
    let file = scratch.join(EVIL);
    let made = [image, source, "--unreadable=empty".as_ref(), "-v".as_ref(), "-o".as_ref(), file.as_os_str()];
    let made = names_evil(&made);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stderr.contains(&format!("{ESCAPED}: ")), "the summary names the output: {made:?}");
}

#[test]
fn names_in_other_scripts_stay_readable() {
    let scratch = Scratch::new();
    for name in ["été", "日本語", "e\u{301}"] {
        let outcome = run(rootcast().arg("tree").arg(scratch.join(name)));
        assert!(outcome.stderr.contains(name), "{outcome}");
    }
    let outcome = run(rootcast().arg("tree").arg(scratch.join("\u{202e}gpj.exe")));
    assert!(outcome.stderr.contains(r"\xe2\x80\xaegpj.exe"), "{outcome}");
}

/// Creates a tree of three files in `/d` with names that listings have to escape, and one in
/// French.
fn strange_tree(scratch: &Scratch) -> std::path::PathBuf {
    let source = scratch.join("strange");
    fs::create_dir_all(source.join("d")).unwrap();
    for name in [&b"a\nb"[..], br"a\nb", b"bad\xff\xfe", "été".as_bytes()] {
        fs::write(source.join("d").join(OsStr::from_bytes(name)), "").unwrap();
    }
    source
}

#[test]
fn a_closure_lists_one_path_per_line_or_nul() {
    let scratch = Scratch::new();
    let source = strange_tree(&scratch);
    let closure = |arguments: &[&str]| {
        let outcome = run(rootcast().arg("closure").arg(&source).args(["--keep", "/d"]).args(arguments));
        outcome.success().unwrap_or_else(|why| panic!("{why}")).stdout
    };
    let lines = "/d\n/d/a\\nb\n/d/a\\\\nb\n/d/bad\\xff\\xfe\n/d/été\n";
    assert_eq!(String::from_utf8(closure(&[])).unwrap(), lines);
    let raw = [&b"/d"[..], b"/d/a\nb", br"/d/a\nb", b"/d/bad\xff\xfe", "/d/été".as_bytes(), b""].join(&0);
    assert_eq!(closure(&["-0"]), raw);
    assert_eq!(closure(&["--null"]), raw);
    let outcome = run(rootcast().arg("closure").arg(&source).args(["--keep", "/d", "-0", "--json"]));
    assert_eq!(outcome.code, Some(2), "{outcome}");
}

/// Validates a report by `schema`, a file of `src/report`.
fn judge(scratch: &Scratch, schema: &str, report: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(report).expect("JSON");
    if let Some(mut jsonschema) = judges::command("jsonschema") {
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report").join(schema);
        let instance = scratch.file("report.json", report);
        run(jsonschema.arg("-i").arg(instance).arg(schema)).success().unwrap_or_else(|why| panic!("{why}"));
    }
    value
}

#[test]
fn names_that_are_not_utf8_are_lossless_in_json() {
    let scratch = Scratch::new();
    let source = strange_tree(&scratch);
    let report = |arguments: &[&OsStr]| {
        let outcome = run(rootcast().args(arguments).arg("--json"));
        outcome.success().unwrap_or_else(|why| panic!("{why}")).stdout
    };
    let closure = report(&["closure".as_ref(), source.as_os_str(), "--keep".as_ref(), "/d".as_ref()]);
    let closure = judge(&scratch, "closure.schema.json", &closure);
    let paths: Vec<&Value> = closure["kept"].as_array().unwrap().iter().map(|kept| &kept["path"]).collect();
    let hex = serde_json::json!({ "hex": "2f642f626164fffe" });
    assert_eq!(paths[1..], [&"/d/a\nb".into(), &"/d/a\\nb".into(), &hex, &Value::from("/d/été")]);

    let renamed = scratch.join(OsStr::from_bytes(b"source\xff"));
    fs::rename(&source, &renamed).unwrap();
    let image = report(&["image".as_ref(), renamed.as_os_str(), "--dry-run".as_ref()]);
    let image = judge(&scratch, "image.schema.json", &image);
    let shown = image["sources"][0]["hex"].as_str().unwrap();
    assert!(shown.ends_with("736f75726365ff"), "{shown}");
    let arguments = ["initrd", "--init=none", "--digest"].map(OsStr::new);
    let initrd = report(&[&arguments[..], &[renamed.as_os_str()]].concat());
    let initrd = judge(&scratch, "initrd.schema.json", &initrd);
    assert_eq!(initrd["sources"][0]["hex"], shown);
}
