//! Names that are similar to one that does not exist.

use std::collections::BTreeSet;

/// The maximum number of similar names in an error.
const MAX_NEAR: usize = 5;
/// The least similarity of names, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.75;

/// Returns the names that are similar to one that does not exist, the most similar first.
pub(super) fn similar(name: &[u8], names: impl Iterator<Item = String>) -> Vec<String> {
    let name = String::from_utf8_lossy(name);
    let names: BTreeSet<String> = names.collect();
    let similarity = |other: &str| {
        let is_part = name.len() > 2 && (other.contains(&*name) || name.contains(other));
        strsim::jaro_winkler(&name, other).max(if is_part { MIN_SIMILARITY } else { 0.0 })
    };
    let mut similar: Vec<(f64, String)> =
        names.into_iter().map(|other| (similarity(&other), other)).collect();
    similar.retain(|(similarity, _)| *similarity >= MIN_SIMILARITY);
    similar.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.cmp(other)));
    similar.into_iter().take(MAX_NEAR).map(|(_, name)| name).collect()
}

/// Returns the end of a message with similar names.
pub(super) fn did_you_mean(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!("; similar names are {}", near.join(", ")),
    }
}
