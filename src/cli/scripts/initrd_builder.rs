//! `initrd_builder.sh [OPTIONS] ROOTFS`.

use std::ffi::{OsStr, OsString};

use super::environment::{Environment, OF_CONTAINERS};
use super::options;
use super::translated::Translated;

const USAGE: &str = "\
Usage: initrd_builder.sh [options] <rootfs-dir>
  Makes a Kata Containers initrd of a directory or a tar archive, without root.

Options:
  -h  Show this help
  -o  Path of the initrd. ENV: INITRD_IMAGE  [default: kata-containers-initrd.img]

Environment variables:
  AGENT_INIT=yes      the agent is the init
  DEBUG               report each step
  SOURCE_DATE_EPOCH   the latest time of files
  AGENT_BIN           kata-agent, its only name
";

/// The only name of the agent that the guests' units start.
const AGENT: &str = "kata-agent";

pub(super) fn translate(arguments: &[OsString], environment: &Environment) -> Result<Translated, String> {
    let parsed = options::parse("ho:", arguments)?;
    let mut image =
        environment.get("INITRD_IMAGE").unwrap_or(OsStr::new("kata-containers-initrd.img")).to_owned();
    for (letter, value) in parsed.options {
        match letter {
            'o' => image = value,
            _ => return Ok(Translated::Help(USAGE)),
        }
    }
    let Some(rootfs) = parsed.operands.first().filter(|rootfs| !rootfs.is_empty()) else {
        return Ok(Translated::Help(USAGE));
    };
    if let Some(other) = environment.text("AGENT_BIN")?.filter(|name| *name != AGENT) {
        return Err(format!("AGENT_BIN={other}: the guest's units start /usr/bin/{AGENT}; rename the agent"));
    }
    let mut line: Vec<OsString> =
        ["initrd", "--preset", "kata", "--compress", "gzip:9"].map(OsString::from).into();
    let is_init = environment.is_yes("AGENT_INIT")?;
    line.push(if is_init { "--kata-agent-init" } else { "--kata-agent-init=no" }.into());
    line.extend(["-o".into(), image]);
    if environment.get("DEBUG").is_some() {
        line.push("-v".into());
    }
    line.extend(["--".into(), rootfs.clone()]);
    Ok(Translated::Arguments(line, environment.without_effect(OF_CONTAINERS)))
}
