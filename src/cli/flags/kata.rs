//! Flags of the setup of a Kata guest.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::Args;

use super::output::usage;
use crate::cli::help::group;
use crate::recipe::TreeRecipe;
use crate::transform::init::Init;
use crate::transform::kata::{AgentUnits, GuestInit, Setup};

/// The setup of a Kata guest, as osbuilder's rootfs.sh makes it.
#[derive(Debug, Args)]
pub(in crate::cli) struct KataArguments {
    /// Set up a Kata guest with this program or tarball
    ///
    /// A program becomes /usr/bin/kata-agent. A file named *.tar, *.tar.* or *.tgz is added to the
    /// sources. Files of the host, such as logs and caches in /var, are removed, chrony reads the
    /// host's clock, and the units that the agent needs are added; the report lists each change.
    #[arg(long, alias = "agent", value_name = "FILE", help_heading = group::KATA)]
    kata_agent: Option<PathBuf>,

    /// Set the tree up as a Kata guest, whose agent is in it already
    #[arg(long, help_heading = group::KATA)]
    kata_setup: bool,

    /// Make the agent the init, in place of systemd
    ///
    /// It is then at /sbin/init. With no, systemd has to be the init; without this flag either may be.
    #[arg(
        long, alias = "agent-init", value_name = "yes|no", value_parser = yes_or_no, num_args = 0..=1,
        require_equals = true, default_missing_value = "yes", conflicts_with = "nvrc", help_heading = group::KATA
    )]
    kata_agent_init: Option<bool>,

    /// Directory of the units that start the agent [default: the tree's, or for a program rootcast's]
    #[arg(
        long, alias = "agent-units", value_name = "DIR", help_heading = group::KATA
    )]
    kata_agent_units: Option<PathBuf>,

    /// Make NVIDIA's NVRC the init: this program, or without a value /bin/NVRC of the tree
    #[arg(
        long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "",
        help_heading = group::KATA
    )]
    nvrc: Option<OsString>,

    /// Add the policy of the agent
    #[arg(long, alias = "agent-policy", value_name = "FILE", help_heading = group::KATA)]
    kata_policy: Option<PathBuf>,

    /// Prepare for a confidential guest: a limited /run
    #[arg(long, alias = "confidential", help_heading = group::KATA)]
    kata_confidential: bool,

    /// Lay a tarball over the sources: a pause image, guest hooks, components for confidential guests
    #[arg(long, alias = "component", value_name = "TARBALL", help_heading = group::KATA)]
    kata_component: Vec<OsString>,

    /// Remove units of systemd that a guest can do without, such as journald and udevd
    #[arg(long, alias = "trim", help_heading = group::KATA)]
    kata_trim: bool,

    /// Make an overlay for an initramfs of dracut, which brings systemd
    #[arg(long, alias = "dracut-overlay", help_heading = group::KATA)]
    kata_dracut_overlay: bool,

    /// Skip the check that the tree has the init of a guest
    #[arg(long, help_heading = group::KATA)]
    no_rootfs_check: bool,

    /// Version of osbuilder in osbuilder.yaml [default: rootcast's]
    #[arg(long, value_name = "TEXT", help_heading = group::KATA)]
    kata_osbuilder_version: Option<String>,

    /// Version of the agent in osbuilder.yaml
    #[arg(long, value_name = "TEXT", help_heading = group::KATA)]
    kata_agent_version: Option<String>,

    /// Name and version of the distribution in osbuilder.yaml [default: those of os-release]
    #[arg(long, value_name = "NAME[:VERSION]", help_heading = group::KATA)]
    kata_distribution: Option<String>,

    /// Packages of the distribution's guest in osbuilder.yaml
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = group::KATA)]
    kata_packages: Vec<String>,

    /// Further packages in osbuilder.yaml
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = group::KATA)]
    kata_extra_packages: Vec<String>,
}

