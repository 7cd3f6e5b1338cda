//! Modules of every kind of object, with the values and orders that kernels rarely have.

use crate::object::{Format, Object};
use crate::version::Version;
use kmod_index::{Catalog, Config, Entry, Error, Found, Module, Sources, Texts, Warning, plan};

/// Modules with every kind of value: aliases with sets and dashes, devices, soft and weak
/// dependencies, exports with checksums and without, names of `__versions` only.
fn objects() -> Vec<(&'static str, Object)> {
    let base = Object {
        modinfo: vec![
            "",
            "license=GPL",
            "alias=char-major-10-237",
            "alias=devname:base-control",
            "alias=a-[0-9-]*",
        ],
        exports: vec!["base_one", "base_two"],
        ..Object::default()
    };
    let strings = Object {
        modinfo: vec!["alias=a_[0-9-]*", "alias=block-major-7-*", "softdep=pre: base post: top"],
        strings: vec!["from_strings", "", "A_NAMESPACE"],
        undefined: vec!["base_two", "of_the_kernel"],
        ..Object::default()
    };
    let top = Object {
        modinfo: vec![
            "alias=x",
            "alias=x-y",
            "alias=x_y",
            "alias=open[",
            "alias=devname:lost",
            "weakdep=base",
            "depends=strings",
        ],
        undefined: vec!["from_strings", "base_one", ".base_two", ""],
        versions: vec!["module_layout", "only_in_versions", "base_one"],
        ..Object::default()
    };
    let versions = Object { exports: vec!["only_in_versions"], ..Object::default() };
    let plain = Object { modinfo: vec!["alias=symbol:x", "softdep=base"], ..Object::default() };
    vec![
        ("kernel/fs/base-fs.ko", base),
        ("kernel/strings.ko", strings),
        ("extra/top.mod.ko", top),
        ("updates/dkms/versions.ko", versions),
        ("plain.ko", plain),
    ]
}

fn version(format: Format, order: Option<&[u8]>) -> Version {
    let version = Version::new();
    for (path, object) in objects() {
        version.write(path, &object.bytes(format));
    }
    if let Some(order) = order {
        version.write("modules.order", order);
    }
    version
}

#[test]
fn objects_of_every_kind_give_the_indices_of_depmod() {
    for format in Format::ALL {
        let version = version(format, Some(b"plain.ko\nkernel/strings.ko\nkernel/fs/base-fs.ko\n"));
        version.write("modules.builtin", b"kernel/fs/ext4/ext4.ko\nkernel/a-b.ko\nkernel/a-b.ko\n");
        version.write(
            "modules.builtin.modinfo",
            b"ext4.alias=fs-ext4\0ext4.license=GPL\0x.y.alias=z\0a.alias=b-[-]\0",
        );
        if !version.check(&version.modules()) {
            return;
        }
    }
}

#[test]
fn every_order_gives_the_indices_of_depmod() {
    let orders: [Option<&[u8]>; 6] = [
        None,
        Some(b""),
        Some(b"no/such.ko\nextra/top.mo\nextra/top.ko\n"),
        Some(b"plain.ko\nkernel/strings.ko\nplain.ko\n"),
        Some(b"plain.ko\nkernel/strings.ko"),
        Some(b"updates/dkms/versions.ko\n\n\nkernel/fs/base-fs.ko\nkernel/fs/base_fs.ko\n"),
    ];
    for order in orders {
        let version = version(Format::LE64, order);
        if !version.check(&version.modules()) {
            return;
        }
    }
}

#[test]
fn no_modules_give_the_indices_of_depmod() {
    let version = Version::new();
    version.check(&[]);
}

#[test]
fn updates_take_the_place_of_other_modules() {
    let version = version(Format::LE64, None);
    let other = Object { modinfo: vec!["alias=other"], ..Object::default() };
    version.write("kernel/versions.ko", &other.bytes(Format::LE64));
    version.check(&version.modules());
}

#[test]
fn decisions_are_reported() {
    let entry = |path: &str, modinfo: &[&'static str]| {
        let object = Object { modinfo: modinfo.to_vec(), ..Object::default() };
        let module = Module::parse(&object.bytes(Format::LE64)).expect("it is valid");
        Entry::new(path.as_bytes().to_vec(), module)
    };
    let modules = [
        entry("kernel/b.ko", &["alias=]"]),
        entry("kernel/a/b.ko", &["alias=devname:d"]),
        entry("updates/c.ko", &["alias=devname:d", "alias=x]"]),
        entry("kernel/c.ko", &[]),
    ];
    let sources = Sources { modules: &modules, builtin: Some(b"kernel/x.ko\n/y.ko\n"), ..Sources::default() };
    let texts: Vec<String> =
        plan(&sources).expect("they can be expressed").warnings.iter().map(Warning::to_string).collect();
    assert_eq!(
        texts,
        [
            "kernel/b.ko is ignored, because kernel/a/b.ko is a module of the same name",
            "kernel/c.ko is ignored, because updates/c.ko is a module of the same name",
            "modules.order is missing: no module counts more than another",
            "c: the brackets of the alias \"x]\" do not match: it cannot be looked up",
            "c: the device \"d\" has no number and is not in modules.devname",
            "b: the device \"d\" has no number and is not in modules.devname",
            "modules.builtin: \"/y.ko\" is not the path of a module",
        ]
    );
}

#[test]
fn a_catalog_has_the_modules_of_the_index() {
    let entry = |path: &str, alias: &str| {
        let mut module = Module::default();
        module.info.aliases.push(alias.as_bytes().to_vec());
        Entry::new(path.as_bytes().to_vec(), module)
    };
    let modules = [
        entry("updates/c.ko", "x"),
        entry("extra/b.ko", "x"),
        entry("kernel/b.ko", "y"),
        entry("zzz/c.ko", "y"),
    ];
    let indices = plan(&Sources { modules: &modules, ..Sources::default() }).expect("they can be expressed");
    let text = |name: &str| indices.file(name).expect("it is written");
    let texts = Texts { dep: text("modules.dep"), alias: text("modules.alias"), ..Texts::default() };
    let (indexed, read) =
        (Catalog::from_texts(&texts), Catalog::from_modules(&modules, b"", b"").expect("few"));
    let paths = |catalog: &Catalog| -> Vec<_> {
        catalog.modules().map(|(_, listed)| listed.path.escape_ascii().to_string()).collect()
    };
    assert_eq!(
        (paths(&indexed), paths(&read)),
        (paths(&read), vec!["extra/b.ko".into(), "updates/c.ko".into()])
    );
    assert_eq!(read.lookup(&Config::default(), b"y"), Found::Nothing);
}

#[test]
fn what_indices_cannot_hold_is_an_error() {
    let error = |path: &str, value: &'static str| {
        let object = Object { modinfo: vec![value], ..Object::default() };
        let module = Module::parse(&object.bytes(Format::LE64)).expect("it is valid");
        let modules = [Entry::new(path.as_bytes().to_vec(), module)];
        plan(&Sources { modules: &modules, ..Sources::default() }).expect_err("it cannot be expressed")
    };
    for path in ["kernel/a b.ko", "kernel/a:b/c.ko", "kernel/\u{e4}.ko", "a\n.ko"] {
        assert_eq!(error(path, ""), Error::Path { path: path.as_bytes().to_vec() });
    }
    for (value, kind) in
        [("alias=a\nb", "alias"), ("alias=\u{e4}", "alias"), ("softdep=pre: a\nx", "softdep")]
    {
        let text = error("kernel/a.ko", value).to_string();
        assert!(text.starts_with(&format!("a: the {kind} \"")), "{text}");
    }
}
