//! Objects and indices that no kernel has.

use std::ops::ControlFlow;

use kmod_index::{Catalog, Config, Found, Index, IndexError, Module, ModuleError, Texts};

use crate::object::{Format, Object};

/// The end of the ELF header, where the first section that is not empty begins.
const SECTIONS: usize = 64;

#[test]
fn registers_of_sparc_are_not_symbols_that_a_module_needs() {
    let object = Object { undefined: vec!["z"], ..Object::default() };
    let needs = |machine: u8, info: u8| {
        let mut bytes = object.bytes(Format::LE64);
        bytes[18] = machine;
        // The second symbol.
        bytes[SECTIONS + 24 + 4] = info;
        Module::parse(&bytes).expect("it is valid").needs.len()
    };
    let (sparc, x86, register, global) = (43, 62, 0x1d, 0x10);
    assert_eq!([needs(sparc, register), needs(sparc, global), needs(x86, register)], [0, 1, 1]);
}

#[test]
fn names_of_symbols_are_limited_together() {
    let long: &'static str = "x".repeat(1 << 20).leak();
    let parse = |count: usize| {
        Module::parse(&Object { undefined: vec![long; count], ..Object::default() }.bytes(Format::LE64))
    };
    assert!(parse(4).is_ok());
    let error = parse(5).expect_err("it is too long").to_string();
    assert_eq!(error, "the list of symbols has 5242880 bytes, the limit is 4194304");
}

#[test]
fn wrong_lengths_are_errors() {
    let mut bytes = Object::default().bytes(Format::LE64);
    bytes[58] = 65;
    let error = Module::parse(&bytes).expect_err("it is too long");
    assert!(matches!(error, ModuleError::HeaderLength { len: 65, expected: 64 }), "{error}");
    let mut bytes = Object { strings: vec!["y"], ..Object::default() }.bytes(Format::LE64);
    assert_eq!(bytes[SECTIONS..][..2], *b"y\0");
    bytes[SECTIONS + 1] = b'z';
    let error = Module::parse(&bytes).expect_err("the string does not end");
    assert!(matches!(error, ModuleError::Exports), "{error}");
}

#[test]
fn commands_and_what_is_built_in_are_found() {
    let mut config = Config::default();
    assert_eq!(config.add(b"install a-b /bin/true\nremove c /bin/true\n"), []);
    let catalog =
        Catalog::from_texts(&Texts { builtin_modinfo: b"ext-4.alias=fs-ext4\0", ..Texts::default() });
    let found = |name: &str| catalog.lookup(&config, name.as_bytes());
    assert_eq!([found("a-b"), found("c"), found("d")], [Found::Command, Found::Command, Found::Nothing]);
    assert_eq!(found("fs_ext4"), Found::BuiltIn(vec![b"ext_4"]));
}

#[test]
fn a_node_that_is_its_own_child_is_a_circle() {
    for byte in [b'a', b'*'] {
        let start = [0xb0, 0x07, 0xf4, 0x57, 0, 2, 0, 1];
        // A node at offset 12 with children.
        let root = [0x20, 0, 0, 12];
        let bytes = [&start[..], &root, &[byte, byte], &root].concat();
        let index = Index::parse(&bytes).expect("the header is valid");
        assert_eq!(index.for_each(&mut |_, _| ControlFlow::Continue(())), Err(IndexError::Circle));
        let name = b"a".repeat(100);
        assert_eq!(index.matching(&name), Err(IndexError::Circle), "{byte}");
    }
}
