//! Recipes: files of flags.

use std::fs;
use std::os::unix::fs::symlink;

use rootcast::recipe::shipped::SHIPPED;
use serde_json::Value;

use super::case::{Case, USAGE, bad, check_all, good};
use super::inputs;
use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

const CASES: &[Case] = &[
    good("initrd --recipe {scratch}/initrd.toml -o {out} -q --mode 600", &[]),
    // Recipes; flags on the command line take precedence, and their edits come after.
    good("tree --recipe {scratch}/recipe.toml", &["/from-recipe 0 40700 2 3 4 "]),
    good("tree --recipe {scratch}/recipe.toml --mkdir /from-recipe:0711", &["/from-recipe 0 40711 2 3 4 "]),
    good("tree {source} --recipe {scratch}/sourceless.toml", &["/small ", "/from-recipe "]),
    good("image {source} --recipe {scratch}/image.toml -o {out}", &[]),
    good("image {source} --recipe {scratch}/image.toml -o {out} --size 16M", &[]),
    good(
        "image {source} --recipe {scratch}/measured.toml --dry-run --json",
        &["\"salt\": \"00ff\"", "\"data_block_size\": 1024", "\"layout\": \"kata\""],
    ),
    good("tree {dump} --recipe {scratch}/keep.toml", &["/etc/hostname "]),
    bad(USAGE, "tree {source} --recipe {scratch}/no-such-recipe", &["no-such-recipe"]),
    bad(
        USAGE,
        "tree {source} --recipe {scratch}/unknown.toml",
        &["unknown.toml: line 2, column 1", "colour"],
    ),
    bad(USAGE, "tree {source} --recipe {scratch}/value.toml", &["value.toml: line 1, column 1", "many"]),
    bad(USAGE, "tree {source} --recipe {scratch}/edit.toml", &["edit.toml: line 3, column 5", "/x:9"]),
    bad(
        USAGE,
        "tree --recipe {scratch}/number.toml",
        &["number.toml: line 2, column 1", "\"source\" takes a text", "quotation marks"],
    ),
    bad(USAGE, "tree {dump} --recipe {scratch}/edit-number.toml", &["line 1", "\"remove\" takes a text"]),
];

#[test]
fn recipes_are_equivalent_to_flags() {
    check_all(CASES);
}

/// Runs a command line of words that blanks separate, in which `{}` is the scratch directory.
fn rootcast_in(scratch: &Scratch, line: &str) -> Outcome {
    let line = line.replace("{}", scratch.path().to_str().unwrap());
    run(rootcast().args(line.split_whitespace()))
}

fn shown(scratch: &Scratch, line: &str) -> String {
    let outcome = rootcast_in(scratch, line);
    outcome.success().unwrap_or_else(|why| panic!("{why}")).text()
}

/// Validates the output of `rootcast recipe show --json`.
fn judge(scratch: &Scratch, json: &str) {
    const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/recipe.schema.json");
    if let Some(mut jsonschema) = judges::command("jsonschema") {
        let instance = scratch.file("report.json", json);
        run(jsonschema.arg("-i").arg(instance).arg(SCHEMA)).success().unwrap_or_else(|why| panic!("{why}"));
    }
}

#[track_caller]
fn refused(scratch: &Scratch, line: &str, words: &[&str]) {
    let outcome = rootcast_in(scratch, line);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    for word in words {
        let word = word.replace("{}", scratch.path().to_str().unwrap());
        assert!(outcome.stderr.contains(&word), "no “{word}”:\n{outcome}");
    }
}

