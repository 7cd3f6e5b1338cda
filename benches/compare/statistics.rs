//! Medians, and ratios of them.

/// Returns the median of `values`; `None` without values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    match values.len() % 2 {
        1 => Some(upper),
        _ => Some(f64::midpoint(values[values.len() / 2 - 1], upper)),
    }
}

/// Returns the median of `a / b` over the rounds in which both ran; each pair is a round and a
/// value.
pub(crate) fn pairwise(a: &[(u32, f64)], b: &[(u32, f64)]) -> Option<f64> {
    let in_round = |round| b.iter().find(|(other, _)| *other == round).map(|(_, value)| *value);
    median(a.iter().filter_map(|(round, value)| in_round(*round).map(|other| value / other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_of_odd_and_even_counts() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn pairwise_takes_only_common_rounds() {
        // The machine is three times slower in round 2; the ratio within each round is unchanged.
        let a = [(1, 2.0), (2, 6.0), (3, 2.0)];
        let b = [(1, 1.0), (2, 3.0)];
        assert_eq!(pairwise(&a, &b), Some(2.0));
        assert_eq!(pairwise(&a, &[(0, 5.0)]), None);
    }
}
