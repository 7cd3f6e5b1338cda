//! `/etc/pam.d/common-*` of profiles in `/usr/share/pam-configs`, as pam-auth-update(8) makes them
//! when it is installed.

mod profile;

use image_tree::Shown;
use image_tree::path::join;

use self::profile::{Block, Profile};
use super::site::Site;
use crate::error::Result;

const PROFILES: &[u8] = b"/usr/share/pam-configs";
const TEMPLATES: &[u8] = b"/usr/share/pam";
const SERVICES: &[u8] = b"/etc/pam.d";
const STATE: &[u8] = b"/var/lib/pam";

const TYPES: [&str; 5] = ["auth", "account", "password", "session", "session-noninteractive"];

const PRIMARY: &[u8] = b"# here are the per-package modules (the \"Primary\" block)";
const FALLBACK: &[u8] = b"# here's the fallback if no module succeeds";
const ADDITIONAL: &[u8] = b"# and here are more per-package modules (the \"Additional\" block)";
const END: &[u8] = b"# end of pam-auth-update config";

pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    let mut profiles = Vec::new();
    for name in site.names(PROFILES) {
        let is_backup =
            name.ends_with(b"~") || name.starts_with(b"#") && name.ends_with(b"#") && name.len() > 2;
        if let Some(text) = site.text(&join(PROFILES, &name))?.filter(|_| !is_backup) {
            profiles.extend(Profile::parse(name, &text));
        }
    }
    profiles.sort_by(|a, b| b.order().cmp(&a.order()));
    let seen = site.text(&join(STATE, b"seen"))?;
    if let Some(seen) = seen {
        // It was configured, and an administrator may have chosen.
        for profile in profiles.iter().filter(|profile| profile.is_default) {
            if !seen.split(|byte| *byte == b'\n').any(|name| name == profile.name) {
                let name = Shown(&profile.name);
                site.problem(format!("the profile {name} is new, and {} has others already", Shown(STATE)));
            }
        }
        return Ok(());
    }
    let enabled = without_conflicts(&profiles);
    if enabled.is_empty() {
        return Ok(());
    }
    for kind in TYPES {
        let name = format!("common-{kind}").into_bytes();
        let own = site.text(&join(SERVICES, &name))?;
        let Some(template) = own.or(site.text(&join(TEMPLATES, &name))?) else { continue };
        match filled(&template, kind, &enabled) {
            Some(text) => {
                site.write(&join(SERVICES, &name), text, 0o644)?;
                site.write(&join(STATE, kind.as_bytes()), saved(kind, &enabled), 0o644)?;
            }
            None => site.problem(format!("{} has no places for modules of profiles", Shown(&name))),
        }
    }
    let names: Vec<u8> = profiles.iter().flat_map(|profile| [&profile.name[..], b"\n"].concat()).collect();
    site.write(&join(STATE, b"seen"), names, 0o644)?;
    Ok(())
}

/// Returns the profiles that are enabled by default, without those that a profile names as its
/// conflicts.
fn without_conflicts(profiles: &[Profile]) -> Vec<&Profile> {
    let mut enabled: Vec<&Profile> = profiles.iter().filter(|profile| profile.is_default).collect();
    let mut at = 0;
    while let Some(profile) = enabled.get(at).copied() {
        enabled.retain(|other| !profile.conflicts.contains(&other.name));
        // The walk goes on by position, as pam-auth-update's does.
        at += 1;
    }
    enabled
}

/// Returns a template with the lines of profiles; `None` if it lacks a place for them.
fn filled(template: &[u8], kind: &str, enabled: &[&Profile]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let (mut skipped_until, mut blocks) = (None, 0);
    for line in template.split_inclusive(|byte| *byte == b'\n') {
        if let Some(end) = skipped_until {
            if line.starts_with(end) {
                skipped_until = None;
                text.extend(line);
            }
            continue;
        }
        text.extend(line);
        let (block, end) = match blocks {
            0 if line.starts_with(PRIMARY) => (Block::Primary, FALLBACK),
            1 if line.starts_with(ADDITIONAL) => (Block::Additional, END),
            _ => continue,
        };
        blocks += 1;
        skipped_until = Some(end);
        text.extend(lines(kind, block, enabled));
    }
    (blocks == 2 && skipped_until.is_none()).then_some(text)
}

/// Returns the lines of a block.
fn lines(kind: &str, block: Block, enabled: &[&Profile]) -> Vec<u8> {
    let of_block = enabled.iter().filter(|profile| profile.block(kind) == Some(block));
    let modules: Vec<Vec<u8>> =
        of_block.enumerate().flat_map(|(at, profile)| profile.lines(kind, at == 0)).collect();
    let shown = kind.trim_end_matches("-noninteractive");
    let mut left = modules.len();
    if block == Block::Additional {
        // Jumps stay within the block.
        left = left.saturating_sub(1);
    } else if modules.is_empty() {
        return format!("{shown}\t[default=1]\t\t\tpam_permit.so\n").into_bytes();
    }
    let mut text = Vec::new();
    for module in modules {
        text.extend(format!("{shown}\t").bytes());
        text.extend(profile::merged(&module, left));
        left = left.saturating_sub(1);
    }
    text
}

