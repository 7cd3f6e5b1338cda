//! Names that are similar to a wrong one.

/// The maximum number of names.
const MAX_NAMES: usize = 3;

/// The least similarity of names, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.8;

/// Returns the most similar of the names, the nearest first.
pub(super) fn names<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let similarity = |name: &'n str| (strsim::jaro_winkler(wrong, name), name);
    let mut near: Vec<(f64, &str)> = names.into_iter().map(similarity).collect();
    near.retain(|(similarity, _)| *similarity >= MIN_SIMILARITY);
    near.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.cmp(other)));
    near.dedup_by(|(_, one), (_, other)| one == other);
    near.into_iter().take(MAX_NAMES).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn the_nearest_names_come_first() {
        let all = ["keep", "keep-unit", "keep-rule", "label", "keep-unit"];
        assert_eq!(names("keep-unti", all), ["keep-unit", "keep", "keep-rule"]);
        assert!(names("colour", all).is_empty());
    }
}
