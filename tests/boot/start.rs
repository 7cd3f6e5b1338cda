//! A kernel starts the `/init` of many trees, and ends as `rootcast initrd` says of each.
//!
//! One machine starts them all, one after the other, each with its tree as the root directory. Two
//! more show that a kernel panics, and that a script for busybox works.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{DONE, busybox, compile, run_machine};
use crate::fixtures::{Fixture, Item, Kind};
use crate::judges;
use crate::product::{Scratch, rootcast, run};
use rootcast::closure::testing::build::Build;

/// A program that ends with 42, without a library.
const ALONE: &str = "void _start(void) { __asm__ volatile(\"mov $60, %eax; mov $42, %edi; syscall\"); }\n";
const ALONE_32: &str =
    "void _start(void) { __asm__ volatile(\"mov $1, %eax; mov $42, %ebx; int $0x80\"); }\n";
/// A program that ends with what a library says, and the library.
const ASKING: &str = "int answer(void);\n\
    void _start(void) { __asm__ volatile(\"syscall\" : : \"a\"(60), \"D\"(answer())); }\n";
const ANSWERING: &str = "int answer(void) { return 42; }\n";

const LINKER: &str = "lib64/ld-linux-x86-64.so.2";

/// The files of which the trees are made.
struct Parts {
    alone: Vec<u8>,
    narrow: Vec<u8>,
    library: Vec<u8>,
    linker: Vec<u8>,
    /// Programs that need the library, by their search path.
    asking: BTreeMap<&'static str, Vec<u8>>,
}

impl Parts {
    /// Compiles them, or returns `None` after a visible skip.
    fn new(scratch: &Scratch) -> Option<Self> {
        let gcc = |name: &str, code: &str, arguments: &[&str]| {
            let code = scratch.file(&format!("{name}.c"), code);
            let out = scratch.join(name);
            let mut gcc = judges::command("gcc")?;
            gcc.args(["-nostdlib", "-O1", "-o"]).arg(&out).arg(code).args(arguments);
            run(gcc.current_dir(scratch.path())).success().unwrap_or_else(|why| panic!("{why}"));
            Some(fs::read(out).unwrap())
        };
        let library = gcc("libanswer.so", ANSWERING, &["-shared", "-fPIC", "-Wl,-soname,libanswer.so"])?;
        let mut asking = BTreeMap::new();
        for path in ["/opt", "/none", "$ORIGIN/opt"] {
            let rpath = format!("-Wl,--enable-new-dtags,-rpath,{path}");
            asking.insert(path, gcc("asking", ASKING, &[&rpath, "-L.", "-lanswer"])?);
        }
        Some(Self {
            alone: gcc("alone", ALONE, &["-static"])?,
            narrow: gcc("narrow", ALONE_32, &["-static", "-m32", "-fno-pie", "-no-pie"])?,
            library,
            linker: fs::read(format!("/{LINKER}")).unwrap(),
            asking,
        })
    }

    /// Returns the trees, each with the end of its `/init`.
    fn cases(&self) -> Vec<(&'static str, &'static str, Vec<Item>)> {
        let mut cases = self.files();
        cases.extend(self.scripts());
        cases.extend(self.programs());
        cases
    }

    fn files(&self) -> Vec<(&'static str, &'static str, Vec<Item>)> {
        vec![
            ("alone", "exit 42", vec![program("init", &self.alone)]),
            ("link", "exit 42", vec![link("init", "sbin/init"), program("sbin/init", &self.alone)]),
            ("empty", "error -8", vec![program("init", b"")]),
            ("text", "error -8", vec![program("init", b"echo hello\n")]),
            ("mode", "error -13", vec![program("init", &self.alone).mode(0o644)]),
            ("directory", "error -13", vec![program("init/program", &self.alone)]),
            ("fifo", "error -13", vec![Item::new("init", Kind::Fifo).mode(0o755)]),
            ("dead-link", "error -2", vec![link("init", "/sbin/init")]),
            ("loop", "error -40", vec![link("init", "/sbin"), link("sbin", "init")]),
            ("through-file", "error -20", vec![link("init", "p/x"), program("p", &self.alone)]),
        ]
    }

