//! The relations of packages, as numbers of packages that meet them.

use std::cell::OnceCell;

use crate::closure::packages::dpkg::deb822;
use crate::source::package::deb::relation;
use crate::source::package::deb::universe::{Id, Universe};

/// A dependency of a package.
#[derive(Debug)]
pub(super) struct Need<'i> {
    /// The name of the field.
    pub(super) field: &'static str,
    /// The text with all alternatives.
    pub(super) text: &'i [u8],
    /// True for `Depends` and `Pre-Depends`.
    pub(super) is_hard: bool,
    /// For each alternative, the packages that meet it, the preferred one first.
    pub(super) alternatives: Vec<Vec<Id>>,
}

impl Need<'_> {
    /// The packages that meet it, in the order of the alternatives.
    pub(super) fn targets(&self) -> impl Iterator<Item = Id> {
        self.alternatives.iter().flatten().copied()
    }
}

/// Packages that a package cannot be installed with.
#[derive(Debug)]
pub(super) struct Refusal<'i> {
    /// The name of the field; empty for packages of one name and several architectures.
    pub(super) field: &'static str,
    /// The text.
    pub(super) text: &'i [u8],
    /// The packages.
    pub(super) targets: Vec<Id>,
}

/// The relations of a package.
#[derive(Debug, Default)]
pub(super) struct Relations<'i> {
    /// The dependencies and recommendations, in the order in which apt meets them.
    pub(super) needs: Vec<Need<'i>>,
    /// The packages that it refuses.
    pub(super) refusals: Vec<Refusal<'i>>,
}

/// The relations of all packages, each of which is parsed once.
pub(super) struct Needs<'u, 'i> {
    universe: &'u Universe<'i>,
    known: Vec<OnceCell<Box<Relations<'i>>>>,
    /// The packages that must not be selected.
    excluded: &'u [bool],
}

impl<'u, 'i> Needs<'u, 'i> {
    pub(super) fn new(universe: &'u Universe<'i>, excluded: &'u [bool]) -> Self {
        let known = universe.packages().iter().map(|_| OnceCell::new()).collect();
        Self { universe, known, excluded }
    }

    pub(super) fn universe(&self) -> &'u Universe<'i> {
        self.universe
    }

    /// Returns true if a package must not be selected.
    pub(super) fn is_excluded(&self, id: Id) -> bool {
        self.excluded[id as usize]
    }

    /// Returns the relations of a package, without packages that must not be selected.
    pub(super) fn of(&self, id: Id) -> &Relations<'i> {
        self.known[id as usize].get_or_init(|| Box::new(self.parse(id)))
    }

    fn parse(&self, id: Id) -> Relations<'i> {
        let package = self.universe.package(id);
        let mut fields: [(&str, &[u8]); 5] = [
            ("Pre-Depends", b""),
            ("Depends", b""),
            ("Recommends", b""),
            ("Conflicts", b""),
            ("Breaks", b""),
        ];
        for paragraph in deb822::paragraphs(package.listed.paragraph).take(1) {
            for found in paragraph.fields() {
                let is = |(name, _): &&mut (&str, &[u8])| found.name.eq_ignore_ascii_case(name.as_bytes());
                if let Some(field) = fields.iter_mut().find(is) {
                    field.1 = found.value;
                }
            }
        }
        let (needs, refusals) = fields.split_at(3);
        let mut relations = Relations::default();
        for (field, value) in needs {
            let is_hard = *field != "Recommends";
            relations.needs.extend(relation::groups(value).map(|group| {
                let targets = group.alternatives.iter().map(|one| {
                    let mut targets = self.universe.targets(one, package.architecture);
                    targets.retain(|target| !self.is_excluded(*target));
                    targets
                });
                Need { field, text: group.text, is_hard, alternatives: targets.collect() }
            }));
        }
        for (field, value) in refusals {
            let groups = relation::groups(value);
            relations.refusals.extend(
                groups
                    .flat_map(|group| {
                        group
                            .alternatives
                            .into_iter()
                            .map(move |one| (group.text, self.universe.refused(&one, id)))
                    })
                    .filter(|(_, targets)| !targets.is_empty())
                    .map(|(text, targets)| Refusal { field, text, targets }),
            );
        }
        let rivals: Vec<Id> = self.universe.rivals(id).collect();
        if !rivals.is_empty() {
            relations.refusals.push(Refusal { field: "", text: b"", targets: rivals });
        }
        relations
    }
}

/// A fault of a set of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A dependency of the package, by its number, is not met.
    Unmet(Id, usize),
    /// The first package refuses the second one.
    Refused(Id, Id),
}

/// Returns the first fault of a set of packages; `None` if all can be installed together.
pub(super) fn fault(needs: &Needs<'_, '_>, selected: &[bool]) -> Option<Fault> {
    let is_in = |id: Id| selected[id as usize];
    for id in members(selected) {
        let relations = needs.of(id);
        for (number, need) in relations.needs.iter().enumerate().filter(|(_, need)| need.is_hard) {
            if !need.targets().any(is_in) {
                return Some(Fault::Unmet(id, number));
            }
        }
        let mut refused = relations.refusals.iter().flat_map(|refusal| refusal.targets.iter().copied());
        if let Some(other) = refused.find(|other| is_in(*other)) {
            return Some(Fault::Refused(id, other));
        }
    }
    None
}

/// The packages of a set in order.
pub(super) fn members(selected: &[bool]) -> impl Iterator<Item = Id> {
    let numbers = selected.iter().zip(0..).filter(|(is_in, _)| **is_in);
    numbers.map(|(_, id)| id)
}
