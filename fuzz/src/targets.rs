//! The targets by name, with the first inputs of each.

use crate::closure::{self, known, packages, programs};
use crate::formats::{dax_header, ext4, initramfs_check, kmod, partition, verity};
use crate::random::Random;
use crate::sources::{container, deb_archive, dump, inrelease, tar};
use crate::transforms::{accounts, configure, edits, file_contexts, mtree};
use crate::{Outcome, architecture, arguments, dracut, recipe};

/// A fuzz target.
pub struct Target {
    /// Its name in `fuzz_targets`.
    pub name: &'static str,
    /// Checks an input.
    pub check: fn(&[u8]) -> Outcome,
    seed: fn(Vec<u8>) -> Vec<u8>,
    /// The minimum number of 100 seeds that are accepted.
    pub taken: usize,
}

/// All of them, by name.
pub const TARGETS: &[Target] = &[
    Target { name: "accounts", check: accounts::check, seed: |b| accounts::text(&b), taken: 40 },
    Target { name: "architecture", check: architecture::check, seed: |bytes| bytes, taken: 30 },
    Target { name: "arguments", check: arguments::check, seed: |bytes| bytes, taken: 20 },
    Target { name: "closure_elf", check: programs::check_elf, seed: |b| programs::elf(&b), taken: 60 },
    Target { name: "closure_known", check: known::check, seed: |b| known::text(&b), taken: 50 },
    Target {
        name: "closure_ld_cache",
        check: closure::check_ld_cache,
        seed: |bytes| closure::ld_cache(&bytes),
        taken: 80,
    },
    Target { name: "closure_notes", check: closure::check_notes, seed: |b| closure::notes(&b), taken: 50 },
    Target { name: "closure_packages", check: packages::check_text, seed: |b| packages::text(&b), taken: 60 },
    Target { name: "closure_programs", check: programs::check, seed: |bytes| bytes, taken: 30 },
    Target { name: "closure_rpm", check: packages::check_rpm, seed: |b| packages::rpm(&b), taken: 60 },
    Target { name: "closure_rules", check: closure::check_rules, seed: |b| closure::rules(&b), taken: 70 },
    Target { name: "closure_units", check: closure::check_units, seed: |b| closure::units(&b), taken: 70 },
    Target { name: "configure", check: configure::check, seed: |b| configure::text(&b), taken: 20 },
    Target { name: "container_documents", check: container::check_documents, seed: |bytes| bytes, taken: 0 },
    Target { name: "container_layers", check: container::check_layers, seed: |bytes| bytes, taken: 1 },
    Target { name: "dax_header", check: dax_header::check, seed: |b| dax_header::block(&b), taken: 80 },
    Target { name: "deb_selection", check: deb_archive::check_selection, seed: |bytes| bytes, taken: 100 },
    Target { name: "deb_texts", check: deb_archive::check_text, seed: |b| deb_archive::text(&b), taken: 50 },
    Target { name: "dracut", check: dracut::check, seed: |bytes| dracut::text(&bytes), taken: 100 },
    Target { name: "dump", check: dump::check_text, seed: |bytes| dump::text(&bytes), taken: 90 },
    Target { name: "dump_of_tree", check: dump::check_tree, seed: |bytes| bytes, taken: 100 },
    Target { name: "ext4", check: ext4::check, seed: |bytes| bytes, taken: 75 },
    Target {
        name: "file_contexts",
        check: file_contexts::check,
        seed: |b| file_contexts::text(&b),
        taken: 60,
    },
    Target {
        name: "initramfs_check",
        check: initramfs_check::check,
        seed: |b| initramfs_check::archive(&b),
        taken: 90,
    },
    Target { name: "inrelease", check: inrelease::check, seed: |b| inrelease::input(&b), taken: 20 },
    Target { name: "kmod_config", check: kmod::check_config, seed: |b| kmod::config(&b), taken: 10 },
    Target { name: "kmod_index", check: kmod::check_index, seed: |b| kmod::index(&b), taken: 60 },
    Target { name: "kmod_module", check: kmod::check_module, seed: |b| kmod::module(&b), taken: 40 },
    Target { name: "mtree", check: mtree::check, seed: |bytes| mtree::text(&bytes), taken: 50 },
    Target { name: "owners_and_edits", check: edits::check, seed: |bytes| bytes, taken: 30 },
    Target { name: "partition", check: partition::check, seed: |bytes| bytes, taken: 80 },
    Target { name: "recipe", check: recipe::check, seed: |bytes| recipe::text(&bytes), taken: 50 },
    Target { name: "tar", check: tar::check_bytes, seed: |bytes| tar::archive(&bytes), taken: 50 },
    Target { name: "tar_of_members", check: tar::check_members, seed: |bytes| bytes, taken: 50 },
    Target {
        name: "verity_parameters",
        check: verity::check_parameters,
        seed: |bytes| verity::parameters(&bytes),
        taken: 60,
    },
    Target {
        name: "verity_superblock",
        check: verity::check_superblock,
        seed: |bytes| verity::superblock(&bytes),
        taken: 60,
    },
];

impl Target {
    /// Returns its 100 first inputs, the same ones every time.
    #[must_use]
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let mut random = Random::new(0x726f_6f74_6361_7374);
        // Short ones first: most code is reached by few decisions.
        let lengths = (0..100).map(|number| 8 + number * number / 16);
        lengths.map(|len| (self.seed)((0..len).map(|_| random.byte()).collect())).collect()
    }
}
