//! The files for running it elsewhere: a Dockerfile, an action, and the workflow that tests both.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Cell, assert_casts, program, repository};
use crate::fixtures::small;
use crate::judges;
use crate::product::{NOBODY, Scratch, rootcast, run};

const DOCKERFILE: &str = ".ci/Dockerfile";
const ACTION: &str = ".github/actions/rootcast/action.yml";
const WORKFLOW: &str = ".github/workflows/ci.yml";

fn text(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the instructions of a Dockerfile with their arguments.
fn instructions(dockerfile: &str) -> Vec<(String, String)> {
    let lines = dockerfile.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &str| {
        let (name, value) = line.split_once(' ').unwrap_or_else(|| panic!("{line} has no value"));
        (name.to_owned(), value.trim().to_owned())
    };
    lines.map(split).collect()
}

/// Assembles the root of the Dockerfile from the output of `.ci/release`, and runs it like a
/// container.
#[test]
fn the_container_makes_an_image() {
    let Some(mut cell) = Cell::new() else { return };
    let Some(program) = program() else { return };
    let instructions = instructions(&text(DOCKERFILE));
    assert_eq!(instructions[0], ("FROM".to_owned(), "scratch".to_owned()));
    let mut given = BTreeMap::new();
    for (name, value) in &instructions[1..] {
        match name.as_str() {
            "COPY" => {
                let (from, to) = value.split_once(' ').expect("one file and where to");
                assert_eq!(from, "rootcast", "{DOCKERFILE} copies what .ci/release does not make");
                cell.put_program(to, program);
            }
            "WORKDIR" => {
                // The user's own directory is mounted over it.
                cell.make_directory(value, NOBODY);
                cell.directory = value.clone();
            }
            "ENV" => {
                let (name, value) = value.split_once('=').expect("a name and a value");
                cell.environment.push((name.to_owned(), value.to_owned()));
            }
            "USER" | "ENTRYPOINT" | "CMD" => {
                assert_eq!(given.insert(name.as_str(), value.as_str()), None, "{name} is there twice");
            }
            _ => panic!("{DOCKERFILE} has {name}, which this test does not know"),
        }
    }
    assert_eq!(given["USER"], format!("{NOBODY}:{NOBODY}"));
    let words = |name: &str| -> Vec<String> { serde_json::from_str(given[name]).unwrap() };
    let [entry] = words("ENTRYPOINT").try_into().expect("the entry is one program");

    let help = run(cell.command("kill", &entry).args(words("CMD"))).success();
    assert!(help.unwrap_or_else(|why| panic!("{why}")).text().contains("Usage: rootcast"));

    let directory = cell.directory.clone();
    let source = format!("{directory}/source");
    small::small().make(&cell.path(&source));
    assert_casts(&cell, "kill", &entry, &source, &format!("{directory}/disk.img"));

    // Compressed archives need a temporary file, for which there has to be a directory.
    let Some(mut tar) = judges::command("tar") else { return };
    let archive = format!("{directory}/root.tar.gz");
    tar.arg("-czf").arg(cell.path(&archive)).arg("-C").arg(cell.path(&source)).arg(".");
    run(&mut tar).success().unwrap_or_else(|why| panic!("{why}"));
    assert_casts(&cell, "kill", &entry, &archive, &format!("{directory}/disk.img"));
}

/// Returns a YAML file as JSON, or `None` after a visible skip.
fn yaml(path: &str) -> Option<Value> {
    let mut python = judges::python_with_yaml()?;
    // GitHub's key `on` is a boolean in YAML 1.1.
    let script = "import json, sys, yaml; print(json.dumps(yaml.load(sys.stdin.read(), yaml.BaseLoader)))";
    let mut child = python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text(path).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{path} is not YAML");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Returns the value of a required key.
fn get<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or_else(|| panic!("{value} lacks {key}"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn steps(value: &Value) -> &[Value] {
    get(value, "steps").as_array().expect("steps are a list")
}

/// Expands `${{ … }}`; every name has to be known.
fn fill(text: &str, context: &BTreeMap<&str, String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (name, after) = after.split_once("}}").expect("an expression ends");
        filled += before;
        filled += context.get(name.trim()).unwrap_or_else(|| panic!("{name} is not known: {text}"));
        rest = after;
    }
    filled + rest
}

/// Runs a step of an action like the runner, in `workspace`.
fn step(step: &Value, context: &BTreeMap<&str, String>, workspace: &Path, user: &mut Command) {
    assert_eq!(get(step, "shell"), "bash");
    let script = get(step, "run").as_str().unwrap();
    assert!(!script.contains("${{"), "an input could be taken for a command: {script}");
    user.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(workspace);
    for (name, value) in get(step, "env").as_object().unwrap() {
        user.env(name, fill(value.as_str().unwrap(), context));
    }
}

/// Returns an ordinary user's shell, if the tests run as root.
fn shell() -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut bash = Command::new("/bin/bash");
    if judges::is_root() {
        bash.uid(NOBODY).gid(NOBODY);
    }
    bash.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    bash
}

#[test]
fn the_action_makes_an_image_as_an_ordinary_user() {
    let Some(action) = yaml(ACTION) else { return };
    let Some(program) = program() else { return };
    let [build, cast] = steps(get(&action, "runs")) else { panic!("the action has other steps") };
    let scratch = Scratch::new();
    // The action is in a checkout whose build script provides the program.
    let checkout = scratch.join("checkout");
    let here = checkout.join(ACTION).parent().unwrap().to_owned();
    fs::create_dir_all(&here).unwrap();
    fs::create_dir(checkout.join(".ci")).unwrap();
    scratch.file("rootcast", program);
    let script =
        format!("#!/bin/sh\nexec install -Dm755 '{}' \"$1/rootcast\"\n", scratch.join("rootcast").display());
    scratch.file("checkout/.ci/release", script);
    executable(&checkout.join(".ci/release"));

    let source = scratch.join("one source");
    small::small().make(&source);
    let over = scratch.join("over");
    fs::create_dir(&over).unwrap();
    scratch.file("over/added", "$(touch /tmp/never) \"quoted\"\n");
    let temp = scratch.join("temp");
    fs::create_dir(&temp).unwrap();
    fs::set_permissions(&temp, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
    let shown = |path: &Path| path.to_str().unwrap().to_owned();
    let mut context = BTreeMap::from([
        ("github.action_path", shown(&here)),
        ("runner.temp", shown(&temp)),
        ("inputs.source", "one source\nover\n".to_owned()),
        ("inputs.output", "the disk.img".to_owned()),
        ("inputs.args", "--layout\ngpt\n--arch\nx86_64\n".to_owned()),
        ("inputs.program", String::new()),
    ]);
    let inputs = keys(get(&action, "inputs"));
    let known = context.keys().filter_map(|name| name.strip_prefix("inputs."));
    assert_eq!(known.collect::<Vec<_>>(), sorted(inputs));

    let set = temp.join("set");
    let mut building = shell();
    step(build, &context, scratch.path(), &mut building);
    run(building.env("GITHUB_OUTPUT", &set)).success().unwrap_or_else(|why| panic!("{why}"));
    let set = fs::read_to_string(set).unwrap();
    let made = set.strip_prefix("program=").expect("it says where the program is").trim_end();
    context.insert("steps.program.outputs.program", made.to_owned());
    let promised = get(get(get(&action, "outputs"), "program"), "value").as_str().unwrap();
    assert_eq!(fill(promised, &context), made);

    let mut casting = shell();
    step(cast, &context, scratch.path(), &mut casting);
    run(&mut casting).success().unwrap_or_else(|why| panic!("{why}"));

    let expected = scratch.join("expected");
    let mut ordinary = rootcast();
    ordinary.arg("image").args([&source, &over]).arg("-o").arg(&expected);
    run(ordinary.args(["--layout", "gpt", "--arch", "x86_64"]))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    assert!(fs::read(scratch.join("the disk.img")).unwrap() == fs::read(expected).unwrap());
}

fn executable(path: &Path) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

/// Paths of this repository in a workflow exist, and an action is given the inputs it declares.
#[test]
fn the_workflow_builds_every_release_target() {
    let Some(workflow) = yaml(WORKFLOW) else { return };
    let Some(action) = yaml(ACTION) else { return };
    assert!(!keys(get(&workflow, "on")).is_empty());
    let inputs = get(&action, "inputs");
    let mut commands = Vec::new();
    for (name, job) in get(&workflow, "jobs").as_object().unwrap() {
        get(job, "runs-on");
        for step in steps(job) {
            if let Some(command) = step.get("run") {
                assert!(step.get("uses").is_none(), "{name}: {step}");
                commands.push(command.as_str().unwrap().to_owned());
                continue;
            }
            let uses = get(step, "uses").as_str().unwrap();
            let Some(ours) = uses.strip_prefix("./") else {
                assert!(uses.contains('@'), "{uses} names no version");
                continue;
            };
            assert_eq!(format!("{ours}/action.yml"), ACTION);
            let given = keys(get(step, "with"));
            assert!(given.iter().all(|key| inputs.get(key).is_some()), "{given:?}");
            let required = keys(inputs).into_iter().filter(|key| inputs[key]["required"] == "true");
            required.for_each(|key| assert!(given.contains(&key), "{key} is not given"));
        }
    }
    commands
        .extend(steps(get(&action, "runs")).iter().map(|step| get(step, "run").as_str().unwrap().to_owned()));
    let words: Vec<&str> = commands.iter().flat_map(|command| command.split_whitespace()).collect();
    assert!(!words.contains(&"sudo"), "{words:?}");
    assert!(words.contains(&".ci/run") && words.contains(&DOCKERFILE), "{words:?}");
    for word in words.iter().filter(|word| word.starts_with(".ci/")) {
        assert!(repository().join(word).is_file(), "{word} is missing");
    }
}
