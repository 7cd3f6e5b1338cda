//! The dependencies stated by a tree's own configuration files, and those of programs.

pub mod known;
pub mod packages;
pub mod programs;

use image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Tree};
use rootcast::closure::config::dlopen::{self, Policy, Priority, Rule};
use rootcast::closure::config::script::Shebang;
use rootcast::closure::config::systemd::{self, DefaultTarget, Generators};
use rootcast::closure::config::{gconv, nss, pam, udev, unit};
use rootcast::closure::dependency::{Dependencies, Target};
use rootcast::closure::elf::NoteSegment;
use rootcast::closure::ld_so::cache::{Abi, Cache, Entry, Hwcaps};

use crate::sources::dump::Bytes;
use crate::{Choices, Outcome};

/// The separator between the files of one input, which does not occur in text.
const BETWEEN: u8 = 0xff;

/// The paths of the files of an input.
const UNITS: [&str; 10] = [
    "/etc/systemd/system/a.service",
    "/usr/lib/systemd/system/b@.service",
    "/usr/lib/systemd/system/a.service.d/x.conf",
    "/usr/lib/systemd/system/a.socket",
    "/usr/lib/systemd/system/service.d/y.conf",
    "/usr/lib/systemd/system/sysinit.target",
    "/usr/lib/tmpfiles.d/x.conf",
    "/usr/lib/sysusers.d/x.conf",
    "/etc/fstab",
    "/etc/crypttab",
];

fn x86_64() -> Abi {
    Abi::of_elf(2, 1, 62, 0).expect("it is known")
}

/// Parses a cache, writes it and parses it again.
pub fn check_ld_cache(bytes: &[u8]) -> Outcome {
    let Ok(cache) = Cache::parse(bytes, false) else { return Outcome::Refused };
    let written = cache.to_bytes(x86_64()).expect("what was read can be written");
    let again = Cache::parse(&written, !cache.big_endian).expect("what was written can be read");
    assert_eq!((again.big_endian, &again.generator), (cache.big_endian, &cache.generator));
    let sorted = |cache: &Cache| {
        let mut entries: Vec<_> = cache.entries.iter().map(|entry| format!("{entry:?}")).collect();
        entries.sort_unstable();
        entries
    };
    assert_eq!(sorted(&again), sorted(&cache));
    assert_eq!(again.to_bytes(x86_64()).expect("it was written before"), written);
    Outcome::Checked
}

/// Creates a cache, sometimes with a changed byte.
#[must_use]
pub fn ld_cache(bytes: &[u8]) -> Vec<u8> {
    const NAMES: [&str; 8] =
        ["libc.so.6", "liba.so.10", "liba.so.9", "liba.so", "lib-2.so", "lib99999999999.so", "", "ld-2.so"];
    let mut choices = Choices::new(bytes);
    let mut cache =
        Cache { big_endian: choices.rarely(4), generator: choices.bytes(20).to_vec(), entries: Vec::new() };
    for _ in 0..choices.up_to(20) {
        let name = choices.one_of(&NAMES);
        let hwcaps = choices.rarely(3).then(|| Hwcaps {
            subdirectory: choices.one_of(&["x86-64-v2", "x86-64-v3"]).into(),
            isa_level: choices.one_of(&[0, 3, 0x3ff]),
        });
        let path = format!("/lib/{name}").into_bytes();
        cache.entries.push(Entry { name: name.into(), path, flags: choices.one_of(&[3, 0x303]), hwcaps });
    }
    let mut file = cache.to_bytes(x86_64()).expect("it is a good cache");
    if choices.wrong() {
        let at = choices.index(file.len());
        file[at] = choices.bytes(1).first().copied().unwrap_or_default();
    }
    file
}

/// Parses a segment of notes, and applies policies to it.
pub fn check_notes(bytes: &[u8]) -> Outcome {
    let [flags, notes @ ..] = bytes else { return Outcome::Refused };
    let segment = NoteSegment {
        bytes: notes.to_vec(),
        align: if flags & 1 == 0 { 4 } else { 8 },
        big_endian: flags & 2 != 0,
    };
    let Ok(found) = dlopen::parse(&[segment.clone(), segment]) else { return Outcome::Refused };
    let taken = |policy: &Policy| policy.dependencies(b"libsystemd-shared-257.so", &found, false).known.len();
    let all = Policy { least: Priority::Suggested, ..Policy::default() };
    let none = Policy { deny: vec![Rule::parse(b"*").expect("a pattern")], ..all.clone() };
    assert_eq!(taken(&all), found.len());
    assert!(taken(&Policy::default()) <= found.len());
    assert_eq!(taken(&none), 0);
    check_dependencies(&all.dependencies(b"x", &found, true));
    if found.is_empty() { Outcome::Refused } else { Outcome::Checked }
}