    fn scripts(&self) -> Vec<(&'static str, &'static str, Vec<Item>)> {
        let with = |text: &str| vec![program("init", text.as_bytes()), program("bin/p", &self.alone)];
        let chain = |last: usize| -> Vec<Item> {
            let script = |number: usize| {
                let name = if number == 0 { "init".to_owned() } else { format!("s{number}") };
                let next = if number == last { "bin/p".to_owned() } else { format!("s{}", number + 1) };
                program(&name, format!("#!/{next}\n").as_bytes())
            };
            (0..=last).map(script).chain([program("bin/p", &self.alone)]).collect()
        };
        let long = format!("#!/bin/{}p\n", "/".repeat(260));
        vec![
            ("script", "exit 42", with("#! /bin/p -x\n")),
            ("script-relative", "exit 42", with("#!bin/p\n")),
            ("script-cr", "error -2", with("#!/bin/p\r\n")),
            ("script-none", "error -2", with("#!/bin/q\n")),
            ("script-no-name", "error -8", with("#!\n")),
            ("script-long", "error -8", with(&long)),
            ("script-of-empty", "error -8", vec![program("init", b"#!/e\n"), program("e", b"")]),
            ("script-of-data", "error -13", vec![program("init", b"#!/e\n"), program("e", b"").mode(0o644)]),
            ("script-of-link", "error -2", vec![program("init", b"#!/sh\n"), link("sh", "dash")]),
            ("scripts-5", "exit 42", chain(4)),
            ("scripts-6", "error -40", chain(5)),
        ]
    }

    fn programs(&self) -> Vec<(&'static str, &'static str, Vec<Item>)> {
        let asking = |path: &str| program("init", &self.asking[path]);
        let library = |path: &str| program(path, &self.library);
        let linked =
            |linker: &[u8]| vec![asking("/opt"), library("opt/libanswer.so"), program(LINKER, linker)];
        let whole =
            |path: &str| vec![asking(path), library("opt/libanswer.so"), program(LINKER, &self.linker)];
        let cut = |len: usize| vec![program("init", &self.alone[..len])];
        let changed = |at: usize, byte: u8| {
            let mut bytes = self.alone.clone();
            bytes[at] = byte;
            vec![program("init", &bytes)]
        };
        let foreign = Build::new().machine(true, false, 183).bytes();
        let far = Build { interpreter: Some("/x".repeat(40)), ..Build::new() }.bytes();
        vec![
            ("dynamic", "exit 42", whole("/opt")),
            ("no-library", "exit 127", whole("/none")),
            ("origin", "exit 127", whole("$ORIGIN/opt")),
            ("no-linker", "error -2", vec![asking("/opt")]),
            ("linker-mode", "error -13", vec![asking("/opt"), program(LINKER, &self.linker).mode(0o644)]),
            ("linker-text", "error -80", linked(&[b'x'; 200])),
            ("linker-short", "error -5", linked(b"\x7fELF")),
            ("linker-foreign", "error -80", linked(&foreign)),
            ("foreign", "error -8", vec![program("init", &foreign)]),
            ("object", "error -8", changed(16, 1)),
            ("header-size", "error -8", changed(54, 1)),
            ("no-headers", "error -8", changed(56, 0)),
            ("magic-only", "error -8", cut(4)),
            ("headers-cut", "error -8", cut(80)),
            ("interpreter-cut", "error -5", vec![program("init", &far[..300])]),
            ("narrow", "exit 42", vec![program("init", &self.narrow)]),
        ]
    }
}

fn program(path: &str, bytes: &[u8]) -> Item {
    Item::new(path, Kind::File(bytes.to_vec())).mode(0o755)
}

fn link(path: &str, target: &str) -> Item {
    Item::new(path, Kind::Symlink(target.as_bytes().to_vec()))
}

/// Adds the directories above the files.
fn with_directories(items: Vec<Item>) -> Vec<Item> {
    let mut all: BTreeMap<Vec<u8>, Item> = BTreeMap::new();
    for item in items {
        let ends = item.path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        for end in ends.chain([0]) {
            let path = &item.path[..end];
            all.entry(path.to_vec()).or_insert_with(|| Item::new(path, Kind::Directory));
        }
        all.insert(item.path.clone(), item);
    }
    all.into_values().collect()
}

/// The options of the guest's kernel that matter here.
const CONFIG: &str = "CONFIG_64BIT=y\nCONFIG_X86_64=y\nCONFIG_IA32_EMULATION=y\nCONFIG_BINFMT_ELF=y\n\
    CONFIG_BINFMT_SCRIPT=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_ZSTD=y\n";

/// Returns the end of `/init` that `rootcast check` foresees. `rootcast initrd` refuses what does not
/// start.
fn foreseen(scratch: &Scratch, tree: &Path) -> String {
    let (initrd, config) = (scratch.join("foreseen"), scratch.file("config", CONFIG));
    let made = |init: &str| {
        let mut command = rootcast();
        command.arg("initrd").arg(tree).arg("-o").arg(&initrd).args(["--force", "-q", "--init", init]);
        run(command.arg("--kernel-config").arg(&config))
    };
    let refused = made("own").code != Some(0);
    made("none").success().unwrap_or_else(|why| panic!("{why}"));
    let checked = run(rootcast().arg("check").arg(&initrd).arg("--kernel-config").arg(&config));
    assert_eq!(refused, checked.code != Some(0), "{}: {checked}", tree.display());
    let said = checked.text();
    if said.contains("exitcode=0x00007f00") {
        return "exit 127".to_owned();
    }
    match said.split_once("(error ") {
        Some((_, rest)) => format!("error {}", rest.split(')').next().unwrap_or_default()),
        None => "exit 42".to_owned(),
    }
}