/// Returns a directory with recipes that inherit from each other, and a tree.
fn family() -> Scratch {
    let scratch = Scratch::new();
    scratch.file("tree.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/f 1 100644 1 0 0 0 0.0 - x -\n");
    let base = "keep = '/f'\nowner = 'root'\nverbose = true\nquiet = true\nedits = [{ mkdir = '/b' }]\n";
    scratch.file("base.toml", base);
    let child = "owner = '5:6'\nrecipe = 'base.toml'\nverbose = false\nkeep = ['/b', '/c']\n\
                 edits = [{ mkdir = '/c:700' }]\n";
    scratch.file("child.toml", child);
    scratch.file("diamond.toml", "recipe = ['child.toml', './base.toml', 'empty']\n");
    scratch.file("loop.toml", "\nrecipe = ['empty', 'second.toml']\n");
    scratch.file("second.toml", "recipe = './loop.toml'\n");
    scratch
}

#[test]
fn recipes_inherit_from_each_other() {
    let scratch = family();
    let tree = shown(&scratch, "tree {}/tree.dump --recipe {}/child.toml");
    assert_eq!(
        tree,
        "/ 0 40755 4 5 6 0 0.0 - - -\n/b 0 40755 2 0 0 0 0.0 - - -\n/c 0 40700 2 0 0 0 0.0 - - -\n\
         /f 1 100644 1 5 6 0 0.0 - x -\n"
    );
    // What is typed counts most, and a recipe that is typed later more than one before.
    let typed = shown(&scratch, "tree {}/tree.dump --recipe {}/child.toml --owner 7:8");
    assert!(typed.contains("/f 1 100644 1 7 8 "), "{typed}");
    let base_last = shown(&scratch, "tree {}/tree.dump --recipe {}/child.toml --recipe {}/base.toml");
    assert_eq!(base_last, tree, "it was read before");
    let place = scratch.path().to_str().unwrap().to_owned();
    let lines = "\
keep = [
    \"/f\",  # {}/base.toml: line 1
    \"/b\",  # {}/child.toml: line 4
    \"/c\",  # {}/child.toml: line 4
]
quiet = true  # {}/base.toml: line 4
owner = \"5:6\"  # {}/child.toml: line 1
guest-files = true  # empty: line 3
keep-optional = \"/init\"  # empty: line 5
edits = [
    { mkdir = \"/b\" },  # {}/base.toml: line 5
    { mkdir = \"/c:700\" },  # {}/child.toml: line 5
]
";
    let flags = shown(&scratch, "recipe show {}/diamond.toml");
    assert_eq!(flags, lines.replace("{}", &place));
    // The report is a recipe with the same flags.
    scratch.file("again.toml", &flags);
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  # ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(values(&shown(&scratch, "recipe show {}/again.toml")), values(&flags));
    let json = shown(&scratch, "recipe show {}/child.toml --json");
    judge(&scratch, &json);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["report_version"], 1);
    let owner = json["flags"].as_array().unwrap().iter().find(|flag| flag["flag"] == "owner").unwrap();
    let expected = serde_json::json!({
        "flag": "owner", "value": "5:6", "edit": false, "recipe": format!("{place}/child.toml"), "line": 1, "column": 1
    });
    assert_eq!(*owner, expected);
}

#[test]
fn recipes_that_cannot_be_inherited_from_are_reported() {
    let scratch = family();
    let chain = "inherits from itself: {}/loop.toml → {}/second.toml → {}/./loop.toml";
    for line in ["recipe check {}/loop.toml", "tree {}/tree.dump --recipe {}/loop.toml"] {
        refused(
            &scratch,
            line,
            &["{}/loop.toml: line 2, column 20: {}/second.toml: line 1, column 1", chain],
        );
    }
    scratch.file("number.toml", "recipe = 5\n");
    refused(&scratch, "recipe check {}/number.toml", &["line 1, column 1", "\"recipe\" takes the names"]);
    scratch.file("gone.toml", "recipe = 'gone'\n");
    refused(&scratch, "recipe check {}/gone.toml", &["line 1, column 1", "{}/gone: No such file"]);
    refused(&scratch, "tree {}/tree.dump --recipe kata-dracu", &["similar names", "kata-dracut"]);
    refused(&scratch, "tree {}/tree.dump --recipe ./empty", &["./empty: No such file"]);
}

