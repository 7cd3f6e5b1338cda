//! Writes the first inputs of each target into `corpus/TARGET/` in the given directory, and reports
//! how many of them are accepted.
//!
//! The bytes come from a generator with a fixed seed, so every run writes the same ones. It fails
//! if a target rejects almost everything: such a target would test errors only.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io, panic};

// With the coverage flags every crate calls its counters.
use libfuzzer_sys as _;
use rootcast_fuzz::closure::{self, known, packages, programs};
use rootcast_fuzz::formats::{dax_header, ext4, initramfs_check, partition, verity};
use rootcast_fuzz::sources::{container, dump, tar};
use rootcast_fuzz::transforms::{accounts, edits, file_contexts, mtree};
use rootcast_fuzz::{Outcome, architecture, arguments, dracut, recipe};

struct Target {
    name: &'static str,
    check: fn(&[u8]) -> Outcome,
    seed: fn(Vec<u8>) -> Vec<u8>,
    /// The minimum number of 100 seeds that are accepted.
    taken: usize,
}

const TARGETS: &[Target] = &[
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
    Target { name: "container_documents", check: container::check_documents, seed: |bytes| bytes, taken: 0 },
    Target { name: "container_layers", check: container::check_layers, seed: |bytes| bytes, taken: 1 },
    Target { name: "dax_header", check: dax_header::check, seed: |b| dax_header::block(&b), taken: 80 },
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

fn main() -> io::Result<ExitCode> {
    let Some(directory) = env::args_os().nth(1) else {
        eprintln!("usage: seeds DIRECTORY");
        return Ok(ExitCode::from(2));
    };
    // The target itself finds panics, and reports more about them.
    panic::set_hook(Box::new(|_| {}));
    let mut exit_code = ExitCode::SUCCESS;
    for target in TARGETS {
        let taken = write(target, &Path::new(&directory).join("corpus").join(target.name))?;
        println!("{}: {taken} of 100 seeds are taken", target.name);
        if taken < target.taken {
            eprintln!("{}: at least {} should be", target.name, target.taken);
            exit_code = ExitCode::FAILURE;
        }
    }
    Ok(exit_code)
}

fn write(target: &Target, directory: &Path) -> io::Result<usize> {
    fs::create_dir_all(directory)?;
    let mut random = Random(0x726f_6f74_6361_7374);
    let mut taken = 0;
    for number in 0..100 {
        // Short ones first: most code is reached by few decisions.
        let len = 8 + number * number / 16;
        let bytes = (0..len).map(|_| random.next()).collect();
        let seed = (target.seed)(bytes);
        fs::write(directory.join(format!("seed-{number:02}")), &seed)?;
        taken += usize::from(
            panic::catch_unwind(|| (target.check)(&seed)).unwrap_or(Outcome::Checked) == Outcome::Checked,
        );
    }
    Ok(taken)
}

/// SplitMix64, of which each number gives one byte.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed.to_be_bytes()[0]
    }
}