/// Returns the lines as they are saved.
fn saved(kind: &str, enabled: &[&Profile]) -> Vec<u8> {
    let mut text = Vec::new();
    for block in [Block::Primary, Block::Additional] {
        let of_block = enabled.iter().filter(|profile| profile.block(kind) == Some(block));
        let mut is_first = true;
        for profile in of_block {
            let lines = profile.lines(kind, is_first);
            is_first = false;
            if !lines.is_empty() {
                text.extend([b"Module: ", &profile.name[..], b"\n", &lines.join(&b'\n'), b"\n"].concat());
            }
        }
        if block == Block::Primary && is_first {
            text.extend(b"Module: null\n[default=1]\t\t\tpam_permit.so\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::testing::{configure, text, tree};

    const TEMPLATE: &str = "top\n# here are the per-package modules (the \"Primary\" block)\nold\n\
        # here's the fallback if no module succeeds\nauth requisite pam_deny.so\n\
        # and here are more per-package modules (the \"Additional\" block)\nold\n# end of pam-auth-update config\nlast\n";

    #[test]
    fn profiles_fill_templates_by_priority_and_conflicts() {
        let unix = "Name: Unix\nDefault: yes\nPriority: 256\nAuth-Type: Primary\nAuth:\n\t[success=end default=ignore]\tpam_unix.so nullok  try_first_pass\nAuth-Initial:\n\t[success=end default=ignore]\tpam_unix.so nullok\nSession-Type: Additional\nSession:\n\trequired\tpam_unix.so\n";
        let ldap = "Name: LDAP\nDefault: yes\nPriority: 128\nConflicts: gone, old\nAuth-Type: Primary\nAuth:\n\t[success=end]\tpam_ldap.so\n";
        let old =
            "Name: Old\nDefault: yes\nPriority: 300\nAuth-Type: Primary\nAuth:\n\trequired pam_old.so\n";
        let cap = "Name: Cap\nDefault: yes\nPriority: 0\nAuth-Type: Additional\nAuth:\n\toptional\tpam_cap.so\nSession-Interactive-Only: yes\nSession-Type: Additional\nSession:\n\toptional pam_x.so\n";
        let off = "Name: Off\nDefault: no\nPriority: 900\nAuth-Type: Primary\nAuth:\n\trequired pam_off.so\n";
        let session = TEMPLATE.replace("auth requisite", "session requisite");
        let mut tree = tree(&[
            ("/usr/share/pam-configs/unix", unix),
            ("/usr/share/pam-configs/ldap", ldap),
            ("/usr/share/pam-configs/old", old),
            ("/usr/share/pam-configs/cap", cap),
            ("/usr/share/pam-configs/off", off),
            ("/usr/share/pam-configs/off~", off),
            ("/usr/share/pam/common-auth", TEMPLATE),
            ("/usr/share/pam/common-session", &session),
            ("/usr/share/pam/common-session-noninteractive", &session),
        ]);
        configure(&mut tree, "pam").expect("there is room");
        let auth = text(&tree, "/etc/pam.d/common-auth");
        let primary =
            "auth\t[success=2 default=ignore]\tpam_unix.so nullok\nauth\t[success=1]\tpam_ldap.so \n#";
        assert!(
            auth.contains(primary) && auth.contains("block)\nauth\toptional\tpam_cap.so \n# end"),
            "{auth}"
        );
        assert!(!auth.contains("old") && auth.starts_with("top\n") && auth.ends_with("last\n"), "{auth}");
        let saved = "Module: unix\n[success=end default=ignore]\tpam_unix.so nullok\nModule: ldap\n[success=end]\tpam_ldap.so\n\
            Module: cap\noptional\tpam_cap.so\n";
        assert_eq!(text(&tree, "/var/lib/pam/auth"), saved);
        assert_eq!(text(&tree, "/var/lib/pam/seen"), "off\nold\nunix\nldap\ncap\n");
        let session = text(&tree, "/etc/pam.d/common-session");
        assert!(session.contains("session\t[default=1]\t\t\tpam_permit.so\n#"), "{session}");
        assert!(
            session.contains("session\trequired\tpam_unix.so \nsession\toptional pam_x.so \n# end"),
            "{session}"
        );
        let other = text(&tree, "/etc/pam.d/common-session-noninteractive");
        assert!(
            other.contains("session\trequired\tpam_unix.so \n# end") && !other.contains("pam_x"),
            "{other}"
        );
        let made = configure(&mut tree, "pam").expect("there is room");
        assert!(made[0].paths.is_empty() && made[0].problems.is_empty(), "{made:?}");
    }

    #[test]
    fn files_without_places_and_new_profiles_are_reported() {
        let profile = "Name: A\nDefault: yes\nPriority: 1\nAuth-Type: Primary\nAuth:\n\trequired a.so\n";
        let mut own = tree(&[("/usr/share/pam-configs/a", profile), ("/etc/pam.d/common-auth", "own\n")]);
        let made = configure(&mut own, "pam").expect("there is room");
        assert_eq!(made[0].problems, ["common-auth has no places for modules of profiles"]);
        assert_eq!(text(&own, "/etc/pam.d/common-auth"), "own\n");
        let mut seen = tree(&[("/usr/share/pam-configs/a", profile), ("/var/lib/pam/seen", "b\n")]);
        let made = configure(&mut seen, "pam").expect("there is room");
        assert_eq!(made[0].problems, ["the profile a is new, and /var/lib/pam has others already"]);
    }
}
