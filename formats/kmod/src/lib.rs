//! Linux kernel modules and their indices: reads `.modinfo` and symbols of modules, and writes what
//! depmod writes, byte for byte, as a pure, deterministic library.
//!
//! ```text
//! kernel/…/9p.ko ──▶ Module::parse ─┐                  ┌─▶ modules.dep  .alias  .symbols  .softdep
//! kernel/…/loop.ko ▶ Module::parse ─┼─▶ plan ─▶ Indices┤   .weakdep  .devname
//! modules.order, .builtin, … ───────┘                  └─▶ .dep.bin  .alias.bin  .symbols.bin
//!                                                          .builtin.bin  .builtin.alias.bin
//! ```
//!
//! A module is an ELF object of 32 or 64 bits and either byte order. Its section `.modinfo` holds
//! `key=value` texts that end with NULs, and its symbols say what it exports and needs. The texts
//! of `modules.dep` and the other indices are for people and for `depmod`; `modprobe`, udev and
//! libkmod read the `.bin` files, each a trie of keys with big-endian numbers ([`Index`]).
//!
//! [`plan`] gives the bytes of kmod 30, and `modules.weakdep` as kmod 34 writes it. The order of
//! lines is that of `modules.order`, and for modules that it does not list that of a hash table.
//!
//! ```
//! use kmod_index::{Entry, Index, Module, Names, Sources, plan};
//!
//! let mut virtio = Module::default();
//! virtio.exports = [&b"register_virtio_driver"[..]].into_iter().collect();
//! let mut blk = Module::default();
//! blk.needs = [&b"register_virtio_driver"[..]].into_iter().collect();
//! blk.info.aliases.push(b"virtio:d00000002v*".to_vec());
//! let modules = [
//!     Entry::new(b"kernel/drivers/virtio/virtio.ko".to_vec(), virtio),
//!     Entry::new(b"kernel/drivers/block/virtio_blk.ko".to_vec(), blk),
//! ];
//! let order = Some(&b"kernel/drivers/virtio/virtio.ko\nkernel/drivers/block/virtio_blk.ko\n"[..]);
//! let indices = plan(&Sources { modules: &modules, order, ..Sources::default() })?;
//!
//! let dep = b"kernel/drivers/virtio/virtio.ko:\n\
//!             kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko\n";
//! assert_eq!(indices.file("modules.dep"), Some(&dep[..]));
//! let aliases = Index::parse(indices.file("modules.alias.bin").expect("it is written"))?;
//! let found = aliases.matching(b"virtio:d00000002v00001AF4")?;
//! assert_eq!(found[0].text, b"virtio_blk");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Looking modules up
//!
//! A [`Catalog`] holds the modules of a version by name, from the texts of the indices or, without
//! `modules.dep`, from the modules themselves. With a [`Config`], the files of `modprobe.d`, it
//! finds names, aliases with wildcards and symbols in the order of modprobe, and the order in which
//! modules are loaded.
//!
//! # Hostile input
//!
//! Modules, indices and configuration may be any bytes. Each part of a module is read only within
//! the file and up to a limit, and a walk over an index ends even if its nodes lead in a circle.
//! Modules are not decompressed here.

mod catalog;
mod config;
mod elf;
mod error;
mod fnmatch;
mod hash;
mod limits;
mod module;
mod name;
mod names;
mod plan;
mod strip;
mod trie;
mod warning;

pub use catalog::{Catalog, Found, Listed, Texts};
pub use config::{
    CONFIG_DIRECTORIES, Config, ConfigAlias, ConfigSoftdep, ConfigText, ConfigWeakdep, IgnoredLine,
};
pub use error::{Error, IndexError, ModuleError};
pub use fnmatch::fnmatch;
pub use limits::MAX_MEMORY;
pub use module::{Module, ModuleInfo, Signature, SoftDependencies};
pub use name::{is_module, module_name, normalize_alias, with_underscores};
pub use names::Names;
pub use plan::{Entry, Indices, Sources, plan, reduced_order};
pub use strip::{Stripped, has_debug_sections, strip};
pub use trie::{Index, Value};
pub use warning::Warning;

/// The crate that defines the contents that modules are read from.
pub use image_tree;

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