#[test]
fn init_ends_in_a_guest_as_it_is_foreseen() {
    let scratch = Scratch::new();
    let Some(init) = compile(include_str!("start.c")) else { return };
    let Some(parts) = Parts::new(&scratch) else { return };
    let mut items = vec![program("init", &init), Item::new("dev", Kind::Directory)];
    let (mut expected, mut said) = (BTreeMap::new(), BTreeMap::new());
    for (name, end, files) in parts.cases() {
        let tree = scratch.join(format!("tree-{name}"));
        Fixture { items: with_directories(files.clone()) }.make(&tree);
        said.insert(name.to_owned(), foreseen(&scratch, &tree));
        expected.insert(name.to_owned(), end.to_owned());
        items.extend(
            files.into_iter().map(|item| Item {
                path: [format!("cases/{name}/").as_bytes(), &item.path].concat(),
                ..item
            }),
        );
    }
    assert_eq!(said, expected);
    let root = scratch.join("all");
    Fixture { items: with_directories(items) }.make(&root);
    let initrd = make(&scratch, &root, &[]);
    let Some(transcript) = run_machine("rdinit=/init", |qemu| {
        qemu.arg("-initrd").arg(&initrd);
    }) else {
        return;
    };
    assert!(transcript.contains(DONE), "the guest did not get to its end:\n{transcript}");
    let cases = transcript.lines().filter_map(|line| line.trim_end().split_once("guest: case "));
    let ended: BTreeMap<String, String> = cases
        .filter_map(|(_, case)| case.split_once(' '))
        .map(|(name, end)| (name.to_owned(), end.to_owned()))
        .collect();
    assert_eq!(ended, expected, "{transcript}");
}

/// Makes an initramfs of a tree, whose `/init` is not checked.
fn make(scratch: &Scratch, root: &Path, arguments: &[&str]) -> std::path::PathBuf {
    let initrd = scratch.join("initrd");
    let mut command = rootcast();
    command.arg("initrd").arg(root).arg("-o").arg(&initrd).args(["--owner", "root", "--force", "-q"]);
    command.args(["--mknod", "/dev/console:c:5:1:600"]).args(arguments);
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    initrd
}

#[test]
fn a_kernel_panics_if_init_finds_a_library_by_origin_only() {
    let scratch = Scratch::new();
    let Some(parts) = Parts::new(&scratch) else { return };
    let (root, mut cases) = (scratch.join("root"), parts.programs());
    let index = cases.iter().position(|(name, ..)| *name == "origin").unwrap();
    let mut items = cases.swap_remove(index).2;
    items.push(Item::new("dev", Kind::Directory));
    Fixture { items: with_directories(items) }.make(&root);
    let initrd = make(&scratch, &root, &["--init", "none"]);
    let found = run(rootcast().arg("check").arg(&initrd));
    assert_eq!(found.code, Some(1), "{found}");
    let says =
        "error [init-starts] at byte 0: init: /init would start and end at once: missing: libanswer.so";
    assert!(found.text().contains(says) || found.text().contains("[init-starts]"), "{found}");
    let Some(transcript) = run_machine("rdinit=/init", |qemu| {
        qemu.arg("-initrd").arg(&initrd);
    }) else {
        return;
    };
    let panics = "Attempted to kill init! exitcode=0x00007f00";
    assert!(transcript.contains(panics) && found.text().contains(panics), "{transcript}\n{found}");
}

#[test]
fn a_script_for_busybox_is_an_init() {
    const SCRIPT: &str = "#!/bin/busybox sh\n\
        busybox=/bin/busybox\n\
        $busybox mkdir /proc && $busybox mount -t proc proc /proc && $busybox echo guest: \"$(\
        $busybox cut -d ' ' -f 1 /proc/version)\"\n\
        $busybox echo guest: done\n\
        $busybox poweroff -f\n";
    let Some(busybox) = busybox() else { return };
    let scratch = Scratch::new();
    let root = scratch.join("root");
    let mut items = vec![
        program("init", SCRIPT.as_bytes()),
        program("usr/share/other", b"not needed"),
        Item::new("dev", Kind::Directory),
    ];
    items.extend(busybox.iter().map(|(path, bytes)| program(path, bytes)));
    Fixture { items: with_directories(items) }.make(&root);
    let initrd = make(&scratch, &root, &["--keep", "/init", "--keep", "/dev"]);
    run(rootcast().arg("check").arg(&initrd)).success().unwrap_or_else(|why| panic!("{why}"));
    let Some(transcript) = run_machine("rdinit=/init", |qemu| {
        qemu.arg("-initrd").arg(&initrd);
    }) else {
        return;
    };
    assert!(transcript.contains("guest: Linux") && transcript.contains(DONE), "{transcript}");
}
