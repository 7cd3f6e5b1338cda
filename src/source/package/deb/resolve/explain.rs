//! The reasons for which packages were selected, and for which a selection is not possible.

use std::collections::{BTreeMap, VecDeque};

use super::needs::Needs;
use crate::source::package::deb::relation;
use crate::source::package::deb::universe::{Id, Universe};

/// The package that another one was selected for, and the number of the dependency.
pub(super) type Because = (Id, usize);

/// Returns the dependency by which each selected package is reached first from the requested ones,
/// which have none.
pub(super) fn reasons(
    needs: &Needs<'_, '_>,
    requested: &[Id],
    is_in: impl Fn(Id) -> bool,
) -> BTreeMap<Id, Option<Because>> {
    let mut reasons: BTreeMap<Id, Option<Because>> = BTreeMap::new();
    let mut left: VecDeque<Id> = VecDeque::new();
    for id in requested.iter().filter(|id| is_in(**id)) {
        if reasons.insert(*id, None).is_none() {
            left.push_back(*id);
        }
    }
    while let Some(id) = left.pop_front() {
        for (number, need) in needs.of(id).needs.iter().enumerate() {
            // Of several alternatives, the first one that was selected is the reason.
            for target in need.targets().filter(|target| is_in(*target)).take(1) {
                reasons.entry(target).or_insert_with(|| {
                    left.push_back(target);
                    Some((id, number))
                });
            }
        }
    }
    reasons
}

/// Explains a contradiction between packages.
pub(super) fn contradiction(
    needs: &Needs<'_, '_>,
    requested: &[Id],
    packages: &[Id],
    excluded: &[String],
) -> String {
    let is_in = |id: Id| packages.binary_search(&id).is_ok() || requested.contains(&id);
    let reasons = chains(needs, requested, is_in);
    let mut lines = Vec::new();
    for id in reasons.keys() {
        for need in needs.of(*id).needs.iter().filter(|need| need.is_hard) {
            if need.targets().next().is_none() {
                let what = unmet(needs, need.text, excluded);
                let who = format!("{} {}: {}", shown(needs, *id), need.field.to_lowercase(), text(need.text));
                lines.push(format!("{}{who}, but {what}", path(needs, &reasons, *id)));
            }
        }
    }
    if lines.is_empty() {
        for id in reasons.keys() {
            for refusal in &needs.of(*id).refusals {
                for other in refusal.targets.iter().filter(|other| reasons.contains_key(other)) {
                    let verb = match refusal.field {
                        "Breaks" => "breaks",
                        "Conflicts" => "conflicts with",
                        _ => "cannot be installed together with",
                    };
                    let why = if refusal.text.is_empty() {
                        String::new()
                    } else {
                        format!(" ({}: {})", refusal.field, text(refusal.text))
                    };
                    lines.push(format!("{} {verb} {}{why}", shown(needs, *id), shown(needs, *other)));
                    for one in [*id, *other] {
                        lines.push(format!("  {}", needed_by(needs, &reasons, one)));
                    }
                }
            }
        }
    }
    if lines.is_empty() {
        let names: Vec<String> = packages.iter().map(|id| shown(needs, *id)).collect();
        lines.push(format!("these contradict each other: {}", names.join(", ")));
    }
    /// The number of lines that are shown.
    const MAX_LINES: usize = 12;
    let more = lines.len().saturating_sub(MAX_LINES);
    lines.truncate(MAX_LINES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    format!("the packages cannot be installed together:\n  {}", lines.join("\n  "))
}

/// Returns the dependency by which each package is reached over any alternative.
fn chains(
    needs: &Needs<'_, '_>,
    requested: &[Id],
    is_in: impl Fn(Id) -> bool,
) -> BTreeMap<Id, Option<Because>> {
    let mut reasons: BTreeMap<Id, Option<Because>> = requested.iter().map(|id| (*id, None)).collect();
    let mut left: VecDeque<Id> = requested.iter().copied().collect();
    while let Some(id) = left.pop_front() {
        for (number, need) in needs.of(id).needs.iter().enumerate().filter(|(_, need)| need.is_hard) {
            for target in need.targets().filter(|target| is_in(*target)) {
                reasons.entry(target).or_insert_with(|| {
                    left.push_back(target);
                    Some((id, number))
                });
            }
        }
    }
    reasons
}

/// Returns the packages from the requested one to that before this one, as a start of a sentence.
fn path(needs: &Needs<'_, '_>, reasons: &BTreeMap<Id, Option<Because>>, id: Id) -> String {
    let mut names = Vec::new();
    let mut at = id;
    while let Some(Some((by, _))) = reasons.get(&at) {
        names.push(shown(needs, *by));
        at = *by;
    }
    names.reverse();
    names.iter().map(|name| format!("{name} needs ")).collect()
}

fn needed_by(needs: &Needs<'_, '_>, reasons: &BTreeMap<Id, Option<Because>>, id: Id) -> String {
    match reasons.get(&id) {
        Some(Some(_)) => format!("{}{}", path(needs, reasons, id), shown(needs, id)),
        _ => format!("{} is requested", shown(needs, id)),
    }
}

/// Names the versions and providers in the archives of a dependency that nothing meets.
fn unmet(needs: &Needs<'_, '_>, group: &[u8], excluded: &[String]) -> String {
    let alternatives = relation::groups(group).flat_map(|group| group.alternatives);
    let what = alternatives.map(|one| {
        let name = one.name;
        if excluded.iter().any(|excluded| excluded.split(':').next().unwrap_or_default().as_bytes() == name) {
            return format!("{} is excluded by --exclude-package", text(name));
        }
        available(needs.universe(), name)
    });
    what.collect::<Vec<_>>().join("; ")
}

/// Lists the versions of a name, and the packages that provide it.
pub(super) fn available(universe: &Universe<'_>, name: &[u8]) -> String {
    /// The number of providers that are named.
    const MAX_PROVIDERS: usize = 4;
    let shown = text(name);
    let mut versions: Vec<String> =
        universe.versions_of(name).map(|(_, listed)| text(listed.version)).collect();
    versions.dedup();
    let providers = universe.providers(name).map(|(id, version)| {
        let version = version.map(|version| format!(" (= {})", text(version)));
        format!("{}{}", universe.display_name(id), version.unwrap_or_default())
    });
    let providers: Vec<String> = providers.collect();
    let of_providers = match &providers[..] {
        all if all.len() <= MAX_PROVIDERS => format!("provided by {}", all.join(", ")),
        all => {
            let more = all.len() - MAX_PROVIDERS;
            format!("provided by {} and {more} more", all[..MAX_PROVIDERS].join(", "))
        }
    };
    match (versions.is_empty(), providers.is_empty()) {
        (true, true) => format!("{shown} is not in the archives"),
        (true, false) => format!("{shown} is {of_providers}"),
        (false, true) => format!("the archives have {shown} {}", versions.join(", ")),
        (false, false) => {
            format!("the archives have {shown} {}, and it is {of_providers}", versions.join(", "))
        }
    }
}

fn shown(needs: &Needs<'_, '_>, id: Id) -> String {
    let universe = needs.universe();
    format!("{} {}", universe.display_name(id), text(universe.package(id).listed.version))
}

pub(super) fn text(bytes: &[u8]) -> String {
    let words = bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}
