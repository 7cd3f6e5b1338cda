//! Files that the arguments of modules name.

use crate::closure::Kind;
use crate::closure::dependency::{Dependencies, PATH, Target};

/// The options of modules that take the path of a file or directory. `pam_userdb` adds `.db`.
const OPTIONS: [(&[u8], &[&[u8]]); 15] = [
    (b"pam_access.so", &[b"accessfile"]),
    (b"pam_echo.so", &[b"file"]),
    (b"pam_env.so", &[b"conffile", b"envfile"]),
    (b"pam_faillock.so", &[b"conf"]),
    (b"pam_group.so", &[b"conffile"]),
    (b"pam_issue.so", &[b"issue"]),
    (b"pam_limits.so", &[b"conf"]),
    (b"pam_listfile.so", &[b"file"]),
    (b"pam_localuser.so", &[b"file"]),
    (b"pam_motd.so", &[b"motd", b"motd_dir"]),
    (b"pam_pwhistory.so", &[b"conf", b"file"]),
    (b"pam_sepermit.so", &[b"conf"]),
    (b"pam_time.so", &[b"conffile"]),
    (b"pam_userdb.so", &[b"db"]),
    (b"pam_mkhomedir.so", &[b"skel"]),
];

/// Adds the files that the arguments of a module name, and the program that `pam_exec` runs.
pub(super) fn add(
    dependencies: &mut Dependencies,
    service: &[u8],
    module: &[u8],
    arguments: &[&[u8]],
    required: bool,
) {
    let service = service.escape_ascii();
    if module == b"pam_exec.so"
        && let Some(program) = arguments.iter().find(|argument| argument.starts_with(b"/"))
    {
        let reason = format!("is run by pam_exec for {service}");
        dependencies.add(Target::program(program, &PATH), Kind::Configured, required, reason);
    }
    let options = OPTIONS.iter().filter(|(name, _)| *name == module).flat_map(|(_, options)| *options);
    for option in options {
        let values =
            arguments.iter().filter_map(|argument| argument.strip_prefix(*option)?.strip_prefix(b"="));
        // The message of the day may be a list.
        for path in values.flat_map(|value| value.split(|byte| *byte == b':')) {
            if !path.starts_with(b"/") {
                continue;
            }
            let suffix: &[u8] = if module == b"pam_userdb.so" { b".db" } else { b"" };
            let reason =
                format!("is named by {}= of {} in {service}", option.escape_ascii(), module.escape_ascii());
            let target = match option.ends_with(b"_dir") || *option == b"skel" {
                true => Target::Directory(path.to_vec()),
                false => Target::File(vec![[path, suffix].concat()]),
            };
            dependencies.add(target, Kind::Configured, false, reason);
        }
    }
}
