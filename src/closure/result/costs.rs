//! The tree of reasons, and what each of them costs.
//!
//! Requests, units and kept files are the nodes of a graph, in which each leads to the files that
//! are kept for it. The tree has the shortest way to each of them; what a node costs alone is what
//! would not be kept without it: the nodes that it dominates.

use std::collections::{BTreeMap, VecDeque};

use super::kept::Closure;
use super::reason::{Kind, Reason};
use crate::closure::config::unit::units_of;

/// A node of the tree of reasons.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// The tree itself.
    Root,
    /// A request, by its text.
    Request(Vec<u8>),
    /// The origin of a file that neither a request nor a unit or other file states: its name, and a
    /// clause about it, if there is one.
    Stated(Vec<u8>, String),
    /// A unit of systemd.
    Unit(Vec<u8>),
    /// A kept file, by its path.
    File(Vec<u8>),
}

/// A line of the tree of reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The number of nodes above it.
    pub depth: usize,
    /// The node.
    pub node: Node,
    /// The kind of the dependency for which a file is kept.
    pub kind: Option<Kind>,
    /// The bytes of the file, and of everything beneath it in the tree.
    pub size: u64,
    /// The bytes that would not be kept without it.
    pub alone: u64,
}

/// Returns the tree of reasons in the order of its lines, the largest nodes first. `note` returns
/// the origin of a dependency that no file states, and `size` the length in bytes of a kept file.
#[must_use]
pub fn costs(
    closure: &Closure,
    note: &dyn Fn(&Reason) -> Option<String>,
    size: &dyn Fn(&[u8]) -> u64,
) -> Vec<Cost> {
    let mut graph = Graph::default();
    let root = graph.node(Node::Root);
    for (path, reasons) in &closure.kept {
        for reason in reasons.iter().filter(|reason| reason.kind != Kind::Parent) {
            let above = match (&reason.by, reason.kind) {
                (Some(by), _) => graph.node(Node::File(by.clone())),
                (None, Kind::Requested) => graph.below(root, Node::Request(reason.name.clone())),
                (None, _) => {
                    let note = note(reason).unwrap_or_default();
                    let units =
                        units_of(&note).into_iter().rev().map(|unit| Node::Unit(unit.as_bytes().to_vec()));
                    let above = units.fold(root, |above, unit| graph.below(above, unit));
                    let stated = || Node::Stated(reason.name.clone(), note.clone());
                    if above == root { graph.below(root, stated()) } else { above }
                }
            };
            let file = graph.node(Node::File(path.clone()));
            graph.edge(above, file, Some(reason.kind));
        }
    }
    graph.lines(root, size)
}

/// A step to a node: the node above it, and the kind of the dependency.
type Step = (usize, Option<Kind>);

#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Node>,
    numbers: BTreeMap<Node, usize>,
    /// For each node, those below it with the kind of the dependency.
    below: Vec<Vec<(usize, Option<Kind>)>>,
}

impl Graph {
    fn node(&mut self, node: Node) -> usize {
        if let Some(number) = self.numbers.get(&node) {
            return *number;
        }
        let number = self.nodes.len();
        self.nodes.push(node.clone());
        self.below.push(Vec::new());
        self.numbers.insert(node, number);
        number
    }

    fn edge(&mut self, above: usize, below: usize, kind: Option<Kind>) {
        if above != below && !self.below[above].iter().any(|(known, _)| *known == below) {
            self.below[above].push((below, kind));
        }
    }

    /// Returns the number of a node below another one.
    fn below(&mut self, above: usize, node: Node) -> usize {
        let number = self.node(node);
        self.edge(above, number, None);
        number
    }

    fn lines(&self, root: usize, size: &dyn Fn(&[u8]) -> u64) -> Vec<Cost> {
        let own: Vec<u64> =
            self.nodes.iter().map(|node| if let Node::File(path) = node { size(path) } else { 0 }).collect();
        let (order, parents) = self.shortest(root);
        let sizes = sums(&own, order.iter().rev().copied(), |node| parents[node].map(|(parent, _)| parent));
        let (postorder, dominators) = self.dominators(root);
        let alone =
            sums(&own, postorder.iter().copied(), |node| dominators[node].filter(|above| *above != node));
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for node in order {
            if let Some((parent, _)) = parents[node] {
                children[parent].push(node);
            }
        }
        let mut lines = Vec::new();
        let mut open = vec![(root, 0_usize)];
        while let Some((number, depth)) = open.pop() {
            if number != root {
                let (node, kind) = (self.nodes[number].clone(), parents[number].and_then(|(_, kind)| kind));
                lines.push(Cost { depth: depth - 1, node, kind, size: sizes[number], alone: alone[number] });
            }
            // The last one is taken first.
            children[number]
                .sort_by(|a, b| sizes[*a].cmp(&sizes[*b]).then_with(|| self.nodes[*b].cmp(&self.nodes[*a])));
            open.extend(children[number].iter().map(|child| (*child, depth + 1)));
        }
        lines
    }

