//! The selection by a SAT solver, which finds an answer if there is one.
//!
//! Each package has one version, so that a package is a name of the solver with one candidate.
//! Version sets are of two kinds: that the package is selected, and that it is not.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Display;

use resolvo::conflict::ConflictNode;
use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, NameId, Problem, Requirement, SolvableId, Solver,
    SolverCache, StringId, UnsolvableOrCancelled, VersionSetId, VersionSetUnionId,
};

use super::needs::Needs;
use crate::source::package::deb::universe::Id;

/// The number of rounds after which no answer is expected any more. Those of Debian take less than
/// 10,000.
const MAX_ROUNDS: u32 = 2_000_000;

/// The reason for which a selection was not found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// These packages, by their numbers in order, contradict each other.
    Contradiction(Vec<Id>),
    /// The solver did not come to an end in [`MAX_ROUNDS`].
    TooHard,
}

/// Selects packages with all that they need, and one of each further group of packages.
pub(super) fn select(
    needs: &Needs<'_, '_>,
    requested: &[Id],
    groups: &[Vec<Id>],
) -> Result<Vec<bool>, NoAnswer> {
    let provider = Provider { needs, unions: RefCell::default(), rounds: Cell::new(0) };
    let single = |id: &Id| Requirement::Single(provider.selected(*id));
    let mut requirements: Vec<ConditionalRequirement> =
        requested.iter().map(|id| single(id).into()).collect();
    requirements.extend(groups.iter().map(|group| ConditionalRequirement::from(provider.any_of(group))));
    let mut solver = Solver::new(provider);
    match solver.solve(Problem::new().requirements(requirements)) {
        Ok(found) => {
            let mut selected = vec![false; needs.universe().packages().len()];
            found.into_iter().for_each(|id| selected[id.into_raw() as usize] = true);
            Ok(selected)
        }
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            let graph = conflict.graph(&solver);
            let packages = graph.graph.node_weights().filter_map(|node| match node {
                ConflictNode::Solvable(id) => Some(id.into_raw()),
                _ => None,
            });
            let mut packages: Vec<Id> = packages.collect();
            packages.sort_unstable();
            packages.dedup();
            Err(NoAnswer::Contradiction(packages))
        }
        Err(UnsolvableOrCancelled::Cancelled(_)) => Err(NoAnswer::TooHard),
    }
}

struct Provider<'n, 'u, 'i> {
    needs: &'n Needs<'u, 'i>,
    /// The alternatives of requirements.
    unions: RefCell<Vec<Vec<Id>>>,
    rounds: Cell<u32>,
}

impl Provider<'_, '_, '_> {
    fn selected(&self, id: Id) -> VersionSetId {
        VersionSetId(id * 2)
    }

    fn not_selected(&self, id: Id) -> VersionSetId {
        VersionSetId(id * 2 + 1)
    }

    /// Returns the requirement of one of several packages. None of them is one that nothing meets.
    fn any_of(&self, targets: &[Id]) -> Requirement {
        if let [one] = targets {
            return Requirement::Single(self.selected(*one));
        }
        let mut unions = self.unions.borrow_mut();
        unions.push(targets.to_vec());
        Requirement::Union(VersionSetUnionId(u32::try_from(unions.len() - 1).unwrap_or(u32::MAX)))
    }
}

impl Interner for Provider<'_, '_, '_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        self.needs.universe().display_name(solvable.into_raw())
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        self.needs.universe().display_name(name.into_raw())
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl Display + '_ {
        if version_set.0.is_multiple_of(2) { "selected" } else { "not selected" }
    }

    fn display_string(&self, _string: StringId) -> impl Display + '_ {
        ""
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        NameId::from_raw(version_set.0 / 2)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        NameId::from_raw(solvable.into_raw())
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        let targets = self.unions.borrow()[union.0 as usize].clone();
        targets.into_iter().map(|id| self.selected(id))
    }

    fn resolve_condition(&self, _condition: ConditionId) -> Condition {
        // No requirement has one.
        Condition::Requirement(VersionSetId(0))
    }
}

impl DependencyProvider for Provider<'_, '_, '_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        version_set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let is_selected = version_set.0.is_multiple_of(2);
        if is_selected != inverse { candidates.to_vec() } else { Vec::new() }
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates<SolvableId>> {
        let candidates = vec![SolvableId::from_raw(name.into_raw())];
        Some(Candidates {
            candidates,
            hint_dependencies_available: HintDependenciesAvailable::None,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _solver: &SolverCache<Self>, _solvables: &mut [SolvableId]) {}

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let relations = self.needs.of(solvable.into_raw());
        let hard = relations.needs.iter().filter(|need| need.is_hard);
        let requirements = hard.map(|need| {
            let mut targets: Vec<Id> = Vec::new();
            for target in need.targets() {
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
            ConditionalRequirement::from(self.any_of(&targets))
        });
        let refused = relations.refusals.iter().flat_map(|refusal| refusal.targets.iter());
        Dependencies::Known(KnownDependencies {
            requirements: requirements.collect(),
            constrains: refused.map(|id| self.not_selected(*id)).collect(),
        })
    }

    fn should_cancel_with_value(&self) -> Option<Box<dyn Any>> {
        self.rounds.set(self.rounds.get().saturating_add(1));
        (self.rounds.get() > MAX_ROUNDS).then(|| Box::new(()) as Box<dyn Any>)
    }
}
