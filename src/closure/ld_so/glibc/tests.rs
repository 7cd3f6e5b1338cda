use super::*;

const X86_64: Abi = Abi { class: 2, data: 1, machine: 62 };

fn texts(paths: &[Vec<u8>]) -> Vec<String> {
    paths.iter().map(|path| path.escape_ascii().to_string()).collect()
}

#[test]
fn directories_are_read_from_the_dynamic_linker() {
    let debian =
        b"\x7fELF\0\x01\x02/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0\0/etc/\0";
    let found = compiled_in(debian).expect("they are there");
    assert_eq!(texts(&found), ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"]);
    assert_eq!(library_part(&found), b"lib/x86_64-linux-gnu");
    let fedora =
        compiled_in(b"/proc/self/\0/etc/ld.so.cache\0/lib64/\0/usr/lib64/\0x").expect("they are there");
    assert_eq!(
        (texts(&fedora), library_part(&fedora)),
        (vec!["/lib64".into(), "/usr/lib64".into()], b"lib64".to_vec())
    );
    let nix = compiled_in(b"/nix/store/abc-glibc-2.40/lib/\0\0").expect("they are there");
    assert_eq!(
        (texts(&nix), library_part(&nix)),
        (vec!["/nix/store/abc-glibc-2.40/lib".into()], b"lib".to_vec())
    );
    assert_eq!(compiled_in(b"nothing\0/etc/\0"), None);
}

#[test]
fn a_dynamic_linker_without_directories_searches_the_usual_ones() {
    assert_eq!(
        texts(&usual(b"/usr/lib/x86_64-linux-gnu", X86_64)),
        ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"]
    );
    assert_eq!(texts(&usual(b"/usr/lib64", X86_64)), ["/lib64", "/usr/lib64"]);
    let riscv = Abi { class: 2, data: 1, machine: 243 };
    assert_eq!(texts(&usual(b"/usr/lib", riscv)), ["/lib64/lp64d", "/usr/lib64/lp64d"]);
    assert_eq!(texts(&usual(b"/usr/lib", Abi { class: 1, data: 1, machine: 40 })), ["/lib", "/usr/lib"]);
}

#[test]
fn names_of_libraries_are_those_of_ldconfig() {
    for name in ["libc.so.6", "libx-1.so", "ld-linux.so.2", "ld64.so.1"] {
        assert!(is_library_name(name.as_bytes()), "{name}");
    }
    for name in ["libc", "c.so", "ldx.so"] {
        assert!(!is_library_name(name.as_bytes()), "{name}");
    }
}

#[test]
fn tokens_end_where_their_name_does() {
    for (text, after) in [
        ("ORIGIN", Some("")),
        ("ORIGIN/lib", Some("/lib")),
        ("{ORIGIN}lib", Some("lib")),
        ("ORIGIN-x", Some("-x")),
        ("ORIGIN_x", None),
        ("ORIGINAL", None),
        ("ORIGIN2", None),
        ("{ORIGIN/lib", None),
        ("{ORIGIN", None),
        ("LIB", None),
    ] {
        assert_eq!(token(text.as_bytes(), b"ORIGIN"), after.map(str::as_bytes), "{text}");
    }
}
