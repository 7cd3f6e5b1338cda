//! Edits of every kind, by rootcast and by ordinary tools on a real directory.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::fixtures::{Fixture, Item, Kind};
use crate::judges;
use crate::metadata::owners::{may_give_away, printed};
use crate::oracle::{self, Expected, Owner};
use crate::product::{self, Scratch, run};

/// The commands of the shell in the directory, with `$added` of the host.
const BY_TOOLS: &str = r#"
set -e; umask 022
cp -a --no-preserve=ownership "$added/program" usr/bin/program
mkdir -p opt/app; cp -a --no-preserve=ownership "$added/." opt/app/
mkdir -m 1777 srv; chown 33:34 srv
mkdir -p -m 0755 var/lib/deep/er
ln -s ../opt/app usr/app
chmod u+x,go= etc/one.conf; chmod a+r,o-w etc/two.conf; chmod 4755 usr/bin/tool
chown daemon: etc/two.conf; chown :3 etc/one.conf; chown 12:13 usr/bin/tool; chmod 4755 usr/bin/tool
chown -h 5:6 etc/link
setcap cap_net_bind_service,cap_net_raw+ep usr/bin/program
mknod dev/null c 1 3; chmod 666 dev/null
mknod dev/vda2 b 254 2; chmod 600 dev/vda2
rm -r usr/share/doc; rm var/log/*.log; rm etc/second
setfattr -n user.origin -v rootcast etc/one.conf
setfattr -n user.bytes -v 0x00ff srv
setfattr -n trusted.t -v 0sAAE= opt/app
"#;

const BY_ROOTCAST: &str = "\
--add {added}/program:/usr/bin/program
--add {added}:/opt/app
--mkdir /srv:1777:33:34
--mkdir /var/lib/deep/er
--symlink ../opt/app:/usr/app
--chmod /etc/one.conf:u+x,go=
--chmod /etc/t*.conf:a+r,o-w
--chmod /usr/bin/tool:4755
--chown /etc/two.conf:daemon:
--chown /etc/one.conf::3
--chown /usr/bin/tool:12:13
--chown /etc/link:5:6
--setcap /usr/bin/program:cap_net_bind_service,cap_net_raw+ep
--mknod /dev/null:c:1:3:666
--mknod /dev/vda2:b:254:2
--remove /usr/share/doc
--exclude /var/log/*.log
--exclude /none/**
--remove /etc/second
--xattr /etc/one.conf:user.origin=rootcast
--xattr /srv:user.bytes=0x00ff
--xattr /opt/app:trusted.t=0sAAE=
";

fn source() -> Fixture {
    let directory = |path: &str| Item::new(path, Kind::Directory);
    let file = |path: &str, bytes: &[u8]| Item::new(path, Kind::File(bytes.to_vec()));
    let passwd = b"root:x:0:0::/:\ndaemon:x:1:1::/:\n";
    let items = vec![
        directory(""),
        directory("dev"),
        directory("etc"),
        file("etc/passwd", passwd),
        file("etc/group", b"root:x:0:\ndaemon:x:1:\n"),
        file("etc/one.conf", b"1").mode(0o644),
        file("etc/two.conf", b"2").mode(0o602).xattr("user.kept", "yes"),
        Item::new("etc/link", Kind::Symlink(b"one.conf".to_vec())).mode(0o777),
        Item::new("etc/second", Kind::HardLink(b"etc/passwd".to_vec())),
        directory("usr"),
        directory("usr/bin"),
        file("usr/bin/tool", b"#!/bin/sh\n").mode(0o755),
        directory("usr/share"),
        directory("usr/share/doc"),
        directory("usr/share/doc/a"),
        file("usr/share/doc/a/README", b"read me"),
        directory("var"),
        directory("var/lib"),
        directory("var/log"),
        file("var/log/a.log", b"a"),
        file("var/log/b.log", b"b"),
        file("var/log/kept", b"c"),
    ];
    Fixture { items }
}

fn added() -> Fixture {
    let items = vec![
        Item::new("", Kind::Directory).mode(0o750),
        Item::new("program", Kind::File(b"\x7fELF".to_vec())).mode(0o711),
        Item::new("deeper", Kind::Directory).mode(0o1755),
        Item::new("deeper/link", Kind::Symlink(b"../program".to_vec())).mode(0o777),
        Item::new("deeper/sparse", Kind::Sparse { len: 1 << 20, data: vec![(500_000, b"data".to_vec())] }),
    ];
    Fixture { items }
}

/// Returns the result of ordinary tools on a copy of the source. Times are taken from the source if
/// the path exists there, since a directory's time is that of its last edit.
fn edited_by_tools(source: &Path, added: &Path, copy: &Path) -> Option<Expected> {
    // Missing ones are reported before the shell runs them.
    for tool in ["setcap", "setfattr"] {
        judges::locate(tool)?;
    }
    printed(judges::command("cp")?.args(["-a", "--no-preserve=ownership"]).arg(source).arg(copy));
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", BY_TOOLS]).current_dir(copy).env("added", added);
    printed(&mut shell);
    let mut expected = Expected::from_directory(copy, Owner::Keep);
    let before = Expected::from_directory(source, Owner::Keep);
    for (path, file) in &mut expected.files {
        let copied = path.starts_with(b"/opt/app/") || path == b"/usr/bin/program";
        if !copied {
            file.mtime = before.files.get(path).and_then(|file| file.mtime);
        }
    }
    Some(expected)
}

fn arguments(added: &Path) -> Vec<OsString> {
    let text = BY_ROOTCAST.replace("{added}", added.to_str().expect("ASCII"));
    text.split_whitespace().map(OsString::from).collect()
}

#[test]
fn edits_match_those_of_ordinary_tools() {
    if !may_give_away() {
        return;
    }
    let scratch = Scratch::new();
    let (base, extra, image) = (scratch.join("source"), scratch.join("added"), scratch.join("image"));
    source().make(&base);
    added().make(&extra);
    let Some(expected) = edited_by_tools(&base, &extra, &scratch.join("copy")) else { return };
    let flags = [vec!["--layout".into(), "bare".into()], arguments(&extra)].concat();
    product::image(&base, &image, &flags);
    oracle::judge(&image, None, &expected);
}

#[test]
fn edits_of_a_recipe_give_the_same_image() {
    let scratch = Scratch::new();
    let (base, extra) = (scratch.join("source"), scratch.join("added"));
    source().make(&base);
    added().make(&extra);
    let flags = arguments(&extra);
    let mut recipe = format!("source = '{}'\nlayout = 'bare'\nedits = [\n", base.display());
    for edit in flags.chunks(2) {
        let [key, value] = edit else { panic!("{edit:?}") };
        let (key, value) = (key.to_str().expect("ASCII"), value.to_str().expect("ASCII"));
        recipe += &format!("  {{ {} = '{value}' }},\n", key.trim_start_matches('-'));
    }
    let recipe = scratch.file("recipe.toml", recipe + "]\n");
    let digest = |command: &mut Command| run(command).success().unwrap_or_else(|why| panic!("{why}")).text();
    let by_recipe = digest(product::rootcast().args(["image", "--digest", "--recipe"]).arg(&recipe));
    let by_flags =
        digest(product::rootcast().args(["image", "--digest", "--layout", "bare"]).arg(&base).args(&flags));
    assert_eq!(by_recipe.trim().len(), 64, "{by_recipe}");
    assert_eq!(by_recipe, by_flags);
}
