//! The users and groups that lines ask for, with numbers: all groups, then all users, then members.

use image_tree::Shown;

use super::super::site::Site;
use super::database::{Databases, NewUser, days};
use super::declared::{Declared, Item, LoginGroup, Wanted};
use super::ids::Ids;
use crate::error::{Error, ErrorKind, Result};

const NOLOGIN: &[u8] = b"/usr/sbin/nologin";

/// Adds what lines ask for and the databases lack.
///
/// # Errors
/// If there is no free number.
pub(super) fn apply(site: &mut Site<'_>, declared: &Declared, databases: &mut Databases) -> Result<()> {
    let ids = Ids::new(site, databases, &declared.ranges, declared.reserved())?;
    let mut allocation = Allocation { site, databases, ids };
    for group in &declared.groups {
        allocation.add_group(group, None)?;
    }
    for user in &declared.users {
        allocation.add_user(user, declared)?;
    }
    for (group, members) in &declared.members {
        let known: Vec<Vec<u8>> =
            members.iter().filter(|member| allocation.ids.users.contains_key(*member)).cloned().collect();
        allocation.databases.add_members(group, &known);
    }
    Ok(())
}

struct Allocation<'a, 't> {
    site: &'a mut Site<'t>,
    databases: &'a mut Databases,
    ids: Ids,
}

impl Allocation<'_, '_> {
    /// Returns the number of a group, which is added if there is none of its name. `uid` is the
    /// number of the user that has it.
    fn add_group(&mut self, item: &Item, uid: Option<u32>) -> Result<u32> {
        let Item { name, wanted, place, .. } = item;
        let number = match wanted {
            Wanted::Number(number) => Some(*number),
            Wanted::Any | Wanted::OwnerOf(_) => None,
        };
        if let Some(gid) = self.ids.groups.get(name).copied() {
            if uid.is_none() && number.is_some_and(|number| number != gid) {
                self.report_number(place, "group", name, number, gid);
            }
            return Ok(gid);
        }
        let of_file = || self.owner(wanted).map(|(_, gid)| gid);
        let fixed = number.filter(|gid| self.ids.is_free_gid(*gid, name, true));
        let choices = [uid, of_file().filter(|gid| self.ids.is_in_range(*gid))];
        let mut choices = choices.into_iter().flatten();
        let free = fixed.or_else(|| choices.find(|gid| self.ids.is_free_gid(*gid, name, false)));
        let gid = match free {
            Some(gid) => gid,
            None => self.take_free("group", name, place)?,
        };
        if number.is_some_and(|number| number != gid) {
            self.report_number(place, "group", name, number, gid);
        }
        self.ids.add_group(name, gid);
        self.databases.add_group(name, gid);
        Ok(gid)
    }

    fn add_user(&mut self, item: &Item, declared: &Declared) -> Result<()> {
        let Item { name, wanted, place, .. } = item;
        let number = match wanted {
            Wanted::Number(number) => Some(*number),
            Wanted::Any | Wanted::OwnerOf(_) => None,
        };
        let Some(gid) = self.login_group(item, declared)? else { return Ok(()) };
        if let Some((uid, _)) = self.ids.users.get(name).copied() {
            if number.is_some_and(|number| number != uid) {
                self.report_number(place, "user", name, number, uid);
            }
            return Ok(());
        }
        let any_group = item.group != LoginGroup::Own;
        let of_file = self.owner(wanted).map(|(uid, _)| uid).filter(|uid| self.ids.is_in_range(*uid));
        let fixed = number.filter(|uid| self.ids.is_free_uid(*uid, name, any_group));
        let others = [of_file, Some(gid)].into_iter().flatten();
        let uid = match fixed.or(others.into_iter().find(|uid| self.ids.is_free_uid(*uid, name, false))) {
            Some(uid) => uid,
            None => self.take_free("user", name, place)?,
        };
        if number.is_some_and(|number| number != uid) {
            self.report_number(place, "user", name, number, uid);
        }
        self.ids.add_user(name, uid, gid);
        let or_default = |text: &'_ Vec<u8>, default: &'static [u8]| {
            if text.is_empty() { default.to_vec() } else { text.clone() }
        };
        let home = or_default(&item.home, if uid == 0 && name == b"root" { b"/root" } else { b"/" });
        let shell = or_default(&item.shell, if uid == 0 { b"/bin/sh" } else { NOLOGIN });
        let (comment, is_expired) = (&item.comment, item.is_expired);
        let user = NewUser { name, uid, gid, comment, home: &home, shell: &shell, is_expired };
        self.databases.add_user(&user, &days(self.site.time));
        Ok(())
    }

