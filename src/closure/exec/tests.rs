use image_tree::{Kind as FileKind, LinkTarget, Metadata, Tree};

use super::*;
use crate::closure::search::Search;
use crate::closure::testing::build::{Build, RUNPATH};
use crate::closure::testing::{add, tree};

const X86_64: Abi = Abi { class: 2, data: 1, machine: 62 };
const I386: Abi = Abi { class: 1, data: 1, machine: 3 };

fn with(files: &[(&str, &str)], programs: &[(&str, Vec<u8>)]) -> Tree<Vec<u8>> {
    let mut tree = tree(files);
    for (path, bytes) in programs {
        add(&mut tree, path, FileKind::Regular(bytes.clone()));
    }
    tree
}

fn errno(tree: &Tree<Vec<u8>>, kernel: &Kernel) -> Result<Started, (i32, String)> {
    let executed = execute(&mut Files::new(tree), b"/init", kernel).expect("memory can be read");
    executed.map_err(|refusal| (refusal.errno.number(), refusal.why))
}

fn refused(tree: &Tree<Vec<u8>>, errno_expected: i32, why: &str) {
    let refused = errno(tree, &Kernel::default()).expect_err("it does not start");
    assert_eq!(refused, (errno_expected, why.to_owned()));
}

#[test]
fn chains_of_scripts_end_in_a_program_or_an_error() {
    let program = Build { interpreter: None, ..Build::new() }.bytes();
    let mut files: Vec<(String, String)> = vec![("/init".into(), "#!/s1\n".into())];
    files.extend((1..5).map(|number| (format!("/s{number}"), format!("#! /s{} x\n", number + 1))));
    let borrowed: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&path[..], &text[..])).collect();
    let started = errno(&with(&borrowed, &[("/s5", program)]), &Kernel::default());
    assert_eq!(started, Ok(Started { abi: X86_64, is_dynamic: false }));
    let more = [&borrowed[..], &[("/s5", "#!/s6\n"), ("/s6", "#!/s1\n")]].concat();
    let (errno, why) = errno(&with(&more, &[]), &Kernel::default()).expect_err("there are too many");
    assert!(errno == 40 && why.ends_with("more than 5 times, up to /s6"), "{errno} {why}");
    refused(
        &with(&[("/init", "#!/bin/sh\r\n")], &[]),
        2,
        "its interpreter /bin/sh\\r: it does not exist; its #! line \
        ends in a carriage return, which the kernel takes as a part of the name",
    );
    refused(
        &with(&[("/init", "#!/bin/sh"), ("/bin/sh", "")], &[]),
        8,
        "its interpreter /bin/sh: it is empty",
    );
    // A relative interpreter is taken from the working directory, which is the root.
    let relative = with(&[("/init", "#!bin/sh\n")], &[("/bin/sh", Build::new().bytes())]);
    assert!(
        super::execute(&mut Files::new(&relative), b"/init", &Kernel::default()).expect("memory").is_ok()
    );
}

#[test]
fn links_modes_and_types_decide_before_the_content() {
    refused(&with(&[], &[]), 2, "it does not exist");
    refused(
        &with(&[("/init", "-> sbin/init")], &[]),
        2,
        "the link /init points to sbin/init, which does not exist",
    );
    refused(
        &with(&[("/init", "-> /init")], &[]),
        40,
        "it leads through more than 40 symbolic links, as a loop does, \
        after the link /init to /init",
    );
    refused(&with(&[("/init/x", "")], &[]), 13, "it is a directory");
    refused(
        &with(&[("/init", "echo")], &[]),
        8,
        "it is neither an ELF program nor a script that starts with #!",
    );
    let mut tree = with(&[("/init", "#!/init")], &[]);
    let id = tree.resolve_no_symlinks(b"/init").expect("it is there");
    tree.metadata_mut(id).mode = 0o644;
    refused(&tree, 13, "it has mode 0644, so nobody may execute it");
    let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
    add(&mut tree, "/init", FileKind::Fifo);
    refused(&tree, 13, "it is not a regular file");
    add(&mut tree, "/x", FileKind::Symlink(LinkTarget::new("/init/y").expect("a target")));
    assert_eq!(open(&mut Files::new(&tree), b"/x").expect_err("it is a fifo").errno, Errno::Notdir);
}

