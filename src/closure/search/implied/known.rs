//! Files that kept programs and libraries are known to start or open.

use image_tree::path::base_name;
use image_tree::{Content, Directories};

use super::context::{Context, Implied};
use crate::closure::config::pam;
use crate::closure::dependency::{Dependency, Target};
use crate::closure::error::Result;
use crate::closure::known::{Known, Matched, Table, Uses};
use crate::closure::reason::Kind;

/// Adds what the selected entries of the built-in table say about the kept files.
pub(super) fn add<T: Directories<Content: Content>>(
    context: &Context<'_, T>,
    found: &mut Implied,
) -> Result<()> {
    if context.keep.known == Known::None {
        return Ok(());
    }
    let kept = || context.closure.kept.keys();
    let has_pam = kept().any(|path| base_name(path).starts_with(b"libpam.so."));
    for path in kept() {
        for matched in Table::built_in().matching(path) {
            if context.keep.known.contains(&matched.entry.name) {
                take(context, path, matched, has_pam, found)?;
            }
        }
    }
    Ok(())
}

fn take<T: Directories<Content: Content>>(
    context: &Context<'_, T>,
    path: &[u8],
    matched: Matched<'_, '_>,
    has_pam: bool,
    found: &mut Implied,
) -> Result<()> {
    let directories = &context.closure.library_directories;
    let uses = Uses::of(context.tree, matched, path, directories)?;
    let entry = matched.entry;
    let reason = format!("is known to be used by {} ({}: {})", path.escape_ascii(), entry.name, entry.source);
    let mut add = |target: Target, required| {
        let (kind, reason, by) = (Kind::Known, reason.clone(), Some(path.to_vec()));
        found.dependencies.push(Dependency { target, kind, required, reason, by });
    };
    uses.required.into_iter().for_each(|target| add(target, true));
    uses.files.into_iter().for_each(|target| add(target, false));
    found.unknown.extend(uses.unknown);
    found.accounts.extend(uses.accounts);
    // A program without PAM does not read its services.
    for service in uses.services.iter().filter(|_| has_pam) {
        let mut service = pam::dependencies(context.tree, service, directories)?;
        for dependency in &mut service.known {
            dependency.required = false;
            dependency.by = Some(path.to_vec());
        }
        if !service.known.is_empty() {
            found.take(service);
        }
    }
    Ok(())
}
