//! Missing files that nothing needs but the files that programs are only known to use.

use std::collections::{BTreeMap, BTreeSet};

use crate::closure::result::Closure;
use crate::closure::result::reason::Kind;

/// Turns missing files into warnings if only files that are kept as heuristics need them.
pub(super) fn warn_of_missing(closure: &mut Closure) {
    let needed = needed(closure);
    let (missing, optional): (Vec<_>, Vec<_>) = std::mem::take(&mut closure.missing)
        .into_iter()
        .partition(|missing| missing.chain.last().is_none_or(|by| needed.contains(by)));
    closure.missing = missing;
    closure.warnings.extend(optional.iter().map(|missing| format!("missing: {missing}")));
}

/// Returns the kept files that are requested, or that such files need.
fn needed(closure: &Closure) -> BTreeSet<Vec<u8>> {
    let mut needed: BTreeSet<&[u8]> = BTreeSet::new();
    let mut needs: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    let mut pending: Vec<&[u8]> = Vec::new();
    for (path, reasons) in &closure.kept {
        for reason in reasons.iter().filter(|reason| reason.kind != Kind::Known) {
            match &reason.by {
                None => pending.push(path),
                Some(by) => needs.entry(by).or_default().push(path),
            }
        }
    }
    while let Some(path) = pending.pop() {
        if needed.insert(path) {
            pending.extend(needs.remove(path).into_iter().flatten());
        }
    }
    needed.into_iter().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use image_tree::resolve::ResolveError;

    use super::*;
    use crate::closure::result::missing::{Cause, Missing};
    use crate::closure::result::reason::Reason;

    #[test]
    fn only_what_requested_files_need_must_be_there() {
        let reason = |kind, by: Option<&str>| {
            let by = by.map(|by| by.as_bytes().to_vec());
            BTreeSet::from([Reason { kind, by, name: Vec::new() }])
        };
        let kept = [
            ("/bin/p", reason(Kind::Requested, None)),
            ("/lib/needed", reason(Kind::Needed, Some("/bin/p"))),
            ("/lib/plugin", reason(Kind::Known, Some("/bin/p"))),
            ("/lib/of-plugin", reason(Kind::Needed, Some("/lib/plugin"))),
        ];
        let missing = |name: &str, chain: &[&str]| {
            let chain = chain.iter().map(|by| by.as_bytes().to_vec()).collect();
            let cause = Cause::Path(ResolveError::Missing.into());
            Missing::new(name.as_bytes().to_vec(), Kind::Needed, chain, cause)
        };
        let mut closure = Closure {
            kept: kept.map(|(path, reasons)| (path.as_bytes().to_vec(), reasons)).into(),
            missing: vec![
                missing("a", &["/lib/needed", "/bin/p"]),
                missing("b", &["/lib/of-plugin", "/lib/plugin"]),
                missing("c", &["/lib/plugin"]),
                missing("d", &["/bin/p"]),
                missing("e", &[]),
            ],
            ..Closure::default()
        };
        warn_of_missing(&mut closure);
        let names: Vec<&[u8]> = closure.missing.iter().map(|missing| &missing.name[..]).collect();
        assert_eq!(names, [b"a", b"d", b"e"]);
        assert_eq!(closure.warnings.len(), 2);
        assert!(closure.warnings[1].starts_with("missing: c, needed by /lib/plugin"), "{closure:?}");
    }
}
