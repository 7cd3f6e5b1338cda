//! The units in the chains of missing files.

use std::collections::{BTreeMap, BTreeSet};

use crate::closure::config::unit::units_of;
use crate::closure::result::Closure;
use crate::closure::result::reason::{Kind, Reason};

/// The origin of each dependency by the file that needs it, if one does, and by its name.
type Notes = BTreeMap<(Option<Vec<u8>>, Vec<u8>), String>;

/// Completes the chain of each missing file by the files that lead from it to a unit, and by the
/// units that lead from there to the request. A file that was requested itself is the end of its
/// chain. `notes` has the origins of dependencies by their names.
pub(super) fn add_to_chains(closure: &mut Closure, notes: &Notes) {
    let units = |name: &[u8]| -> Vec<Vec<u8>> {
        let note = notes.get(&(None, name.to_vec())).map_or("", String::as_str);
        units_of(note).into_iter().map(|unit| unit.as_bytes().to_vec()).collect()
    };
    let mut added = Vec::new();
    for missing in &closure.missing {
        let mut more = Vec::new();
        match missing.chain.last() {
            None if missing.kind != Kind::Requested => more = units(&missing.name),
            None => {}
            Some(path) => follow(closure, path, units, &mut more),
        }
        added.push(more);
    }
    for (missing, more) in closure.missing.iter_mut().zip(added) {
        missing.chain.extend(more);
    }
}

/// Adds the files and units that lead from a kept file to the request.
fn follow(closure: &Closure, path: &[u8], units: impl Fn(&[u8]) -> Vec<Vec<u8>>, more: &mut Vec<Vec<u8>>) {
    let mut seen = BTreeSet::new();
    let mut next = Some(path);
    while let Some(path) = next.filter(|path| seen.insert(*path)) {
        let reasons: Vec<&Reason> = closure.kept.get(path).into_iter().flatten().collect();
        if reasons.iter().any(|reason| reason.kind == Kind::Requested) {
            return;
        }
        let stated = reasons.iter().filter(|reason| reason.by.is_none()).map(|reason| units(&reason.name));
        if let Some(units) = stated.into_iter().find(|units| !units.is_empty()) {
            more.extend(units);
            return;
        }
        next = reasons.iter().find_map(|reason| reason.by.as_deref());
        more.extend(next.map(<[u8]>::to_vec));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::result::missing::{Cause, Missing};

    #[test]
    fn chains_lead_over_files_to_units() {
        let reason = |by: Option<&str>, name: &str| Reason {
            kind: Kind::Configured,
            by: by.map(|by| by.as_bytes().to_vec()),
            name: name.as_bytes().to_vec(),
        };
        let mut closure = Closure::default();
        for (path, reason) in [
            ("/usr/sbin/x", reason(None, "/sbin/x")),
            ("/usr/lib/helper", reason(Some("/usr/sbin/x"), "helper")),
            ("/bin/own", Reason { kind: Kind::Requested, ..reason(None, "/bin/own") }),
            ("/bin/own", reason(None, "/sbin/x")),
        ] {
            closure.kept.entry(path.as_bytes().to_vec()).or_default().insert(reason);
        }
        let missing = |name: &str, chain: &[&str]| {
            let chain = chain.iter().map(|path| path.as_bytes().to_vec()).collect();
            Missing::new(name.as_bytes().to_vec(), Kind::Needed, chain, Cause::NoMatch)
        };
        closure.missing = vec![
            missing("lib.so", &["/usr/lib/helper"]),
            missing("/bin/none", &[]),
            missing("lib.so", &["/bin/own"]),
        ];
        let note = "is started by ExecStart= of x.service, wanted by y.target, requested";
        let notes = ["/sbin/x", "/bin/none"].map(|name| ((None, name.as_bytes().to_vec()), note.to_owned()));
        add_to_chains(&mut closure, &notes.into());
        let chains: Vec<Vec<u8>> = closure.missing.iter().map(|missing| missing.chain.join(&b' ')).collect();
        let expected = ["/usr/lib/helper /usr/sbin/x x.service y.target", "x.service y.target", "/bin/own"];
        assert_eq!(chains, expected.map(|chain| chain.as_bytes().to_vec()));
    }
}