/// Creates notes, most of which are valid.
#[must_use]
pub fn notes(bytes: &[u8]) -> Vec<u8> {
    const SONAMES: [&str; 4] = ["[\"liba.so.1\"]", "[\"libb.so.2\", \"libb.so.1\"]", "[\"libc\"]", "[]"];
    const REST: [&str; 6] = [
        "",
        ", \"priority\": \"required\"",
        ", \"priority\": \"suggested\", \"feature\": \"kmod\"",
        ", \"feature\": \"x/y\", \"description\": \"\\u00e9\"",
        ", \"new\": [{}]",
        ", \"priority\": 1",
    ];
    let mut choices = Choices::new(bytes);
    let mut notes = vec![choices.one_of(&[0, 1])];
    let align = if notes[0] == 0 { 4 } else { 8 };
    for _ in 0..=choices.up_to(4) {
        let soname = if choices.wrong() { choices.one_of(&SONAMES) } else { choices.one_of(&SONAMES[..3]) };
        let rest = if choices.wrong() { choices.one_of(&REST) } else { choices.one_of(&REST[..5]) };
        let json = format!("[{{\"soname\": {soname}{rest}}}]");
        let kind: u32 = if choices.rarely(6) { 1 } else { 0x407c_0c0a };
        let mut note = Vec::new();
        for word in [4, u32::try_from(json.len()).expect("it is short"), kind] {
            note.extend(word.to_le_bytes());
        }
        note.extend(b"FDO\0");
        note.extend(json.as_bytes());
        note.resize(note.len().next_multiple_of(align), 0);
        notes.extend(note);
    }
    notes
}

/// Computes the closure of units with arbitrary content.
pub fn check_units(text: &[u8]) -> Outcome {
    let mut tree = Tree::new(Metadata::new(0o755));
    for (path, part) in UNITS.iter().zip(text.split(|byte| *byte == BETWEEN)) {
        add(&mut tree, path, Kind::Regular(part.to_vec()));
    }
    let link = |target: &str| Kind::Symlink(LinkTarget::new(target).expect("a target"));
    add(
        &mut tree,
        "/etc/systemd/system/a.service.wants/b@1.service",
        link("/usr/lib/systemd/system/b@.service"),
    );
    add(&mut tree, "/etc/systemd/system/c.service", link("b@x.service"));
    add(&mut tree, "/etc/systemd/system/d.target", link("/dev/null"));
    let follow = unit::Follow::All;
    let asked = [b"a.service".to_vec(), b"a.socket".to_vec(), b"c.service".to_vec()];
    let Ok(dependencies) = unit::dependencies(&tree, &asked, follow) else { return Outcome::Refused };
    check_dependencies(&dependencies);
    let mut walk = unit::Walk::new(&tree, follow);
    walk.request(b"a.service").expect("it is a name");
    let options = systemd::Options { generators: &Generators::All, default_target: &DefaultTarget::None };
    match systemd::complete(&tree, walk, options, |_, _| Ok(())) {
        Ok(set) => check_dependencies(&set.dependencies),
        Err(error) => panic!("the units were read before, and no other file is mandatory: {error}"),
    }
    Outcome::Checked
}

/// Creates unit files.
#[must_use]
pub fn units(bytes: &[u8]) -> Vec<u8> {
    const LINES: [&str; 24] = [
        "[Unit]",
        "[Service]",
        "[Socket]",
        "ExecStart=/bin/a b",
        "ExecStart=-@\"/bin/a b\" \\x41 'c' ; /bin/d",
        "ExecStart=",
        "ExecStop=a \\",
        "ExecReload=/bin/%p-%i%%%I %m",
        "ExecSearchPath=/a:/b",
        "Wants=b@%i.service a.socket d.target",
        "Wants=b@%ix.service",
        "Requires=gone.service c.service",
        "OnFailure=b@%n.service",
        "Sockets=a.socket",
        "Accept=yes",
        "Service=a.service",
        "DefaultDependencies=no",
        "Slice=system-%p.slice",
        "# comment",
        "; \\",
        " = ",
        "]",
        "",
        "Upholds=\"d.target\" ''",
    ];
    text(bytes, &LINES)
}

