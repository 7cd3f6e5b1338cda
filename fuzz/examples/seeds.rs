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
use rootcast_fuzz::Outcome;
use rootcast_fuzz::targets::{TARGETS, Target};

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
    let mut taken = 0;
    for (number, seed) in target.seeds().iter().enumerate() {
        fs::write(directory.join(format!("seed-{number:02}")), seed)?;
        let outcome = panic::catch_unwind(|| (target.check)(seed)).unwrap_or(Outcome::Checked);
        taken += usize::from(outcome == Outcome::Checked);
    }
    Ok(taken)
}
