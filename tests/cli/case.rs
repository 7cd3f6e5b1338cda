//! One command line and its results.

use std::fs;
use std::path::Path;

use super::inputs::scratch;
use crate::product::{rootcast, run};

/// One command line. In the arguments, `{source}` is a directory with one small file, `{dump}` a
/// dump, `{initrd}` one with an `/init`, `{out}` a new file in an existing directory, `{scratch}`
/// that directory.
pub(crate) struct Case {
    pub(crate) arguments: &'static str,
    /// The accepted exit codes; more than one if two faults coincide.
    pub(crate) codes: &'static [i32],
    /// Words on standard error.
    pub(crate) stderr: &'static [&'static str],
    /// Words on standard output.
    pub(crate) stdout: &'static [&'static str],
}

pub(crate) const OK: &[i32] = &[0];
pub(crate) const REJECTED: &[i32] = &[1];
pub(crate) const USAGE: &[i32] = &[2];
pub(crate) const BAD_INPUT: &[i32] = &[3];
pub(crate) const DOES_NOT_FIT: &[i32] = &[4];
pub(crate) const IO: &[i32] = &[6];

pub(crate) const fn good(arguments: &'static str, stdout: &'static [&'static str]) -> Case {
    Case { arguments, codes: OK, stderr: &[], stdout }
}

pub(crate) const fn bad(
    codes: &'static [i32],
    arguments: &'static str,
    stderr: &'static [&'static str],
) -> Case {
    Case { arguments, codes, stderr, stdout: &[] }
}

/// Runs all cases, each in a directory of its own, and reports every one that fails.
pub(crate) fn check_all(cases: &[Case]) {
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let scratch = scratch();
    let before = listing(scratch.path());
    let place = scratch.path().to_str().unwrap();
    let arguments = case
        .arguments
        .replace("{source}", "{scratch}/source")
        .replace("{dump}", "{scratch}/tree.dump")
        .replace("{initrd}", "{scratch}/initrd.dump")
        .replace("{out}", "{scratch}/out")
        .replace("{scratch}", place);
    let outcome = run(rootcast().args(arguments.split_whitespace()));
    let wrong = |fault: String| Err(format!("rootcast {}\n{fault}\n{outcome}", case.arguments));

    if !outcome.code.is_some_and(|code| case.codes.contains(&code)) {
        return wrong(format!("exit code: expected {:?}", case.codes));
    }
    let (stdout, stderr) = (outcome.text(), &outcome.stderr);
    if let Some(word) = case.stdout.iter().find(|word| !stdout.contains(**word)) {
        return wrong(format!("standard output lacks “{word}”"));
    }
    if let Some(word) = case.stderr.iter().find(|word| !stderr.contains(**word)) {
        return wrong(format!("standard error lacks “{word}”"));
    }
    if stderr.contains("panicked") {
        return wrong("it panicked".to_owned());
    }
    if case.codes == OK && case.arguments.contains(" -q") && !stderr.is_empty() {
        return wrong("it is not quiet".to_owned());
    }
    let mut expected = before;
    if case.codes == OK && case.arguments.contains("{out}") {
        expected.push("out".to_owned());
        expected.sort();
    }
    if listing(scratch.path()) != expected {
        return wrong(format!("it left {:?}", listing(scratch.path())));
    }
    Ok(())
}

/// Returns the names in a directory, including hidden ones.
fn listing(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