#[test]
fn inherited_recipes_are_inputs_and_are_read_once() {
    let scratch = family();
    refused(&scratch, "tar {}/tree.dump --recipe {}/child.toml -o {}/base.toml", &["base.toml is an input"]);
    // By another name it is the same recipe, and does not override the one that inherits from it.
    symlink("base.toml", scratch.join("link.toml")).unwrap();
    scratch.file("twice.toml", "recipe = ['child.toml', 'link.toml']\n");
    assert!(shown(&scratch, "recipe show {}/twice.toml").contains("owner = \"5:6\"  # "));
    // A flag also overrides inherited ones that it excludes.
    scratch.file("loud.toml", "verbose = true\n");
    scratch.file("silent.toml", "recipe = 'loud.toml'\nquiet = true\n");
    shown(&scratch, "tar {}/tree.dump --recipe {}/silent.toml --dry-run");
    // The limit is that of all together.
    let comment = format!("#{}\n", "x".repeat(9 << 20));
    scratch.file("long.toml", format!("recipe = 'longer.toml'\n{comment}"));
    scratch.file("longer.toml", comment);
    refused(&scratch, "recipe check {}/long.toml", &["longer.toml", "is longer than"]);
}

#[test]
fn the_number_of_recipes_is_limited() {
    const LIMIT: &str = "at most 64 recipes are read, and at most 16 in a row";
    let scratch = Scratch::new();
    for number in 0..16 {
        scratch.file(&format!("deep{number}.toml"), format!("recipe = 'deep{}.toml'\n", number + 1));
    }
    scratch.file("deep16.toml", "quiet = true\n");
    // Of these there are 16 in a row, of those one more.
    assert_eq!(shown(&scratch, "recipe check {}/deep1.toml"), "");
    refused(&scratch, "recipe check {}/deep0.toml", &["{}/deep16.toml: ", LIMIT]);
    for number in 0..63 {
        scratch.file(&format!("wide{number}.toml"), "quiet = true\n");
    }
    let names: Vec<String> = (0..63).map(|number| format!("'wide{number}.toml'")).collect();
    scratch.file("wide.toml", format!("recipe = [{}]\n", names.join(", ")));
    assert_eq!(shown(&scratch, "recipe check {}/wide.toml"), "");
    scratch.file("wider.toml", "recipe = 'wide.toml'\n");
    refused(&scratch, "recipe check {}/wider.toml", &["{}/wide62.toml: ", LIMIT]);
}

#[test]
fn everything_wrong_in_a_recipe_is_reported() {
    let scratch = family();
    let wrong = "keep-unti = 'a'\nowner = 'map:x'\nquiet = 5\nremove = '/x'\nlabel = true\nedits = [\n  { chmod = '/x:9' },\n]\n";
    scratch.file("wrong.toml", wrong);
    let lines = [
        "wrong.toml: line 1, column 1: \"keep-unti\" is not a flag that a recipe can contain; similar are keep-unit",
        "wrong.toml: line 2, column 1: invalid value 'map:x' for '--owner <WHO>'",
        "wrong.toml: line 3, column 1: \"quiet\" is either true or false",
        "wrong.toml: line 4, column 1: \"remove\" belongs in edits",
        "wrong.toml: line 5, column 1: \"label\" needs a value",
        "wrong.toml: line 7, column 5: invalid value '/x:9' for '--chmod <GLOB:MODE>'",
    ];
    refused(&scratch, "recipe check {}/wrong.toml", &lines);
    scratch.file("together.toml", "align = 512\ncompress = 'zstd'\n");
    refused(&scratch, "recipe check {}/together.toml", &["with rootcast initrd: --align places"]);
    // What is missing can be typed.
    scratch.file("part.toml", "missing = 'warn'\n");
    assert_eq!(shown(&scratch, "recipe check {}/part.toml"), "");
}

