//! The selection that apt makes: package by package in the order of dependencies, the first
//! alternative that can be installed, without going back.
//!
//! It follows `pkgDepCache::MarkInstall` on a system without packages. Where apt would go on to
//! remove what it has marked already, this fails, and the solver takes over.

use super::needs::{Needs, fault};
use crate::source::package::deb::universe::Id;

/// The depth of dependencies that is followed. Those of Debian are less than 200 deep.
const MAX_DEPTH: usize = 1000;

/// The number of packages and alternatives that are looked at.
const MAX_STEPS: usize = 20_000_000;

/// The packages that are marked so far.
struct Marks<'n, 'u, 'i> {
    needs: &'n Needs<'u, 'i>,
    recommends: bool,
    marked: Vec<bool>,
    /// Packages that apt holds to: the requested ones, and what they need without an alternative.
    protected: Vec<bool>,
    /// Packages that cannot be installed.
    discarded: Vec<bool>,
    steps: usize,
    /// True once this cannot go on as apt does.
    is_stuck: bool,
}

/// Selects packages with all that they need; `None` if the order of apt leads to no answer.
pub(super) fn select(needs: &Needs<'_, '_>, requested: &[Id], recommends: bool) -> Option<Vec<bool>> {
    let count = needs.universe().packages().len();
    let none = || vec![false; count];
    let mut marks = Marks {
        needs,
        recommends,
        marked: none(),
        protected: none(),
        discarded: none(),
        steps: 0,
        is_stuck: false,
    };
    for id in requested {
        marks.marked[*id as usize] = true;
        marks.protected[*id as usize] = true;
    }
    for id in requested {
        marks.mark(*id, true, 0);
    }
    if marks.is_stuck {
        return None;
    }
    let selected = marks.without_unneeded(requested);
    let requested_all = requested.iter().all(|id| selected[*id as usize]);
    (requested_all && fault(needs, &selected).is_none()).then_some(selected)
}

impl Marks<'_, '_, '_> {
    fn mark(&mut self, id: Id, from_user: bool, depth: usize) -> bool {
        let at = id as usize;
        self.steps += 1;
        if depth > MAX_DEPTH || self.steps > MAX_STEPS {
            self.is_stuck = true;
        }
        if self.is_stuck || self.discarded[at] {
            return false;
        }
        if self.marked[at] && !self.protected[at] {
            return true;
        }
        let (needs, is_protected) = (self.needs, self.protected[at]);
        let relations = needs.of(id);
        let can_be_met = relations.needs.iter().filter(|need| need.is_hard).all(|need| {
            self.steps += 1;
            need.targets().any(|target| self.is_available(target))
        });
        if !can_be_met {
            self.discarded[at] |= !is_protected;
            return false;
        }
        let fails_early = !is_protected && !from_user;
        let mut failed = !self.refuse(id);
        if self.is_stuck || failed && fails_early {
            return false;
        }
        self.marked[at] = true;
        self.protected[at] = true;
        failed |= !self.meet_needs(id, is_protected, fails_early, depth);
        self.protected[at] = is_protected;
        if failed && fails_early {
            self.marked[at] = false;
            self.discarded[at] = true;
        }
        !failed
    }

    /// Rules packages out that a package refuses. Returns false if one of them has to stay.
    fn refuse(&mut self, id: Id) -> bool {
        let needs = self.needs;
        let mut is_possible = true;
        for other in needs.of(id).refusals.iter().flat_map(|refusal| refusal.targets.iter().copied()) {
            let at = other as usize;
            self.steps += 1;
            if self.marked[at] {
                // apt would unmark it, and repair what needs it.
                self.is_stuck |= !self.protected[at];
                is_possible = false;
            } else if self.protected[id as usize] {
                self.discarded[at] = true;
            }
        }
        is_possible
    }

    /// Meets the dependencies of a package. Returns false if one cannot be met.
    fn meet_needs(&mut self, id: Id, was_protected: bool, fails_early: bool, depth: usize) -> bool {
        let needs = self.needs;
        let mut failed = false;
        for need in &needs.of(id).needs {
            if !need.is_hard && !self.recommends || self.is_stuck {
                continue;
            }
            let is_met = need.targets().any(|target| self.marked[target as usize]);
            if is_met && !(was_protected && need.is_hard) {
                continue;
            }
            let mut possible: Vec<Id> = Vec::new();
            for alternative in &need.alternatives {
                let start = possible.len();
                self.steps += alternative.len();
                possible.extend(alternative.iter().copied().filter(|target| self.is_available(*target)));
                // apt tries packages that it holds to before others.
                possible[start..].sort_by_key(|target| !self.protected[*target as usize]);
            }
            let lone = match possible[..] {
                [lone] if was_protected && need.is_hard => Some(lone),
                _ => None,
            };
            if let Some(lone) = lone {
                if is_met && self.protected[lone as usize] {
                    continue;
                }
                self.marked[lone as usize] = true;
                self.protected[lone as usize] = true;
            } else if is_met {
                continue;
            }
            let found = possible.into_iter().any(|target| self.mark(target, false, depth + 1));
            if !found && need.is_hard {
                failed = true;
                if fails_early {
                    break;
                }
            }
        }
        !failed
    }

    fn is_available(&self, id: Id) -> bool {
        !self.discarded[id as usize]
    }

    /// Returns the marked packages that the requested ones lead to; the others remain of
    /// alternatives that failed.
    fn without_unneeded(&self, requested: &[Id]) -> Vec<bool> {
        let mut needed = vec![false; self.marked.len()];
        let mut left: Vec<Id> = requested.to_vec();
        while let Some(id) = left.pop() {
            if !self.marked[id as usize] || std::mem::replace(&mut needed[id as usize], true) {
                continue;
            }
            left.extend(self.needs.of(id).needs.iter().flat_map(|need| need.targets()));
        }
        needed
    }
}
