//! Checks a number of inputs for each of the named targets: its seeds, then changed seeds.
//!
//! libFuzzer prefers inputs that reach new code, and what a run reaches depends on the keys of hash
//! maps, so it tries different inputs each time. These are the same every time. An input that
//! panics is written into `artifacts/TARGET/` of the directory, and the exit code is 1.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, panic, process, thread};

// With the coverage flags every crate calls its counters.
use libfuzzer_sys as _;
use rootcast_fuzz::mutate::mutate;
use rootcast_fuzz::random::Random;
use rootcast_fuzz::targets::{TARGETS, Target};

/// The maximum time for one input. Others may use the machine as well.
const MAX_TIME: Duration = Duration::from_secs(60);

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (directory, number, names) = match &arguments[..] {
        [directory, number, names @ ..] if number.parse::<usize>().is_ok() => (directory, number, names),
        _ => {
            eprintln!("usage: repeatable DIRECTORY NUMBER TARGET...");
            return Ok(ExitCode::from(2));
        }
    };
    let number = number.parse().unwrap_or(0);
    let started = Arc::new(AtomicUsize::new(0));
    let watched = Arc::clone(&started);
    thread::spawn(move || watch(&watched));
    let mut exit_code = ExitCode::SUCCESS;
    for name in names {
        let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
            eprintln!("{name} is not a fuzz target with seeds");
            return Ok(ExitCode::from(2));
        };
        match first_failure(target, number, &started) {
            None => println!("{name}: {number} inputs"),
            Some((index, input)) => {
                let path = Path::new(directory).join("artifacts").join(name).join(format!("input-{index}"));
                fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
                fs::write(&path, input)?;
                eprintln!("{name}: FOUND SOMETHING, {}", path.display());
                exit_code = ExitCode::FAILURE;
            }
        }
    }
    Ok(exit_code)
}

/// Returns the first input that panics, with its number.
fn first_failure(target: &Target, number: usize, started: &AtomicUsize) -> Option<(usize, Vec<u8>)> {
    let seeds = target.seeds();
    let mut random = Random::new(0x6361_7374);
    let changed = std::iter::repeat_with(|| mutate(&seeds, &mut random));
    let mut inputs = seeds.iter().cloned().chain(changed).take(number).enumerate();
    inputs.find(|(_, input)| {
        started.fetch_add(1, Ordering::Relaxed);
        panic::catch_unwind(|| (target.check)(input)).is_err()
    })
}

/// Ends the program when one input takes too long. The argument counts the inputs of all targets.
fn watch(inputs: &AtomicUsize) {
    let mut last = (0, Instant::now());
    loop {
        thread::sleep(Duration::from_secs(1));
        let started = inputs.load(Ordering::Relaxed);
        if started != last.0 {
            last = (started, Instant::now());
        } else if last.1.elapsed() > MAX_TIME {
            eprintln!("input {started} of all targets takes more than {} s", MAX_TIME.as_secs());
            process::exit(1);
        }
    }
}
