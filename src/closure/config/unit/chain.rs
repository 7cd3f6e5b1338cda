//! The relations that lead from a request to a unit.

use std::fmt::Write as _;

use super::name::UnitName;

pub(super) const WANTED: &str = "wanted by";
pub(super) const REQUIRED: &str = "required by";
pub(super) const STARTED: &str = "started by";

/// The words before the chain in the reason for a file of a unit, and for any other file.
pub(super) const UNIT: &str = "is the unit ";
pub(super) const OF: &str = " of ";

/// The maximum number of units in the text of a chain; of a longer one, only the start is given.
const SHOWN: usize = 8;

/// The strength of the relation that pulls in a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pull {
    /// A unit that need not exist.
    Wanted,
    Required,
    Requested,
}

/// Every relation that was followed, as a forest: each node leads to that of the unit before it.
#[derive(Debug, Default)]
pub(super) struct Chains {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    unit: Vec<u8>,
    /// The relation to the unit before it, in words, such as "wanted by"; without one, in words
    /// the origin of the request.
    relation: &'static str,
    before: Option<usize>,
}

impl Chains {
    /// Adds a relation, and returns the number of its node.
    pub(super) fn add(&mut self, unit: &[u8], relation: &'static str, before: Option<usize>) -> usize {
        self.nodes.push(Node { unit: unit.to_vec(), relation, before });
        self.nodes.len() - 1
    }

    /// Returns the number of relations.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the chain from a unit to the request as text.
    pub(super) fn text(&self, from: usize) -> String {
        let mut text = String::new();
        let mut next = Some(from);
        for count in 0.. {
            let Some(node) = next.and_then(|index| self.nodes.get(index)) else { break };
            if count == SHOWN {
                text.push_str(" and more");
                break;
            }
            let _ = write!(text, "{}, {}", node.unit.escape_ascii(), node.relation);
            next = node.before;
            if next.is_some() {
                text.push(' ');
            }
        }
        text
    }
}

/// Returns the units in the reason for a file that a unit needs, the nearest first; none for
/// another reason.
pub(in crate::closure) fn units_of(reason: &str) -> Vec<&str> {
    let chain = reason.strip_prefix(UNIT).or_else(|| Some(reason.rsplit_once(OF)?.1));
    let mut parts = chain.unwrap_or_default().split(", ");
    let first = parts.next().filter(|unit| UnitName::parse(unit.as_bytes()).is_some());
    let before = parts.map_while(|part| {
        let relations = [WANTED, REQUIRED, STARTED];
        relations.into_iter().find_map(|relation| part.strip_prefix(relation)?.strip_prefix(' '))
    });
    first.into_iter().flat_map(|first| std::iter::once(first).chain(before.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_leads_to_the_request_and_long_ones_are_cut() {
        let mut chains = Chains::default();
        let first = chains.add(b"a.target", "requested", None);
        let second = chains.add(b"b.target", "wanted by", Some(first));
        let third = chains.add(b"c.service", "required by", Some(second));
        assert_eq!(chains.text(third), "c.service, required by b.target, wanted by a.target, requested");
        assert_eq!(chains.text(first), "a.target, requested");
        let last = (0..20).fold(third, |before, _| chains.add(b"d.service", "wanted by", Some(before)));
        let text = chains.text(last);
        assert_eq!(text.matches("d.service").count(), SHOWN, "{text}");
        assert!(text.ends_with(" and more"), "{text}");
    }

    #[test]
    fn the_units_of_a_reason_are_those_of_its_chain() {
        let mut chains = Chains::default();
        let first = chains.add(b"a.target", "requested", None);
        let second = chains.add(b"b.timer", WANTED, Some(first));
        let third = chains.add(b"c.service", STARTED, Some(second));
        let text = chains.text(third);
        let units = ["c.service", "b.timer", "a.target"];
        assert_eq!(units_of(&format!("{UNIT}{text}")), units);
        assert_eq!(units_of(&format!("is the shell of ExecStart={OF}{text}")), units);
        assert!(units_of("is a module of the PAM service login").is_empty());
        assert!(units_of("is needed").is_empty());
    }
}
