//! The resolver: the packages that a request needs.
//!
//! ```text
//! request ─▶ names ─▶ greedy: the order of apt ─▶ answer
//!                          └─ stuck ─▶ solver ──▶ answer, or the explanation
//! ```
//!
//! apt's own answer is that of its order of dependencies, which a solver for satisfiability does not
//! know: it has smaller answers at times. So that order comes first, and the solver where it leads
//! nowhere. Either answer is checked on its own.

mod answer;
mod explain;
mod greedy;
mod needs;
mod request;
mod solver;
#[cfg(test)]
mod tests;

use super::universe::{Id, Universe};
use needs::Needs;

pub use answer::{Answer, Answered, Why};
pub use needs::Fault;
pub use request::{Request, Variant};

/// Selects the packages of a request.
///
/// # Errors
/// An explanation: names that the archives lack, and packages that cannot be installed together.
pub fn resolve(universe: &mut Universe<'_>, request: &Request) -> Result<Answer, String> {
    let wanted = request::wanted(universe, request)?;
    let universe = &*universe;
    let mut excluded = vec![false; universe.packages().len()];
    for id in &wanted.excluded {
        excluded[*id as usize] = true;
    }
    let needs = Needs::new(universe, &excluded);
    let requested: Vec<Id> =
        wanted.packages.iter().map(|(id, _)| *id).filter(|id| !needs.is_excluded(*id)).collect();
    let selected = match greedy::select(&needs, &requested, request.recommends) {
        Some(selected) => selected,
        None => solve(&needs, &requested, request)?,
    };
    if let Some(fault) = needs::fault(&needs, &selected) {
        return Err(format!("the solver's answer has a fault: {fault:?}"));
    }
    let reasons = explain::reasons(&needs, &requested, |id| selected[id as usize]);
    let mut packages: Vec<Answered> = Vec::new();
    for id in needs::members(&selected) {
        let requested = wanted.packages.iter().find(|(wanted, _)| *wanted == id);
        let why = match (requested, reasons.get(&id)) {
            (Some((_, why)), _) => why.clone(),
            (None, Some(Some((by, number)))) => {
                let need = &needs.of(*by).needs[*number];
                Why::Dependency { field: need.field, by: *by, relation: explain::text(need.text) }
            }
            // Only alternatives lead to it that were not the first one.
            (None, _) => alternative(&needs, &selected, id),
        };
        packages.push(Answered { id, why });
    }
    let key = |one: &Answered| (universe.display_name(one.id), universe.package(one.id).architecture);
    packages.sort_by_key(key);
    Ok(Answer { packages, notes: wanted.notes })
}

/// Returns the first dependency of a selected package that another one meets as well.
fn alternative(needs: &Needs<'_, '_>, selected: &[bool], id: Id) -> Why {
    for by in needs::members(selected) {
        for need in &needs.of(by).needs {
            if need.targets().any(|target| target == id) {
                return Why::Dependency { field: need.field, by, relation: explain::text(need.text) };
            }
        }
    }
    Why::Requested
}

/// Selects by the solver, and with it what is recommended, as far as that is possible.
fn solve(needs: &Needs<'_, '_>, requested: &[Id], request: &Request) -> Result<Vec<bool>, String> {
    /// The number of recommendations that are tried.
    const MAX_RECOMMENDED: usize = 1000;
    let mut groups: Vec<Vec<Id>> = Vec::new();
    let answer = solver::select(needs, requested, &groups);
    let mut selected = answer.map_err(|no_answer| match no_answer {
        solver::NoAnswer::Contradiction(packages) => {
            explain::contradiction(needs, requested, &packages, &request.exclude)
        }
        solver::NoAnswer::TooHard => "the solver found no answer within its limit; name fewer alternatives, or exclude packages with --exclude-package".to_owned(),
    })?;
    let mut tried = std::collections::BTreeSet::new();
    while request.recommends && tried.len() < MAX_RECOMMENDED {
        let next = needs::members(&selected).find_map(|id| {
            let needs = needs.of(id).needs.iter().enumerate();
            let mut open = needs.filter(|(number, need)| !need.is_hard && !tried.contains(&(id, *number)));
            open.find_map(|(number, need)| {
                let targets: Vec<Id> = need.targets().collect();
                let is_met = targets.iter().any(|target| selected[*target as usize]);
                (!is_met && !targets.is_empty()).then_some((id, number, targets))
            })
        });
        let Some((id, number, targets)) = next else { break };
        tried.insert((id, number));
        groups.push(targets);
        match solver::select(needs, requested, &groups) {
            Ok(more) => selected = more,
            Err(_) => {
                groups.pop();
            }
        }
    }
    Ok(selected)
}
