//! Kept files that may not be read.
//!
//! An optional file is kept if it exists. One that may not be read is left out instead, with a
//! warning, so that a user who may not read it gets the rest.

use std::collections::BTreeMap;
use std::io;

use crate::closure::dependency::Dependency;
use crate::closure::error::Result;
use crate::closure::requests::Request;
use crate::closure::result::Closure;
use crate::closure::result::reason::{Kind, Reason};

/// A kept file that may not be read, so that its needs are not known.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// Its path without symbolic links.
    pub(super) path: Vec<u8>,
    pub(super) error: io::Error,
}

/// The dependencies on files that need not exist.
#[derive(Clone, Debug, Default)]
pub struct OptionalFiles {
    /// For each reason that a dependency states, true if one of them is mandatory.
    required: BTreeMap<Reason, bool>,
}

impl OptionalFiles {
    pub(super) fn of<'d>(dependencies: impl Iterator<Item = &'d Dependency>, requested: &[Request]) -> Self {
        let mut all = Self::default();
        for dependency in dependencies {
            for name in dependency.target.names() {
                let (kind, by, name) = (dependency.kind, dependency.by.clone(), name.clone());
                *all.required.entry(Reason { kind, by, name }).or_default() |= dependency.required;
            }
        }
        for request in requested {
            let (name, is_required) = match request {
                Request::Path(path) => (path, true),
                Request::Glob { text, .. } => (text, true),
                Request::Optional(optional) => match &**optional {
                    Request::Path(name) | Request::Glob { text: name, .. } => (name, false),
                    _ => continue,
                },
                Request::First(_) | Request::Dependency(_) | Request::Member { .. } => continue,
            };
            let reason = Reason { kind: Kind::Requested, by: None, name: name.clone() };
            *all.required.entry(reason).or_default() |= is_required;
        }
        all
    }

    /// Leaves out a name that may not be read, if it is kept for optional dependencies alone and
    /// nothing beneath it is kept. Returns the warning about it.
    pub fn leave_out(&self, closure: &mut Closure, path: &[u8]) -> Option<String> {
        let reasons = closure.kept.get(path)?;
        let first = reasons.first()?;
        let beneath = [path, b"/"].concat();
        let has_more =
            closure.kept.range(beneath.clone()..).next().is_some_and(|(next, _)| next.starts_with(&beneath));
        if has_more || !reasons.iter().all(|reason| self.required.get(reason) == Some(&false)) {
            return None;
        }
        let path_shown = path.escape_ascii();
        let warning = format!("{path_shown} may not be read and is left out, since it is optional: {first}");
        closure.kept.remove(path);
        Some(warning)
    }

    /// Leaves out the unreadable files of a closure.
    ///
    /// # Errors
    /// Returns the error of the first one that is not optional.
    pub(super) fn leave_out_all(&self, closure: &mut Closure, unreadable: Vec<Unreadable>) -> Result<()> {
        for Unreadable { path, error } in unreadable {
            // A second name of a file is examined once for each of its paths.
            if closure.kept.contains_key(&path) {
                let warning = self.leave_out(closure, &path).ok_or(error)?;
                closure.warnings.push(warning);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::closure::dependency::Target;
    use crate::closure::result::reason::Kind;

    #[test]
    fn only_what_every_dependency_permits_to_be_missing_is_left_out() {
        let dependency = |kind, by: &str, target, required| Dependency {
            target,
            kind,
            required,
            reason: String::new(),
            by: Some(by.as_bytes().to_vec()),
        };
        let file = |path: &str| Target::File(vec![path.as_bytes().to_vec()]);
        let optional = OptionalFiles::of(
            [
                dependency(Kind::Known, "/p", file("/a"), false),
                dependency(Kind::Known, "/p", Target::Directory(b"/d".to_vec()), false),
                dependency(Kind::Configured, "/p", file("/b"), false),
                dependency(Kind::Configured, "/p", file("/b"), true),
            ]
            .iter(),
            &[Request::Optional(Box::new(Request::Path(b"/o".to_vec()))), Request::Path(b"/r".to_vec())],
        );
        let reason =
            |kind, name: &str| Reason { kind, by: Some(b"/p".to_vec()), name: name.as_bytes().to_vec() };
        let left_out = |path: &str, reasons: &[Reason], more: &[&str]| {
            let reasons: BTreeSet<Reason> = reasons.iter().cloned().collect();
            let paths = [&[path], more].concat();
            let kept = paths.into_iter().map(|path| (path.as_bytes().to_vec(), reasons.clone())).collect();
            let mut closure = Closure { kept, ..Closure::default() };
            let warning = optional.leave_out(&mut closure, path.as_bytes());
            assert_eq!(closure.kept.contains_key(path.as_bytes()), warning.is_none(), "{path}");
            warning
        };
        let known = reason(Kind::Known, "/a");
        let expected =
            "/a may not be read and is left out, since it is optional: heuristically kept file /a of /p";
        assert_eq!(left_out("/a", std::slice::from_ref(&known), &["/a.b"]).as_deref(), Some(expected));
        assert!(left_out("/d/x", &[reason(Kind::Known, "/d")], &[]).is_some());
        assert_eq!(left_out("/a", &[known.clone(), reason(Kind::Needed, "/a")], &[]), None);
        assert_eq!(left_out("/a", &[reason(Kind::Configured, "/a")], &[]), None);
        assert_eq!(left_out("/b", &[reason(Kind::Configured, "/b")], &[]), None);
        assert_eq!(left_out("/a", &[known], &["/a/b"]), None);
        let requested = |name: &str| Reason { by: None, ..reason(Kind::Requested, name) };
        assert!(left_out("/o", &[requested("/o")], &[]).is_some());
        assert_eq!(left_out("/r", &[requested("/r")], &[]), None);
        assert_eq!(optional.leave_out(&mut Closure::default(), b"/a"), None);
    }
}