impl KataArguments {
    /// Adds the setup and the check to a recipe. `is_guest` is true if the tree has to be that of a
    /// guest.
    pub(in crate::cli) fn apply(
        self,
        mut tree: TreeRecipe,
        is_guest: bool,
    ) -> Result<TreeRecipe, clap::Error> {
        if is_guest && !self.no_rootfs_check {
            let init = match (&self.nvrc, self.kata_agent_init) {
                (Some(_), _) => Some(GuestInit::Nvrc(None)),
                (None, Some(true)) => Some(GuestInit::Agent),
                (None, Some(false)) => Some(GuestInit::Systemd),
                (None, None) => None,
            };
            tree.kata.check = Some(init);
        }
        let is_set_up = self.kata_setup || self.kata_agent.is_some() || self.kata_dracut_overlay;
        if !is_set_up {
            let Some(flag) = self.needs_setup(is_guest) else { return Ok(tree) };
            let message =
                format!("{flag} is for the setup of a guest: add --kata-agent FILE or --kata-setup");
            return Err(usage(message));
        }
        let mut setup = Setup { overlay: self.kata_dracut_overlay, ..Setup::default() };
        match self.kata_agent {
            Some(agent) if is_tarball(agent.as_os_str()) => {
                tree.sources.push(agent.into_os_string().into());
                setup.units = AgentUnits::OfTree;
            }
            agent => setup.agent = agent,
        }
        tree.sources.extend(self.kata_component.into_iter().map(Into::into));
        setup.init = match self.nvrc {
            Some(program) => GuestInit::Nvrc((!program.is_empty()).then(|| program.into())),
            None if self.kata_agent_init == Some(true) => GuestInit::Agent,
            None => GuestInit::Systemd,
        };
        if let Some(directory) = self.kata_agent_units {
            setup.units = AgentUnits::From(directory);
        }
        setup.confidential = self.kata_confidential;
        setup.policy = self.kata_policy;
        setup.trim = self.kata_trim;
        setup.check = !self.no_rootfs_check;
        setup.summary.version = self.kata_osbuilder_version.unwrap_or_default();
        setup.summary.agent_version = self.kata_agent_version.unwrap_or_default();
        if let Some(text) = self.kata_distribution {
            let (name, version) = text.split_once(':').unwrap_or((&text, ""));
            setup.summary.distribution = (name.to_owned(), version.to_owned());
        }
        let set = |names: Vec<String>| -> BTreeSet<String> {
            names.into_iter().filter(|name| !name.is_empty()).collect()
        };
        setup.summary.packages = (set(self.kata_packages), set(self.kata_extra_packages));
        tree.kata.setup = Some(setup);
        Ok(tree)
    }

    /// Returns the default of `--init` of an initramfs.
    pub(in crate::cli) fn init(&self, is_guest: bool) -> Init {
        match (is_guest && !self.no_rootfs_check && self.nvrc.is_none(), self.kata_agent_init == Some(true)) {
            (false, _) => Init::Own,
            (true, true) => Init::Agent,
            (true, false) => Init::Systemd,
        }
    }

    /// Returns the same with a setup, as the verb for it has.
    pub(in crate::cli) fn of_guest(mut self) -> Self {
        self.kata_setup = true;
        self
    }

    /// Returns a flag that has no effect without a setup.
    fn needs_setup(&self, is_guest: bool) -> Option<&'static str> {
        let given = [
            // The check of a guest takes it as well.
            (self.kata_agent_init.is_some() && !is_guest, "--kata-agent-init"),
            (self.kata_agent_units.is_some(), "--kata-agent-units"),
            (self.nvrc.is_some(), "--nvrc"),
            (self.kata_policy.is_some(), "--kata-policy"),
            (self.kata_confidential, "--kata-confidential"),
            (!self.kata_component.is_empty(), "--kata-component"),
            (self.kata_trim, "--kata-trim"),
            (self.kata_osbuilder_version.is_some(), "--kata-osbuilder-version"),
            (self.kata_agent_version.is_some(), "--kata-agent-version"),
            (self.kata_distribution.is_some(), "--kata-distribution"),
            (!self.kata_packages.is_empty(), "--kata-packages"),
            (!self.kata_extra_packages.is_empty(), "--kata-extra-packages"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, flag)| flag)
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => Err(format!("{other:?} is neither yes nor no")),
    }
}

/// Returns true for a file whose name is that of an archive.
fn is_tarball(path: &OsStr) -> bool {
    let name = path.to_string_lossy();
    let name = name.rsplit('/').next().unwrap_or_default();
    name.contains(".tar.") || [".tar", ".tgz", ".tzst", ".txz"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{self, Request};
    use crate::recipe::Build;

    fn build(words: &str) -> Build {
        let request = cli::parse(words.split(' ').map(Into::into)).expect("a command line");
        let Request::Build(build, _) = request else { panic!("{request:?}") };
        *build
    }

    #[test]
    fn archives_are_known_by_their_names() {
        for name in ["a.tar", "x/kata-static-agent.tar.zst", "b.tgz"] {
            assert!(is_tarball(OsStr::new(name)), "{name}");
        }
        for name in ["kata-agent", "x.tar.d/agent", "tar"] {
            assert!(!is_tarball(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn an_agent_is_a_program_or_a_source() {
        let program = build("rootcast image x -o y --preset kata --kata-agent a").tree;
        assert_eq!(program.kata.setup.expect("a setup").agent, Some("a".into()));
        assert_eq!(program.kata.check, Some(None));
        let tarball =
            build("rootcast kata-rootfs x -o y --agent a.tar.zst --component c.tar --agent-init").tree;
        assert_eq!(tarball.sources, ["x", "a.tar.zst", "c.tar"].map(Into::into));
        let setup = tarball.kata.setup.expect("a setup");
        assert_eq!((setup.agent, setup.init), (None, GuestInit::Agent));
        assert!(build("rootcast tar x -o y").tree.kata.setup.is_none());
        assert_eq!(build("rootcast image x -o y --preset kata --no-rootfs-check").tree.kata.check, None);
        let agent = build("rootcast image x -o y --preset kata --kata-agent-init").tree.kata;
        assert_eq!((agent.setup, agent.check), (None, Some(Some(GuestInit::Agent))));
        let message = cli::parse(["rootcast", "image", "x", "-o", "y", "--kata-trim"].map(Into::into));
        assert!(message.expect_err("no setup").to_string().contains("--kata-trim is for the setup"));
    }
}
