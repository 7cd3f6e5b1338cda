//! musl, and architectures other than that of this machine.

use std::fs;
use std::path::Path;

use super::guest::{Guest, library};
use super::judge::listing;
use crate::judges;
use rootcast::closure::testing::build::{Build, RPATH, RUNPATH};

const MUSL: &str = "/lib/ld-musl-x86_64.so.1";

#[test]
fn musl_inherits_both_search_paths_and_ignores_sonames() {
    let Some(guest) = Guest::with(MUSL, Path::new(MUSL)) else { return };
    let judge = listing(guest.scratch.path(), &[MUSL, "--list"]);
    let check = |program: &str, expected: &[&str]| guest.check_by(&judge, MUSL, program, expected);
    let program = || Build { interpreter: Some(MUSL.to_owned()), ..Build::new() };
    // Names that musl provides itself, by their prefix.
    guest.add("/own", program().needs("libc.so").needs("libpthread.so.0").needs("libm.something"));
    check("/own", &[]);
    guest.add("/opt/liba.so", library("liba.so").needs("libb.so"));
    guest.add("/opt/libb.so", library("libb.so"));
    guest.add("/usr/lib/libb.so", library("libb.so"));
    guest.add("/runpath", program().string(RUNPATH, "/opt").needs("liba.so"));
    check("/runpath", &["/opt/liba.so", "/opt/libb.so"]);
    // The nearest is searched first, and an object's own DT_RUNPATH hides nothing.
    guest.add("/deep/libb.so", library("libb.so"));
    guest.add("/opt/liba.so", library("liba.so").string(RPATH, "/none\n/deep").needs("libb.so"));
    check("/runpath", &["/opt/liba.so", "/deep/libb.so"]);
    // A library is identified by its file name, regardless of its DT_SONAME.
    guest.add("/usr/lib/libx.so", library("libb.so").needs("libb.so"));
    guest.add("/name", program().needs("libx.so"));
    check("/name", &["/usr/lib/libx.so", "/usr/lib/libb.so"]);
    guest.add("/origin/bin", program().string(RUNPATH, "$ORIGIN/../opt").needs("liba.so"));
    check("/origin/bin", &["/opt/liba.so", "/deep/libb.so"]);
    guest.add("/lib-of", program().string(RUNPATH, "/opt:$LIB").needs("libb.so"));
    check("/lib-of", &["/usr/lib/libb.so"]);
    guest.add("/usr/local/lib/libb.so", library("libb.so"));
    check("/lib-of", &["/usr/local/lib/libb.so"]);
    guest.write("/etc/ld-musl-x86_64.path", b"/none\n/deep:/usr/lib\n");
    check("/lib-of", &["/deep/libb.so"]);
    guest.add("/lost", program().needs("libnone.so"));
    check("/lost", &["!libnone.so"]);
}

#[test]
fn a_program_linked_by_musl_gcc_needs_only_musl() {
    let Some(guest) = Guest::with(MUSL, Path::new(MUSL)) else { return };
    let Some(mut gcc) = judges::command("musl-gcc") else { return };
    let source = guest.scratch.file("program.c", "int main(void) { return 0; }\n");
    let output = gcc.arg("-o").arg(guest.scratch.join("program")).arg(source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    guest.check_by(&listing(guest.scratch.path(), &[MUSL, "--list"]), MUSL, "/program", &[]);
}

/// An emulated machine.
struct Machine {
    triplet: &'static str,
    loader: &'static str,
    emulator: &'static str,
    build: fn(Build) -> Build,
    /// Another machine of the same byte order.
    foreign: (bool, bool, u16),
}

#[test]
fn programs_for_aarch64_and_s390x_load_the_same_libraries() {
    let machines = [
        Machine {
            triplet: "aarch64-linux-gnu",
            loader: "/lib/ld-linux-aarch64.so.1",
            emulator: "qemu-aarch64-static",
            build: |build| build.machine(true, false, 183),
            foreign: (true, false, 62),
        },
        Machine {
            triplet: "s390x-linux-gnu",
            loader: "/lib/ld64.so.1",
            emulator: "qemu-s390x-static",
            build: |build| build.machine(true, true, 22),
            foreign: (true, true, 21),
        },
    ];
    for machine in machines {
        check_machine(&machine);
    }
}

fn check_machine(machine: &Machine) {
    let name = machine.loader.rsplit('/').next().unwrap();
    let libraries = format!("/usr/{}/lib", machine.triplet);
    let Some(guest) = Guest::with(machine.loader, &Path::new(&libraries).join(name)) else { return };
    let Some(emulator) = judges::locate(machine.emulator) else {
        judges::skip(machine.emulator, "the program is not installed");
        return;
    };
    guest.write("/emulator", &fs::read(emulator).unwrap());
    let judge = listing(guest.scratch.path(), &["/emulator", machine.loader, "--list"]);
    let check = |program: &str, expected: &[&str]| guest.check_by(&judge, machine.loader, program, expected);

    let own = format!("/usr/lib/{}/libz.so", machine.triplet);
    guest.add(&own, (machine.build)(library("libz.so")));
    let (wide, big_endian, number) = machine.foreign;
    guest.add("/opt/libz.so", library("libz.so").machine(wide, big_endian, number));
    let program = || (machine.build)(Build { interpreter: Some(machine.loader.to_owned()), ..Build::new() });
    // A library for another machine is skipped, whatever its byte order.
    guest.add("/program", program().string(RUNPATH, "/opt").needs("libz.so"));
    check("/program", &[&own]);
    guest.add("/opt/libz.so", library("libz.so").machine(wide, !big_endian, number));
    check("/program", &[&own]);
    guest.add(&format!("/opt/lib/{}/liby.so", machine.triplet), (machine.build)(library("liby.so")));
    guest.add("/lib-of", program().string(RUNPATH, "/opt/$LIB").needs("liby.so"));
    check("/lib-of", &[&format!("/opt/lib/{}/liby.so", machine.triplet)]);

    let Some(mut gcc) = judges::command(&format!("{}-gcc", machine.triplet)) else { return };
    if judges::file(&format!("/usr/{}/include/stdio.h", machine.triplet)).is_none() {
        return;
    }
    for library in ["libc.so.6", "libm.so.6"] {
        guest.write(
            &format!("/lib/{}/{library}", machine.triplet),
            &fs::read(format!("{libraries}/{library}")).unwrap(),
        );
    }
    let source = guest
        .scratch
        .file("math.c", "#include <math.h>\nint main(int c, char **v) { return (int)sin(c); }\n");
    let output = gcc.arg("-o").arg(guest.scratch.join("math")).arg(source).arg("-lm").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = ["libc.so.6", "libm.so.6"].map(|library| format!("/lib/{}/{library}", machine.triplet));
    check("/math", &[&found[0], &found[1]]);
}
