//! The summary of a guest that other tools parse: `/var/lib/osbuilder/osbuilder.yaml`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::agent::AGENT;
use super::guest::Guest;
use super::os_release::OsRelease;
use super::setup::{GuestInit, Setup, Summary};
use crate::architecture::Architecture;
use crate::calendar;
use crate::error::Result;

const PATH: &str = "/var/lib/osbuilder/osbuilder.yaml";

/// The version of the format that osbuilder states.
const FORMAT: &str = "0.0.2";

const OSBUILDER_URL: &str = "https://github.com/kata-containers/kata-containers/tools/osbuilder";
const AGENT_URL: &str = "https://github.com/kata-containers/kata-containers";

pub(super) fn write(guest: &mut Guest<'_>, setup: &Setup) -> Result<()> {
    let release = OsRelease::of(guest)?;
    let mut machine = None;
    for path in [AGENT, "/sbin/init", "/bin/sh"] {
        machine = machine.or(guest.architecture(path)?);
    }
    let time = calendar::rfc3339(guest.time().seconds());
    let text = text(setup, &release, machine, time.trim_end_matches('Z'));
    if guest.text(PATH)?.is_some_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    guest.write(PATH, text, 0o644)
}

fn text(setup: &Setup, release: &OsRelease, machine: Option<Architecture>, time: &str) -> String {
    let Summary { version, distribution: (name, of), packages: (default, extra), agent_version } =
        &setup.summary;
    let or = |given: &String, other: &str| quoted(if given.is_empty() { other } else { given });
    let list = |packages: &BTreeSet<String>| {
        packages.iter().fold(String::new(), |mut list, package| {
            // Writing to a string cannot fail.
            let _ = write!(list, "\n      - {}", quoted(package));
            list
        })
    };
    let is_init = if setup.init == GuestInit::Agent { "yes" } else { "no" };
    format!(
        "---
osbuilder:
  url: {url}
  version: {version}
rootfs-creation-time: \"{time}.000000000+0000Z\"
description: \"osbuilder rootfs\"
file-format-version: \"{FORMAT}\"
architecture: {machine}
base-distro:
  name: {name}
  version: {of}
  packages:
    default:{default}
    extra:{extra}
agent:
  url: {agent_url}
  name: \"kata-agent\"
  version: {agent_version}
  agent-is-init-daemon: \"{is_init}\"
",
        url = quoted(OSBUILDER_URL),
        version = or(version, concat!("rootcast-", env!("CARGO_PKG_VERSION"))),
        machine = quoted(machine.map_or("unknown", of_uname)),
        name = or(name, &release.id),
        of = or(of, release.version()),
        default = list(default),
        extra = list(extra),
        agent_url = quoted(AGENT_URL),
        agent_version = or(agent_version, "unknown"),
    )
}

/// The name of a machine that uname(1) prints.
fn of_uname(machine: Architecture) -> &'static str {
    match machine {
        Architecture::X86_64 => "x86_64",
        Architecture::Arm64 => "aarch64",
        Architecture::Ppc64Le => "ppc64le",
        Architecture::X86 => "i686",
        Architecture::Arm => "armv7l",
        other => other.name(),
    }
}

/// Returns a scalar of YAML in double quotes, section 7.3.1 of its specification.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            // Writing to a string cannot fail.
            control if control.is_control() => _ = write!(out, "\\u{:04x}", u32::from(control)),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_quoted() {
        assert_eq!(quoted("a\"b\\c\nd é"), "\"a\\\"b\\\\c\\u000ad é\"");
    }

    #[test]
    fn has_the_shape_of_osbuilder() {
        let packages = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let summary = Summary {
            version: "v".into(),
            distribution: ("ubuntu".into(), String::new()),
            packages: (packages(&["b", "a"]), packages(&[])),
            agent_version: "4".into(),
        };
        let setup = Setup { summary, init: GuestInit::Agent, ..Setup::default() };
        let text = text(&setup, &OsRelease::default(), Some(Architecture::Arm64), "2026-11-22T05:30:00");
        let expected = "---
osbuilder:
  url: \"https://github.com/kata-containers/kata-containers/tools/osbuilder\"
  version: \"v\"
rootfs-creation-time: \"2026-11-22T05:30:00.000000000+0000Z\"
description: \"osbuilder rootfs\"
file-format-version: \"0.0.2\"
architecture: \"aarch64\"
base-distro:
  name: \"ubuntu\"
  version: \"\"
  packages:
    default:
      - \"a\"
      - \"b\"
    extra:
agent:
  url: \"https://github.com/kata-containers/kata-containers\"
  name: \"kata-agent\"
  version: \"4\"
  agent-is-init-daemon: \"yes\"
";
        assert_eq!(text, expected);
    }
}
