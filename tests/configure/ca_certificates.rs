//! The bundle of certificates and its links are those of update-ca-certificates and OpenSSL.

use super::{Entries, Outcomes, Root};
use crate::judges;

#[test]
fn the_certificates_of_this_machine_have_the_same_links() {
    let Some(mut judge) = judges::command("update-ca-certificates") else { return };
    let root = Root::new();
    root.copy("/usr/share/ca-certificates");
    root.copy("/etc/ca-certificates.conf");
    root.write("/etc/ssl/certs/x", "");
    root.write("/usr/local/share/ca-certificates/none", "");
    let (ours, made) = root.configured("ca-certificates");
    assert_eq!(made[0].problems, [""; 0]);
    let path = |path: &str| root.path().join(path);
    judge.arg("--certsconf").arg(path("etc/ca-certificates.conf"));
    judge.arg("--certsdir").arg(path("usr/share/ca-certificates"));
    judge.arg("--localcertsdir").arg(path("usr/local/share/ca-certificates"));
    judge.arg("--etccertsdir").arg(path("etc/ssl/certs")).arg("--hooksdir").arg(path("none"));
    let judged = root.judged(&mut judge).unwrap();
    let above = root.path().display().to_string();
    let judged: Entries = judged.into_iter().map(|(path, text)| (path, text.replace(&above, ""))).collect();
    assert!(judged.len() > 250, "{} files", judged.len());
    let mut outcomes = Outcomes::default();
    outcomes.compare(&ours, &judged, |_| false, "the certificates of this machine");
    outcomes.check(1);
}
