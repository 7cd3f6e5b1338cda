//! PAM's common services are those of pam-auth-update.

use super::{Outcomes, Random, Root};
use crate::judges;

#[test]
fn random_profiles_make_the_same_services() {
    const NAMES: [&str; 5] = ["unix", "ldap", "cap", "zz", "mk"];
    const LINES: [&str; 6] = [
        "[success=end default=ignore]\tpam_unix.so nullok  try_first_pass",
        "required\tpam_a.so",
        "[success=end new_authtok_reqd=done default=ignore]   pam_end.so x",
        "optional pam_b.so  y z ",
        "requisite\t\tpam_c.so",
        "sufficient pam_d.so",
    ];
    let (mut random, mut outcomes) = (Random(6), Outcomes::default());
    for case in 0..12 {
        let Some(mut judge) = judges::command("pam-auth-update") else { return };
        let root = Root::new();
        root.copy("/usr/share/pam");
        root.write("/etc/pam.d/x", "");
        std::fs::create_dir_all(root.path().join("var/lib/pam")).unwrap();
        let mut context = format!("case {case}:\n");
        for name in NAMES {
            let mut text =
                format!("Name: {name}\nDefault: {}\n", if random.below(5) > 0 { "yes" } else { "no" });
            text += &format!("Priority: {}\n", random.below(4));
            if random.below(3) == 0 {
                text += &format!("Conflicts: {}, none\n", random.one_of(&NAMES).replace(name, "none"));
            }
            if random.below(3) == 0 {
                text += "Session-Interactive-Only: yes\n";
            }
            for kind in ["Auth", "Account", "Session", "Password"] {
                if random.below(3) > 0 {
                    let block = random.one_of(&["Primary", "Additional"]);
                    text += &format!("{kind}-Type: {block}\n{kind}:\n\t{}\n", random.one_of(&LINES));
                    if random.below(2) == 0 {
                        text += &format!("\t{}\n", random.one_of(&LINES));
                    }
                    if random.below(3) == 0 {
                        text += &format!("{kind}-Initial:\n\t{}\n", random.one_of(&LINES));
                    }
                }
            }
            context += &text;
            root.write(&format!("/usr/share/pam-configs/{name}"), &text);
        }
        let (ours, _) = root.configured("pam");
        // Its answers are not those of this machine.
        let answers = root.scratch.join("answers");
        judge.env("DEBIAN_FRONTEND", "noninteractive");
        judge.env("DEBCONF_DB_REPLACE", format!("File{{{}}}", answers.display()));
        let judge = judge.arg("--root").arg(root.path()).args(["--package", "--force"]);
        match root.judged(judge) {
            Some(judged) => outcomes.compare(&ours, &judged, |path| path.starts_with("/answers"), &context),
            None => outcomes.given_up += 1,
        }
    }
    outcomes.check(8);
}