#[test]
fn shipped_recipes_are_valid() {
    let scratch = Scratch::new();
    let list = shown(&scratch, "recipe list");
    assert_eq!(list.lines().count(), SHIPPED.len());
    for shipped in SHIPPED {
        assert!(list.contains(&format!("{} ", shipped.name)) && !shipped.summary().is_empty(), "{list}");
        assert_eq!(shown(&scratch, &format!("recipe check {}", shipped.name)), "");
        let flags = shown(&scratch, &format!("recipe show {}", shipped.name));
        assert!(flags.contains(&format!("  # {}: line ", shipped.name)), "{flags}");
    }
    let inherited = shown(&scratch, "recipe show systemd-initrd-luks");
    assert!(inherited.contains("\"initrd*\",  # systemd-initrd: line "), "{inherited}");
}

#[test]
fn the_configuration_of_dracut_becomes_a_recipe() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("conf.d")).unwrap();
    scratch.file("conf.d/20.conf", "install_items+=\" /etc/b \"\ncolour=red\n");
    scratch.file("conf.d/10.conf", "install_items=\"/etc/a\"\ncompress=\"xz -9\"\n");
    scratch.file("conf.d/ignored", "compress=cat\n");
    let outcome = rootcast_in(&scratch, "recipe import-dracut {}/conf.d -o {}/made.toml");
    let place = scratch.path().to_str().unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let warning = format!("rootcast: warning: {place}/conf.d/20.conf:2: colour is not known\n");
    assert_eq!(outcome.stderr, warning);
    let flags = shown(&scratch, "recipe show {}/made.toml");
    for line in
        ["compress = \"xz:9\"  # ", "    \"/etc/a\",  # ", "    \"/etc/b\",  # ", "systemd-initrd: line "]
    {
        assert!(flags.contains(line), "{flags}");
    }
    let outcome = rootcast_in(&scratch, "recipe import-dracut {} -o {}/made.toml");
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert_eq!(shown(&scratch, "recipe import-dracut {}/conf.d/10.conf -o -").lines().count(), 4);
    // Nothing that is read is replaced, and nothing but a file.
    for input in ["{}/conf.d", "{}/conf.d/10.conf"] {
        let line = format!("recipe import-dracut {input} -o {{}}/conf.d/10.conf");
        refused(&scratch, &line, &["{}/conf.d/10.conf: is part of the configuration"]);
    }
    assert!(fs::read_to_string(scratch.join("conf.d/10.conf")).unwrap().starts_with("install_items="));
    refused(&scratch, "recipe import-dracut {}/conf.d -o {}/conf.d", &["{}/conf.d"]);
    // Of all files together at most 1 MiB is read.
    scratch.file("conf.d/30.conf", format!("#{}\n", "x".repeat(600_000)));
    scratch.file("conf.d/40.conf", format!("#{}\n", "x".repeat(600_000)));
    let outcome = rootcast_in(&scratch, "recipe import-dracut {}/conf.d -o {}/other.toml");
    assert!(outcome.code != Some(0) && outcome.stderr.contains("40.conf"), "{outcome}");
    assert!(!scratch.join("other.toml").exists());
}

#[test]
fn the_compression_of_an_initramfs_is_not_that_of_a_disk() {
    let scratch = inputs::scratch();
    scratch.file("both.toml", "compress = \"xz:1\"\n");
    scratch.file("erofs.toml", "fs = \"erofs\"\ncompress = \"xz:1\"\n");
    rootcast_in(&scratch, "recipe check {}/both.toml").success().unwrap();
    rootcast_in(&scratch, "image {}/source --recipe {}/both.toml --digest -q").success().unwrap();
    rootcast_in(&scratch, "initrd {}/initrd.dump --recipe {}/both.toml --digest -q").success().unwrap();
    refused(&scratch, "image {}/source --recipe {}/both.toml --fs erofs --digest", &["xz:1", "EROFS"]);
    refused(&scratch, "image {}/source --recipe {}/erofs.toml --digest", &["xz:1", "EROFS"]);
}
