//! Writes the indices of uncompressed modules: `cargo run --example depmod -- lib/modules/VERSION OUT`.
//!
//! The files of OUT are those that `depmod -b` writes into lib/modules/VERSION, and
//! modules.weakdep.

use std::env::args_os;
use std::error::Error;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use kmod_index::{Entry, Module, Sources, is_module, plan};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = args_os().skip(1).map(PathBuf::from);
    let (Some(version), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("the arguments are lib/modules/VERSION and a directory".into());
    };
    let mut modules = Vec::new();
    add(&version, &version, &mut modules)?;
    let read = |name: &str| fs::read(version.join(name)).ok();
    let (order, builtin) = (read("modules.order"), read("modules.builtin"));
    let builtin_modinfo = read("modules.builtin.modinfo");
    let indices = plan(&Sources {
        modules: &modules,
        order: order.as_deref(),
        builtin: builtin.as_deref(),
        builtin_modinfo: builtin_modinfo.as_deref(),
    })?;
    indices.warnings.iter().for_each(|warning| eprintln!("{warning}"));
    fs::create_dir_all(&out)?;
    for (name, bytes) in &indices.files {
        fs::write(out.join(name), bytes)?;
    }
    Ok(())
}

/// Adds the modules below a directory of the version.
fn add(version: &Path, directory: &Path, modules: &mut Vec<Entry>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().as_bytes();
        if path.is_dir() && name != b"build" && name != b"source" {
            add(version, &path, modules)?;
        } else if is_module(name) {
            let module = Module::parse(&fs::read(&path)?);
            let module = module.map_err(|error| format!("{}: {error}", path.display()))?;
            let relative = path.strip_prefix(version)?.as_os_str().as_bytes();
            modules.push(Entry::new(relative.to_vec(), module));
        }
    }
    Ok(())
}
