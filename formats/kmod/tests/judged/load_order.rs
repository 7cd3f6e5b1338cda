//! Load orders compared with those of `modprobe --show-depends`.

use std::ffi::OsStr;

use kmod_index::{Catalog, Config, Found, Texts};

use crate::kernel::version;
use crate::version::{Version, cloud_kernel, modules};

/// Returns what modprobe prints for a module.
fn show_depends(version: &Version, catalog: &Catalog, config: &Config, name: &[u8]) -> String {
    let mut text = String::new();
    let found = match catalog.lookup(config, name) {
        Found::Modules(names) | Found::BuiltIn(names) => names,
        other => panic!("{}: {other:?}", name.escape_ascii()),
    };
    for name in found.into_iter().flat_map(|name| catalog.load_order(config, name)) {
        let shown = match catalog.module(&name) {
            Some(listed) => {
                let path = version.directory().join(listed.path.escape_ascii().to_string());
                format!("insmod {} \n", path.display())
            }
            None => format!("builtin {}\n", name.escape_ascii()),
        };
        text.push_str(&shown);
    }
    text
}

#[test]
fn load_orders_are_those_of_modprobe() {
    let Some(kernel) = cloud_kernel() else { return };
    let modules = modules(&kernel);
    let version = version(&kernel, &modules);
    // modprobe reads our indices.
    let files = version.planned(&modules);
    for (name, bytes) in &files {
        version.write(name, bytes);
    }
    version.write("../../../configuration/test.conf", b"softdep virtio-net pre: 9p post: loop\n");
    let mut config = Config::default();
    assert_eq!(config.add(&files["modules.softdep"]), []);
    assert_eq!(config.add(b"softdep virtio-net pre: 9p post: loop\n"), []);
    let (builtin, modinfo) = (version.read("modules.builtin"), version.read("modules.builtin.modinfo"));
    let catalog = Catalog::from_texts(&Texts {
        dep: &files["modules.dep"],
        alias: &files["modules.alias"],
        symbols: &files["modules.symbols"],
        builtin: builtin.as_deref().expect("it was written"),
        builtin_modinfo: modinfo.as_deref().expect("it was written"),
    });
    let names: Vec<String> = modules.iter().map(|entry| entry.name.escape_ascii().to_string()).collect();
    let aliases =
        ["fs-ext4", "crc32c", "net-pf-10", "symbol:vsock_core_register", "virtio:d00000001v00001AF4"];
    let asked: Vec<&str> = names.iter().map(String::as_str).chain(aliases).collect();
    // modprobe leaves out what an earlier name of one call has loaded, so that each gets its own.
    let check = |name: &&str| {
        let root = version.root().as_os_str();
        let options = ["-S", "1.2.3", "--show-depends", name].map(OsStr::new);
        let arguments: Vec<&OsStr> = [OsStr::new("-d"), root].into_iter().chain(options).collect();
        let Some(output) = version.run("modprobe", &arguments) else { return };
        let ours = show_depends(&version, &catalog, &config, name.as_bytes());
        assert_eq!(ours, String::from_utf8_lossy(&output.stdout), "{name}");
    };
    std::thread::scope(|scope| {
        for part in asked.chunks(asked.len().div_ceil(4)) {
            scope.spawn(|| part.iter().for_each(check));
        }
    });
}