/// Parses rules, a script, and the configuration of the C library and PAM.
pub fn check_rules(text: &[u8]) -> Outcome {
    let mut parts = text.split(|byte| *byte == BETWEEN).chain(std::iter::repeat(&b""[..]));
    let mut next = || parts.next().unwrap_or_default();
    let rules = udev::Rules::parse(b"/x.rules", next());
    check_dependencies(&rules.dependencies);
    // A `$` that begins no substitution of udev is part of the name.
    assert!(!rules.groups.iter().chain(&rules.owners).chain(&rules.units).any(Vec::is_empty));
    let mut tree = Tree::new(Metadata::new(0o755));
    for path in ["/etc/pam.d/login", "/etc/pam.d/other", "/usr/lib/pam.d/third"] {
        add(&mut tree, path, Kind::Regular(next().to_vec()));
    }
    let pam = pam::dependencies(&tree, b"login", &[b"/lib".to_vec()]).expect("the files are short");
    check_dependencies(&pam);
    let libraries = nss::dependencies(next());
    check_dependencies(&libraries);
    check_dependencies(&gconv::dependencies(b"/gconv", next(), Some(&[b"UTF-16".to_vec()])));
    if let Ok(Some(shebang)) = Shebang::parse(next()) {
        assert!(!shebang.interpreter.is_empty() && shebang.interpreter.len() < 256);
        check_dependencies(&shebang.dependencies());
    }
    let has_any = !rules.dependencies.known.is_empty() || pam.known.len() > 1 || !libraries.known.is_empty();
    if has_any { Outcome::Checked } else { Outcome::Refused }
}

/// Creates rules and other configuration.
#[must_use]
pub fn rules(bytes: &[u8]) -> Vec<u8> {
    const LINES: [&str; 22] = [
        "ACTION==\"add\", RUN+=\"/bin/a %k\", GROUP=\"disk\"",
        "PROGRAM=\"b\", \\",
        "IMPORT{program}=\"'/my c' $x\"",
        "RUN{builtin}+=\"kmod\", OWNER=\"x\"",
        "RUN+=e\"/bin/\\td\\\"\"",
        "ENV{SYSTEMD_WANTS}+=\"a.service b@$k.service\"",
        "ATTR{x}!=\"",
        "auth required pam_unix.so",
        "auth [success=1 default=ignore] /lib/x.so \\",
        "@include other",
        "account include login",
        "-session optional pam_exec.so quiet /bin/x",
        "session substack third",
        "passwd: files x [NOTFOUND=return] dns",
        "hosts: [!",
        "module UTF-16// INTERNAL UTF-16 1",
        "alias A// UTF-16//",
        "#!/usr/bin/env -S -i A=b sh -c",
        "#!/usr/bin/env -vS 'a",
        "#! /bin/sh\t-e ",
        "# comment",
        "",
    ];
    text(bytes, &LINES)
}

/// Creates several files of lines.
fn text(bytes: &[u8], lines: &[&str]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let mut text = Vec::new();
    for _ in 0..60 {
        if choices.is_empty() {
            break;
        }
        text.extend(choices.one_of(lines).bytes());
        if choices.wrong() {
            text.extend(choices.bytes(8));
        }
        text.push(b'\n');
        if choices.rarely(5) {
            text.push(BETWEEN);
        }
    }
    text
}

fn check_dependencies(dependencies: &Dependencies) {
    for dependency in &dependencies.known {
        assert!(!dependency.reason.is_empty());
        let is_absolute = |path: &Vec<u8>| path.starts_with(b"/");
        match &dependency.target {
            Target::File(paths) => assert!(!paths.is_empty() && paths.iter().all(is_absolute), "{paths:?}"),
            Target::Library(names) => {
                assert!(names.iter().all(|name| !name.is_empty() && !name.contains(&b'/')))
            }
            Target::Name(path) | Target::Directory(path) | Target::Whole(path) => assert!(is_absolute(path)),
            Target::FilesIn { directory, .. } => assert!(is_absolute(directory)),
        }
    }
    assert!(dependencies.unknown.iter().all(|sentence| !sentence.is_empty()));
}

fn add(tree: &mut Bytes, path: &str, kind: Kind<Vec<u8>>) {
    let mut parent = InodeId::ROOT;
    let (above, name) = path.rsplit_once('/').expect("it is absolute");
    for directory in above.split('/').skip(1) {
        parent = tree.lookup(parent, directory.as_bytes()).unwrap_or_else(|| {
            let inode = Inode::directory(Metadata::new(0o755));
            tree.insert(parent, Name::new(directory).expect("a name"), inode).expect("it is new")
        });
    }
    let inode = Inode { metadata: Metadata::new(0o755), kind };
    tree.insert(parent, Name::new(name).expect("a name"), inode).expect("it is new");
}