    /// Returns the nodes in the order of their distance, and for each the last step to it.
    fn shortest(&self, root: usize) -> (Vec<usize>, Vec<Option<Step>>) {
        let mut parents = vec![None; self.nodes.len()];
        let (mut order, mut queue) = (vec![root], VecDeque::from([root]));
        while let Some(node) = queue.pop_front() {
            for (below, kind) in &self.below[node] {
                if *below != root && parents[*below].is_none() {
                    parents[*below] = Some((node, *kind));
                    order.push(*below);
                    queue.push_back(*below);
                }
            }
        }
        (order, parents)
    }

    /// Returns the nodes in postorder, and the immediate dominator of each (Cooper, Harvey and
    /// Kennedy, "A Simple, Fast Dominance Algorithm").
    fn dominators(&self, root: usize) -> (Vec<usize>, Vec<Option<usize>>) {
        let mut postorder = Vec::new();
        let mut seen = vec![false; self.nodes.len()];
        let mut open = vec![(root, 0_usize)];
        seen[root] = true;
        while let Some((node, next)) = open.pop() {
            match self.below[node].get(next) {
                Some((below, _)) => {
                    open.push((node, next + 1));
                    if !std::mem::replace(&mut seen[*below], true) {
                        open.push((*below, 0));
                    }
                }
                None => postorder.push(node),
            }
        }
        let mut place = vec![0; self.nodes.len()];
        postorder.iter().enumerate().for_each(|(number, node)| place[*node] = number);
        let mut above: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for node in &postorder {
            self.below[*node].iter().for_each(|(below, _)| above[*below].push(*node));
        }
        let mut dominators: Vec<Option<usize>> = vec![None; self.nodes.len()];
        dominators[root] = Some(root);
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for node in postorder.iter().rev().filter(|node| **node != root) {
                let known = above[*node].iter().copied().filter(|above| dominators[*above].is_some());
                let common = known.reduce(|mut one, mut other| {
                    while one != other {
                        let lower = if place[one] < place[other] { &mut one } else { &mut other };
                        *lower = dominators[*lower].unwrap_or(root);
                    }
                    one
                });
                changed |= dominators[*node] != common;
                dominators[*node] = common;
            }
        }
        (postorder, dominators)
    }
}

/// Returns the size of each node with all that are below it in a tree. The order has each node
/// before its parent.
fn sums(
    own: &[u64],
    order: impl Iterator<Item = usize>,
    parent: impl Fn(usize) -> Option<usize>,
) -> Vec<u64> {
    let mut sums = own.to_vec();
    for node in order {
        if let Some(parent) = parent(node) {
            sums[parent] = sums[parent].saturating_add(sums[node]);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_node_costs_what_nothing_else_keeps() {
        let reason = |kind, by: Option<&str>, name: &str| Reason {
            kind,
            by: by.map(|by| by.as_bytes().to_vec()),
            name: name.as_bytes().to_vec(),
        };
        let mut closure = Closure::default();
        for (path, reason) in [
            ("/a", reason(Kind::Requested, None, "/a")),
            ("/b", reason(Kind::Requested, None, "/b")),
            ("/libc", reason(Kind::Needed, Some("/a"), "libc")),
            ("/libc", reason(Kind::Needed, Some("/b"), "libc")),
            ("/libx", reason(Kind::Needed, Some("/a"), "libx")),
            // A circle.
            ("/libc", reason(Kind::Needed, Some("/libx"), "libc")),
            ("/libx", reason(Kind::Needed, Some("/libc"), "libx")),
            ("/libz", reason(Kind::Needed, Some("/b"), "libz")),
            ("/usr", reason(Kind::Parent, None, "/a")),
            ("/d", reason(Kind::Configured, None, "/d")),
        ] {
            closure.kept.entry(path.into()).or_insert_with(BTreeSet::new).insert(reason);
        }
        let size = |path: &[u8]| match path {
            b"/a" => 1,
            b"/b" => 10,
            b"/libc" => 100,
            b"/libx" => 1000,
            b"/libz" => 10_000,
            _ => 100_000,
        };
        let note = |_: &Reason| Some("is started by ExecStart= of x.service, wanted by y.target".to_owned());
        let lines: Vec<String> = costs(&closure, &note, &size)
            .into_iter()
            .map(|Cost { depth, node, size, alone, .. }| {
                let name = match node {
                    Node::Root => Vec::new(),
                    Node::Request(name) | Node::Stated(name, _) | Node::Unit(name) | Node::File(name) => name,
                };
                format!("{depth} {} {size} {alone}", String::from_utf8(name).expect("ASCII"))
            })
            .collect();
        let expected = [
            "0 y.target 100000 100000",
            "1 x.service 100000 100000",
            "2 /d 100000 100000",
            "0 /b 10010 10010",
            "1 /b 10010 10010",
            "2 /libz 10000 10000",
            "0 /a 1101 1",
            "1 /a 1101 1",
            "2 /libx 1000 1000",
            "2 /libc 100 100",
        ];
        assert_eq!(lines, expected);
    }
}
