//! The agent of a guest, and what starts it.

use image_tree::Kind;

use super::guest::{Guest, refused};
use super::setup::{AgentUnits, GuestInit, Setup};
use crate::error::{Error, ErrorKind, Result};
use crate::shown;

/// The path of the agent that its units start.
pub(super) const AGENT: &str = "/usr/bin/kata-agent";
const INIT: &str = "/sbin/init";
const NVRC: &str = "/bin/NVRC";

const SERVICE: &str = "kata-agent.service";
const TARGET: &str = "kata-containers.target";

/// The directory of the units.
const UNITS: &str = "/usr/lib/systemd/system";

/// The directories in which a tree may have the units already.
const SEARCH_PATH: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// The unit that starts the agent. The guest ends with it.
const SERVICE_TEXT: &str = "\
[Unit]
Description=Agent of Kata Containers
Wants=kata-containers.target

[Service]
ExecStart=/usr/bin/kata-agent
StandardOutput=tty
LimitNOFILE=1048576
OOMScoreAdjust=-997
ExecStop=/bin/sync ; /usr/bin/systemctl --force poweroff
FailureAction=poweroff
";

/// The unit that the runtimes name on the kernel's command line.
const TARGET_TEXT: &str = "\
[Unit]
Description=Guest of Kata Containers
Requires=basic.target tmp.mount kata-agent.service
Wants=chronyd.service
Conflicts=rescue.service rescue.target
After=basic.target rescue.service rescue.target
AllowIsolate=yes
";

/// Installs the agent and the init, and checks that both are there.
pub(super) fn install(guest: &mut Guest<'_>, setup: &Setup) -> Result<()> {
    if let Some(agent) = &setup.agent {
        if guest.name(AGENT).is_some() {
            guest.warn(format!("{AGENT} of the tree is replaced by {}", shown::path(agent)));
        }
        guest.copy(agent, AGENT, 0o755)?;
        if !guest.is_program(AGENT)? {
            let message = format!("{}: is not a program, which the agent has to be", shown::path(agent));
            return Err(Error::new(ErrorKind::BadInput, message));
        }
    }
    check_machine(guest, AGENT)?;
    match &setup.init {
        GuestInit::Systemd => {
            require_agent(guest, AGENT)?;
            units(guest, &setup.units)?;
            guest.link(
                &format!("/etc/systemd/system/basic.target.wants/{TARGET}"),
                &format!("{UNITS}/{TARGET}"),
            )?;
            guest.link(
                &format!("/etc/systemd/system/{TARGET}.wants/dbus.socket"),
                &format!("{UNITS}/dbus.socket"),
            )
        }
        GuestInit::Agent => {
            if guest.name(AGENT).is_some() {
                require_agent(guest, AGENT)?;
                guest.rename(AGENT, INIT)?;
            }
            require_agent(guest, INIT)
        }
        GuestInit::Nvrc(program) => {
            if let Some(program) = program {
                guest.copy(program, NVRC, 0o755)?;
            }
            require_agent(guest, NVRC)?;
            require_agent(guest, AGENT)?;
            guest.link("/init", NVRC)?;
            guest.link(INIT, NVRC)
        }
    }
}

/// Checks that a path leads to a program.
fn require_agent(guest: &Guest<'_>, path: &str) -> Result<()> {
    let hint = match path {
        NVRC => "give --nvrc FILE, or a source that has it",
        _ => "give --kata-agent FILE, or a source that has it",
    };
    let Some(id) = guest.find(path) else {
        return Err(refused(path, &format!("it is not in the tree; {hint}")));
    };
    match &guest.inode(id).kind {
        Kind::Regular(_) if guest.inode(id).metadata.mode & 0o111 != 0 => Ok(()),
        Kind::Regular(_) => Err(refused(path, "it is not executable; --chmod PATH:0755 makes it so")),
        _ => Err(refused(path, &format!("it is not a regular file; {hint}"))),
    }
}

/// Checks that the agent is a program for the machine of the tree.
fn check_machine(guest: &Guest<'_>, agent: &str) -> Result<()> {
    let Some(own) = guest.architecture(agent)? else { return Ok(()) };
    for path in ["/bin/sh", "/usr/lib/systemd/systemd", "/lib/systemd/systemd"] {
        if let Some(other) = guest.architecture(path)?
            && other != own
        {
            return Err(refused(agent, &format!("it is a program for {own}, and {path} is one for {other}")));
        }
    }
    Ok(())
}

/// Adds the units that the tree lacks.
fn units(guest: &mut Guest<'_>, units: &AgentUnits) -> Result<()> {
    let lacks = |guest: &Guest<'_>, name: &str| {
        !SEARCH_PATH.iter().any(|directory| guest.is_file(&format!("{directory}/{name}")))
    };
    if let AgentUnits::From(directory) = units {
        let entries = std::fs::read_dir(directory).map_err(|error| Error::io(directory, error))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Error::io(directory, error))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if [".service", ".target", ".socket", ".path", ".timer", ".mount"]
                .iter()
                .any(|end| name.ends_with(end))
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        for name in names {
            guest.copy(&directory.join(&name), &format!("{UNITS}/{name}"), 0o644)?;
        }
        for name in [SERVICE, TARGET] {
            if lacks(guest, name) {
                let message = format!("{}: has no {name}, which starts the agent", shown::path(directory));
                return Err(Error::new(ErrorKind::BadInput, message));
            }
        }
        return Ok(());
    }
    for (name, text) in [(SERVICE, SERVICE_TEXT), (TARGET, TARGET_TEXT)] {
        if !lacks(guest, name) {
            continue;
        }
        if *units == AgentUnits::OfTree {
            let why = "it is not in the tree, although the agent is: give --kata-agent-units DIR";
            return Err(refused(&format!("{UNITS}/{name}"), why));
        }
        guest.write(&format!("{UNITS}/{name}"), text, 0o644)?;
    }
    Ok(())
}