#[test]
fn headers_are_those_of_a_program_for_the_kernel() {
    let init = |bytes: Vec<u8>| with(&[], &[("/init", bytes)]);
    let changed = |at: usize, byte: u8| {
        let mut bytes = Build::new().bytes();
        bytes[at] = byte;
        init(bytes)
    };
    refused(&changed(16, 1), 8, "its ELF type is 1, not that of a program (e_type)");
    refused(&changed(54, 1), 8, "it has 3 program headers of 1 bytes, and those of a program have 56");
    refused(&changed(56, 0), 8, "it has 0 program headers of 56 bytes, and those of a program have 56");
    refused(&init(b"\x7fELF".to_vec()), 8, "its ELF type is 0, not that of a program (e_type)");
    refused(&init(Build::new().bytes()[..70].to_vec()), 8, "its program headers are not within the file");
    let known = Kernel { abis: Some(vec![X86_64, I386]), lacks_scripts: false };
    let narrow = Build { interpreter: None, ..Build::new() }.machine(false, false, 3);
    assert!(errno(&init(narrow.bytes()), &known).is_ok());
    let without = Kernel { abis: Some(vec![X86_64]), lacks_scripts: true };
    let (number, why) = errno(&init(narrow.bytes()), &without).expect_err("it is for another machine");
    assert_eq!(
        (number, &why[..]),
        (
            8,
            "it is a program for i386 (32 bits, little-endian), which the kernel does not execute without \
             CONFIG_IA32_EMULATION"
        )
    );
    let (number, why) = errno(&with(&[("/init", "#!/init")], &[]), &without).expect_err("it is a script");
    assert!(number == 8 && why.contains("CONFIG_BINFMT_SCRIPT"), "{why}");
}

#[test]
fn the_dynamic_linker_has_to_be_one_for_the_program() {
    const LINKER: &str = "/lib64/ld-linux-x86-64.so.2";
    let init = |linker: &[u8]| with(&[], &[("/init", Build::program().bytes()), (LINKER, linker.to_vec())]);
    let said = |what: &str| format!("its dynamic linker {LINKER}: {what}");
    refused(&with(&[], &[("/init", Build::program().bytes())]), 2, &said("it does not exist"));
    refused(&init(b"\x7fELF"), 5, &said("it is shorter than an ELF header"));
    let foreign = Build::new().machine(true, false, 183).bytes();
    refused(&init(&foreign), 80, &said("it is for another machine"));
    refused(&init(&[b'x'; 100]), 80, &said("it is neither an ELF program nor a script that starts with #!"));
    let started = errno(&init(&Build::new().bytes()), &Kernel::default());
    assert_eq!(started, Ok(Started { abi: X86_64, is_dynamic: true }));
}

#[test]
fn origin_of_the_program_is_not_known_before_proc_is_mounted() {
    let mut linker = Build::new().bytes();
    linker.extend(b"\0/lib/\0\0");
    let program = |path: &str| Build::program().string(RUNPATH, path).needs("libz.so").bytes();
    let tree = |path: &str| {
        let files = [
            ("/init", program(path)),
            ("/lib64/ld-linux-x86-64.so.2", linker.clone()),
            ("/opt/libz.so", Build::new().string(RUNPATH, "$ORIGIN/deep").needs("liby.so").bytes()),
            ("/opt/deep/liby.so", Build::new().bytes()),
        ];
        with(&[("/sbin/init", "#!/init")], &files)
    };
    let found = |tree: &Tree<Vec<u8>>| {
        failure(&mut Search::new(tree), &Kernel::default()).expect("memory can be read")
    };
    // $ORIGIN of a library is the directory from which it was opened.
    assert_eq!(found(&tree("/opt")), None);
    let said = found(&tree("$ORIGIN/opt")).expect("libz.so is not found").to_string();
    let start = "/init would start and end at once: missing: libz.so, needed by /init: it is not in any of /lib; $ORIGIN in";
    assert!(said.starts_with(start) && said.ends_with("exitcode=0x00007f00\""), "{said}");
    let said = found(&tree("/none")).expect("libz.so is not found").to_string();
    assert!(!said.contains("$ORIGIN"), "{said}");
}

#[test]
fn the_kernel_goes_on_to_other_programs() {
    let found = |tree: Tree<Vec<u8>>| {
        let failure = failure(&mut Search::new(&tree), &Kernel::default()).expect("memory can be read");
        failure.expect("it does not start").to_string()
    };
    let other = found(with(&[("/init", "")], &[("/bin/init", Build::new().bytes())]));
    assert!(
        other.ends_with("\"Failed to execute /init (error -8)\" and starts /bin/init instead"),
        "{other}"
    );
    let none = found(with(&[("/init", "")], &[]));
    assert!(none.ends_with("\"Failed to execute /init (error -8)\" and panics"), "{none}");
    let dead = found(with(&[("/init", "-> gone")], &[]));
    assert!(dead.contains("ignores it (error -2), looks for a root filesystem"), "{dead}");
}