    /// Returns the login group of a user, which is added if a line asks for it; `None` after a
    /// problem.
    fn login_group(&mut self, item: &Item, declared: &Declared) -> Result<Option<u32>> {
        match &item.group {
            LoginGroup::Number(gid) => {
                // The group of its name has precedence, as in systemd-sysusers.
                let own = self.ids.groups.get(&item.name).copied();
                if let Some(gid) = own.or(Some(*gid).filter(|gid| self.ids.has_gid(*gid))) {
                    return Ok(Some(gid));
                }
                let (place, name) = (&item.place, Shown(&item.name));
                self.site.problem(format!("{place}: {name} is not added: no group has the number {gid}"));
                Ok(None)
            }
            LoginGroup::Named(group) => {
                if let Some(gid) = self.ids.groups.get(group) {
                    return Ok(Some(*gid));
                }
                let (place, name) = (&item.place, Shown(&item.name));
                self.site
                    .problem(format!("{place}: {name} is not added: there is no group {}", Shown(group)));
                Ok(None)
            }
            LoginGroup::Own => {
                if declared.group(&item.name).is_none()
                    && let Some((_, gid)) = self.ids.users.get(&item.name)
                {
                    return Ok(Some(*gid));
                }
                let uid = match item.wanted {
                    Wanted::Number(uid) => Some(uid),
                    Wanted::Any | Wanted::OwnerOf(_) => None,
                };
                let group = Item { wanted: owner_only(&item.wanted), ..item.clone() };
                self.add_group(&group, uid).map(Some)
            }
        }
    }

    /// Returns the owner of the file of an id that is a path.
    fn owner(&self, wanted: &Wanted) -> Option<(u32, u32)> {
        let Wanted::OwnerOf(path) = wanted else { return None };
        let metadata = &self.site.tree.get(self.site.find(path)?).metadata;
        Some((metadata.uid, metadata.gid))
    }

    fn take_free(&mut self, what: &str, name: &[u8], place: &str) -> Result<u32> {
        self.ids.take_free().ok_or_else(|| {
            let ranges = self.ids.shown_ranges();
            let message = format!(
                "--configure accounts: {place}: there is no free number for the {what} {}: all of {ranges} are used; a line of type r in sysusers.d adds a range",
                Shown(name)
            );
            Error::new(ErrorKind::BadInput, message)
        })
    }

    fn report_number(&mut self, place: &str, what: &str, name: &[u8], wanted: Option<u32>, got: u32) {
        let Some(wanted) = wanted else { return };
        let (holder, name) = (Shown(self.ids.holder(wanted)).to_string(), Shown(name));
        let why = if holder == "?" { String::new() } else { format!(", {wanted} is that of {holder}") };
        self.site.problem(format!("{place}: the {what} {name} has the number {got} and not {wanted}{why}"));
    }
}

/// Returns what a user's own group asks for besides the number of the user.
fn owner_only(wanted: &Wanted) -> Wanted {
    match wanted {
        Wanted::OwnerOf(path) => Wanted::OwnerOf(path.clone()),
        Wanted::Any | Wanted::Number(_) => Wanted::Any,
    }
}
