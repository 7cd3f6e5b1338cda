//! The entries that count, if a recipe has others than those that it inherits from.

use clap::{Arg, Command};

use super::flag;
use super::load::Located;

/// An argument, and the number of the last recipe that has it.
struct Later<'c> {
    arg: &'c Arg,
    any: usize,
    /// The last one in which it is not switched off.
    on: usize,
}

/// Returns the entries that no later recipe overrides in a verb. It does so by the same flag, unless
/// that collects values, by switching it off, or by one that conflicts with it.
pub(super) fn of_verb<'l>(verb: &Command, entries: &'l [Located]) -> Vec<&'l Located> {
    let arguments: Vec<Option<&Arg>> =
        entries.iter().map(|located| flag::argument(verb, &located.entry.key)).collect();
    // Of each argument only the last recipe that has it counts, and the last that has it on.
    let mut later: Vec<Later<'_>> = Vec::new();
    for (located, arg) in entries.iter().zip(&arguments) {
        let Some(arg) = *arg else { continue };
        let on = if located.entry.is_off { 0 } else { located.recipe };
        match later.iter_mut().find(|known| known.arg.get_id() == arg.get_id()) {
            Some(last) => (last.any, last.on) = (located.recipe, last.on.max(on)),
            None => later.push(Later { arg, any: located.recipe, on }),
        }
    }
    let is_overridden = |located: &Located, arg: &Arg| {
        later.iter().any(|other| {
            let is_same = other.arg.get_id() == arg.get_id();
            is_same && !flag::gathers(arg) && other.any > located.recipe
                || !is_same && other.on > located.recipe && flag::conflict(verb, arg, other.arg)
        })
    };
    let counts =
        |(located, arg): &(&Located, &Option<&Arg>)| arg.is_none_or(|arg| !is_overridden(located, arg));
    entries.iter().zip(&arguments).filter(counts).map(|(located, _)| located).collect()
}

/// Returns the entries that are in effect in any verb that has them, without those that are off.
pub(super) fn of_any<'l>(command: &Command, entries: &'l [Located]) -> Vec<&'l Located> {
    let verbs: Vec<(&Command, Vec<&Located>)> =
        flag::verbs(command).map(|verb| (verb, of_verb(verb, entries))).collect();
    let counts = |located: &&Located| {
        let has = |verb: &Command| flag::argument(verb, &located.entry.key).is_some();
        let is_in = |kept: &[&Located]| kept.iter().any(|kept| std::ptr::eq(*kept, *located));
        !located.entry.is_off && verbs.iter().any(|(verb, kept)| has(verb) && is_in(kept))
    };
    entries.iter().filter(counts).collect()
}