#[test]
fn everybody_who_may_execute_a_program_suffices_for_the_kernel() {
    let mut tree = with(&[], &[("/init", Build::new().bytes())]);
    let id = tree.resolve_no_symlinks(b"/init").expect("it is there");
    for mode in [0o100, 0o010, 0o001] {
        tree.metadata_mut(id).mode = 0o644 | mode;
        assert!(errno(&tree, &Kernel::default()).is_ok(), "{mode:o}");
    }
    let long = b"/x".repeat(4096);
    assert_eq!(open(&mut Files::new(&tree), &long).expect_err("it is too long").errno.number(), 36);
}

#[test]
fn kernels_name_the_option_that_they_lack() {
    let kernel = |own: Abi| Kernel { abis: Some(vec![own]), lacks_scripts: false };
    let arm64 = Abi { machine: 183, ..X86_64 };
    for (own, other, option) in [
        (X86_64, I386, " without CONFIG_IA32_EMULATION"),
        (X86_64, Abi { class: 1, ..X86_64 }, " without CONFIG_X86_X32_ABI"),
        (arm64, Abi { machine: 40, ..I386 }, " without CONFIG_COMPAT"),
        (X86_64, arm64, " does not execute"),
        (arm64, X86_64, " does not execute"),
    ] {
        let why = kernel(own).refuses(other).expect("it is another ABI");
        assert!(why.ends_with(option), "{why}");
        assert_eq!(kernel(own).refuses(own), None);
    }
}

#[test]
fn program_headers_are_limited_in_number() {
    let changed = |changes: &[(usize, u16)]| {
        let mut bytes = Build::new().bytes();
        for (at, value) in changes {
            bytes[*at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        with(&[], &[("/init", bytes)])
    };
    // A program of a fixed address.
    assert!(errno(&changed(&[(16, 2)]), &Kernel::default()).is_ok());
    refused(&changed(&[(16, 4)]), 8, "its ELF type is 4, not that of a program (e_type)");
    // As many as 64 KiB have room for, and one more.
    refused(&changed(&[(56, 1170)]), 8, "its program headers are not within the file");
    let why = "it has 1171 program headers of 56 bytes, and those of a program have 56";
    refused(&changed(&[(56, 1171)]), 8, why);
}

#[test]
fn the_path_of_the_dynamic_linker_is_a_string_of_the_file() {
    let changed = |field: usize, value: u64| {
        let mut bytes = Build::program().bytes();
        let word = |bytes: &[u8], at: usize| -> usize {
            let word = bytes[at..at + 8].try_into().expect("eight bytes");
            usize::try_from(u64::from_le_bytes(word)).expect("small")
        };
        let headers = (0..3).map(|index| word(&bytes, 32) + 56 * index);
        let interpreter = headers.into_iter().find(|at| bytes[*at] == 3).expect("a segment PT_INTERP");
        bytes[interpreter + field..interpreter + field + 8].copy_from_slice(&value.to_le_bytes());
        with(&[], &[("/init", bytes)])
    };
    let (offset, len) = (8, 32);
    let what = "the path of its dynamic linker (PT_INTERP)";
    for bytes in [0, 1, 4097, u64::MAX] {
        refused(&changed(len, bytes), 8, &format!("{what} has {bytes} bytes"));
    }
    refused(&changed(len, 4096), 5, &format!("{what} is not within the file"));
    refused(&changed(offset, 1 << 20), 5, &format!("{what} is not within the file"));
    refused(&changed(offset, u64::MAX), 5, &format!("{what} is not within the file"));
    refused(&changed(len, 10), 8, &format!("{what} does not end in NUL"));
}

#[test]
fn the_first_missing_libraries_are_named() {
    let mut linker = Build::new().bytes();
    linker.extend(b"\0/lib/\0\0");
    let said = |libraries: &[&str]| {
        let program = libraries.iter().fold(Build::program(), |program, name| program.needs(name));
        let tree = with(&[], &[("/init", program.bytes()), ("/lib64/ld-linux-x86-64.so.2", linker.clone())]);
        let failure = failure(&mut Search::new(&tree), &Kernel::default()).expect("memory can be read");
        failure.expect("libraries are missing").to_string()
    };
    let three = said(&["liba.so", "libb.so", "libc.so"]);
    assert!(three.contains("libc.so, needed by") && !three.contains(" more"), "{three}");
    let five = said(&["liba.so", "libb.so", "libc.so", "libd.so", "libe.so"]);
    assert!(five.contains("libc.so, needed by") && five.contains("; and 2 more"), "{five}");
    assert!(!five.contains("libd.so"), "{five}");
}
