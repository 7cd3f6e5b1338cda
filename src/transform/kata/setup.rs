//! The setup of a guest as data.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The init of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GuestInit {
    /// systemd, which starts the agent.
    #[default]
    Systemd,
    /// The agent itself, at `/sbin/init`.
    Agent,
    /// NVIDIA's runtime container init: this program of the host, or the one of the tree.
    Nvrc(Option<PathBuf>),
}

/// The units that start an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AgentUnits {
    /// Those of the tree; where it has none, those that the program ships.
    #[default]
    Shipped,
    /// Those of the tree, which must have them.
    OfTree,
    /// The unit files in a directory of the host.
    From(PathBuf),
}

/// The setup of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setup {
    /// The init.
    pub init: GuestInit,
    /// The agent's program on the host; `None` if it is in the tree already.
    pub agent: Option<PathBuf>,
    /// The units that start it.
    pub units: AgentUnits,
    /// True if a tree without a distribution gets what osbuilder's overlay for dracut has.
    pub overlay: bool,
    /// True for a confidential guest.
    pub confidential: bool,
    /// The agent's policy, a file of the host.
    pub policy: Option<PathBuf>,
    /// True if units and generators of systemd that a guest can do without are removed.
    pub trim: bool,
    /// True if the finished tree is checked for its init.
    pub check: bool,
    /// The facts of the summary file that the tree does not have.
    pub summary: Summary,
}

impl Default for Setup {
    /// A guest with systemd, and an agent that the tree has.
    fn default() -> Self {
        Self {
            init: GuestInit::default(),
            agent: None,
            units: AgentUnits::default(),
            overlay: false,
            confidential: false,
            policy: None,
            trim: false,
            check: true,
            summary: Summary::default(),
        }
    }
}

impl Setup {
    /// The files of the host that it names.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> {
        let nvrc = match &self.init {
            GuestInit::Nvrc(path) => path.as_ref(),
            GuestInit::Systemd | GuestInit::Agent => None,
        };
        let units = match &self.units {
            AgentUnits::From(path) => Some(path),
            AgentUnits::Shipped | AgentUnits::OfTree => None,
        };
        [self.agent.as_ref(), nvrc, units, self.policy.as_ref()].into_iter().flatten().map(PathBuf::as_path)
    }
}

/// Facts of the summary that a tree does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The version of osbuilder; empty for that of this program.
    pub version: String,
    /// The name and the version of the distribution; empty for those of the tree's `os-release`.
    pub distribution: (String, String),
    /// The packages that the distribution's guest has, and further ones.
    pub packages: (BTreeSet<String>, BTreeSet<String>),
    /// The version of the agent.
    pub agent_version: String,
}
