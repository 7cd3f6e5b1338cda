use std::fs;
use std::path::PathBuf;

use image_tree::resolve::resolve_in_root;
use image_tree::{Kind, dump};

use super::*;

const ROOT: &str = "/ 0 40700 2 0 0 0 0.0 - - -\n";

/// Returns the tree of a dump, whose files have these contents.
fn tree(text: &str) -> Tree<Blob> {
    dump::parse(format!("{ROOT}{text}").as_bytes(), |_| Ok::<_, std::io::Error>(Blob::from(Vec::new())))
        .expect("a dump")
}

const SYSTEMD: &str = "/sbin 0 40755 2 0 0 0 0.0 - - -\n/sbin/init 0 120777 1 0 0 0 0.0 /lib/systemd/systemd - -\n\
                       /usr 0 40755 2 0 0 0 0.0 - - -\n/usr/lib 0 40755 2 0 0 0 0.0 - - -\n\
                       /usr/lib/systemd 0 40755 2 0 0 0 0.0 - - -\n\
                       /usr/lib/systemd/systemd 1 100755 1 0 0 0 0.0 - x -\n\
                       /lib 0 120777 1 0 0 0 0.0 usr/lib - -\n\
                       /var 0 40755 2 0 0 0 0.0 - - -\n/var/log 0 40755 2 0 0 0 0.0 - - -\n\
                       /var/log/x 1 100644 1 0 0 0 0.0 - x -\n\
                       /etc 0 40755 2 0 0 0 0.0 - - -\n\
                       /etc/resolv.conf 0 120777 1 0 0 0 0.0 ../run/x - -\n";

const TIME: Timestamp = Timestamp::from_seconds(7);

fn program() -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("agent");
    fs::write(&path, "#!/bin/agent\n").expect("a file");
    (scratch, path)
}

fn set_up(tree: &mut Tree<Blob>, setup: &Setup) -> Result<Report> {
    apply(tree, &Options { setup, time: TIME })
}

fn text(tree: &Tree<Blob>, path: &str) -> String {
    let id = resolve_in_root(tree, path.as_bytes()).expect(path);
    let Kind::Regular(blob) = &tree.get(id).kind else { panic!("{path} is not a file") };
    let bytes = crate::bounded::read_content(blob, 1 << 20, path).expect("it can be read");
    String::from_utf8(bytes).expect("text")
}

fn link(tree: &Tree<Blob>, path: &str) -> String {
    let Kind::Symlink(target) = &tree.get(tree.resolve_no_symlinks(path.as_bytes()).expect(path)).kind else {
        panic!("{path} is not a link")
    };
    target.to_string()
}

#[test]
fn a_guest_with_systemd_has_what_rootfs_sh_makes() {
    let (_scratch, agent) = program();
    let mut tree = tree(SYSTEMD);
    let setup = Setup { agent: Some(agent), ..Setup::default() };
    let report = set_up(&mut tree, &setup).expect("it has all");
    assert!(report.changes.contains(&"/var/log was removed".to_owned()), "{report:?}");
    assert_eq!(link(&tree, "/var/tmp"), "../tmp");
    assert!(text(&tree, "/etc/systemd/system/tmp.mount").contains("Where=/tmp\n"));
    assert_eq!(text(&tree, "/etc/resolv.conf"), "");
    assert_eq!(text(&tree, "/etc/machine-id"), "");
    assert_eq!(text(&tree, "/usr/bin/kata-agent"), "#!/bin/agent\n");
    assert_eq!(
        link(&tree, "/etc/systemd/system/basic.target.wants/kata-containers.target"),
        "/usr/lib/systemd/system/kata-containers.target"
    );
    assert_eq!(
        link(&tree, "/etc/systemd/system/kata-containers.target.wants/dbus.socket"),
        "/usr/lib/systemd/system/dbus.socket"
    );
    assert!(
        text(&tree, "/usr/lib/systemd/system/kata-agent.service").contains("ExecStart=/usr/bin/kata-agent\n")
    );
    assert!(text(&tree, "/var/lib/osbuilder/osbuilder.yaml").contains("agent-is-init-daemon: \"no\"\n"));
    assert_eq!(tree.get(image_tree::InodeId::ROOT).metadata.mode, 0o751);
    let agent = tree.get(resolve_in_root(&tree, b"/usr/bin/kata-agent").expect("it was copied"));
    assert_eq!((agent.metadata.mode, agent.metadata.uid, agent.metadata.mtime), (0o755, 0, TIME));
}

#[test]
fn a_second_setup_changes_only_what_is_volatile() {
    let (_scratch, agent) = program();
    let mut tree = tree(SYSTEMD);
    let setup = Setup { agent: Some(agent), confidential: true, ..Setup::default() };
    set_up(&mut tree, &setup).expect("it has all");
    let once: Vec<Vec<u8>> = paths(&tree);
    let again = Setup { agent: None, ..setup };
    let report = set_up(&mut tree, &again).expect("it has all");
    assert_eq!(paths(&tree), once);
    let expected = ["/var/lib was removed", "/var/lib/osbuilder/osbuilder.yaml was written"];
    assert_eq!(report.changes, expected);
}

fn paths(tree: &Tree<Blob>) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    let mut walk = tree.walk();
    while walk.next().is_some() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        paths.push(path);
    }
    paths
}

#[test]
fn the_agent_can_be_the_init() {
    let (_scratch, agent) = program();
    let mut guest = tree("/sbin 0 40755 2 0 0 0 0.0 - - -\n");
    let setup = Setup { agent: Some(agent.clone()), init: GuestInit::Agent, ..Setup::default() };
    set_up(&mut guest, &setup).expect("it has an agent");
    assert_eq!(text(&guest, "/sbin/init"), "#!/bin/agent\n");
    assert!(guest.resolve_no_symlinks(b"/usr/bin/kata-agent").is_none());
    assert!(guest.resolve_no_symlinks(b"/etc/systemd").is_none(), "no unit without systemd");
    assert!(text(&guest, "/var/lib/osbuilder/osbuilder.yaml").contains("agent-is-init-daemon: \"yes\"\n"));
    // As osbuilder does, it replaces the link to systemd.
    let mut systemd = tree(SYSTEMD);
    set_up(&mut systemd, &setup).expect("it has an agent");
    assert_eq!(text(&systemd, "/sbin/init"), "#!/bin/agent\n");
    let nvrc = Setup { agent: Some(agent.clone()), init: GuestInit::Nvrc(Some(agent)), ..Setup::default() };
    let mut guest = tree("");
    set_up(&mut guest, &nvrc).expect("it has both");
    assert_eq!((link(&guest, "/sbin/init"), link(&guest, "/init")), ("/bin/NVRC".into(), "/bin/NVRC".into()));
}

#[test]
fn what_is_missing_is_an_error_with_a_way_out() {
    let (scratch, agent) = program();
    let error =
        |files: &str, setup: &Setup| set_up(&mut tree(files), setup).expect_err("it is missing").to_string();
    let with_agent = Setup { agent: Some(agent.clone()), ..Setup::default() };
    assert!(error("", &with_agent).contains("/sbin/init is not in it"), "{}", error("", &with_agent));
    let plain = Setup::default();
    let found = error(SYSTEMD, &plain);
    assert!(found.contains("/usr/bin/kata-agent") && found.contains("--kata-agent"), "{found}");
    let other = "/sbin 0 40755 2 0 0 0 0.0 - - -\n/sbin/init 1 100755 1 0 0 0 0.0 - x -\n";
    assert!(error(other, &with_agent).contains("/usr/lib/systemd/systemd"));
    let not_executable = "/sbin 0 40755 2 0 0 0 0.0 - - -\n/sbin/init 1 100644 1 0 0 0 0.0 - x -\n";
    let init = Setup { init: GuestInit::Agent, ..Setup::default() };
    assert!(error(not_executable, &init).contains("is not executable"));
    let units = Setup { units: AgentUnits::From(scratch.path().to_owned()), ..with_agent.clone() };
    assert!(error(SYSTEMD, &units).contains("has no kata-agent.service"));
    let directory = Setup { agent: Some(scratch.path().to_owned()), ..Setup::default() };
    assert!(error(SYSTEMD, &directory).contains("directory"), "{}", error(SYSTEMD, &directory));
    fs::write(&agent, "elf").expect("a file");
    assert!(error(SYSTEMD, &with_agent).contains("is not a program"));
    fs::write(&agent, "").expect("a file");
    assert!(error(SYSTEMD, &with_agent).contains("is empty"));
}

#[test]
fn the_init_is_the_one_that_was_requested() {
    let check = |files: &str, init: Option<&GuestInit>, is_overlay: bool| {
        check::check(&tree(files), &check::Options { init, is_overlay }).map_err(|error| error.to_string())
    };
    let other = "/sbin 0 40755 2 0 0 0 0.0 - - -\n/sbin/init 1 100755 1 0 0 0 0.0 - x -\n";
    let not_executable = "/sbin 0 40755 2 0 0 0 0.0 - - -\n/sbin/init 1 100644 1 0 0 0 0.0 - x -\n";
    let directory = "/sbin 0 40755 2 0 0 0 0.0 - - -\n/sbin/init 0 40755 2 0 0 0 0.0 - - -\n";
    let dangling = "/sbin 0 40755 2 0 0 0 0.0 - - -\n/sbin/init 0 120777 1 0 0 0 0.0 /x - -\n";
    let nvrc = "/bin 0 40755 2 0 0 0 0.0 - - -\n/bin/NVRC 1 100755 1 0 0 0 0.0 - x -\n\
                /sbin 0 40755 2 0 0 0 0.0 - - -\n/sbin/init 0 120777 1 0 0 0 0.0 /bin/NVRC - -\n";
    for (files, init, why) in [
        (SYSTEMD, None, None),
        (SYSTEMD, Some(GuestInit::Systemd), None),
        (SYSTEMD, Some(GuestInit::Agent), Some("/sbin/init is systemd")),
        (SYSTEMD, Some(GuestInit::Nvrc(None)), Some("does not lead to /bin/NVRC")),
        (other, None, None),
        (other, Some(GuestInit::Agent), None),
        (other, Some(GuestInit::Systemd), Some("neither /usr/lib/systemd/systemd")),
        (nvrc, None, None),
        (nvrc, Some(GuestInit::Nvrc(None)), None),
        (not_executable, None, Some("/sbin/init is not executable")),
        (directory, None, Some("/sbin/init is not a program")),
        (dangling, None, Some("a link to a file that does not exist")),
    ] {
        match (check(files, init.as_ref(), false), why) {
            (Ok(()), None) => {}
            (Err(found), Some(why)) => assert!(found.contains(why), "{found}"),
            (found, why) => panic!("{init:?}: {found:?}, not {why:?}"),
        }
    }
    assert_eq!(check(dangling, None, true), Ok(()));
}

#[test]
fn an_agent_of_the_tree_is_replaced_with_a_warning() {
    let (_scratch, agent) = program();
    let mut guest = tree(SYSTEMD);
    let setup = Setup { agent: Some(agent.clone()), ..Setup::default() };
    assert_eq!(set_up(&mut guest, &setup).expect("it has all").warnings, [""; 0]);
    let again = set_up(&mut guest, &setup).expect("it has all").warnings;
    assert_eq!(again, [format!("/usr/bin/kata-agent of the tree is replaced by {}", agent.display())]);
    let mut without = tree(&format!(
        "{SYSTEMD}/usr/bin 0 40755 2 0 0 0 0.0 - - -\n/usr/bin/kata-agent 1 100755 1 0 0 0 0.0 - x -\n"
    ));
    let of_tree = Setup { units: AgentUnits::OfTree, ..Setup::default() };
    let error = set_up(&mut without, &of_tree).expect_err("it has no units").to_string();
    assert!(error.contains("kata-agent.service: it is not in the tree"), "{error}");
}

#[test]
fn units_and_policies_come_from_the_host() {
    let (scratch, agent) = program();
    for name in ["kata-agent.service", "kata-containers.target", "ignored.txt"] {
        fs::write(scratch.path().join(name), format!("# {name}\n")).expect("a file");
    }
    fs::write(scratch.path().join("allow.rego"), "package agent_policy\n").expect("a file");
    let mut tree = tree(SYSTEMD);
    let setup = Setup {
        agent: Some(agent),
        units: AgentUnits::From(scratch.path().to_owned()),
        policy: Some(scratch.path().join("allow.rego")),
        ..Setup::default()
    };
    set_up(&mut tree, &setup).expect("it has all");
    assert_eq!(text(&tree, "/usr/lib/systemd/system/kata-agent.service"), "# kata-agent.service\n");
    assert!(tree.resolve_no_symlinks(b"/usr/lib/systemd/system/ignored.txt").is_none());
    assert_eq!(link(&tree, "/etc/kata-opa/default-policy.rego"), "allow.rego");
    assert_eq!(text(&tree, "/etc/kata-opa/default-policy.rego"), "package agent_policy\n");
}

#[test]
fn an_overlay_for_dracut_leads_to_systemd() {
    let (_scratch, agent) = program();
    let mut tree = tree("");
    let setup = Setup { agent: Some(agent), overlay: true, ..Setup::default() };
    set_up(&mut tree, &setup).expect("systemd comes later");
    assert_eq!(
        (link(&tree, "/sbin/init"), link(&tree, "/init")),
        ("/init".into(), "./usr/lib/systemd/systemd".into())
    );
    assert!(tree.resolve_no_symlinks(b"/lib/systemd").is_some());
}

#[test]
fn units_that_a_guest_can_do_without_are_removed_with_their_links() {
    let (_scratch, agent) = program();
    let files = format!(
        "{SYSTEMD}/usr/lib/systemd/systemd-fstab-generator 1 100755 1 0 0 0 0.0 - x -\n\
         /etc/a.wants 0 40755 2 0 0 0 0.0 - - -\n\
         /etc/a.wants/x.service 0 120777 1 0 0 0 0.0 /usr/lib/systemd/system/systemd-udevd.service - -\n\
         /etc/a.wants/y.service 0 120777 1 0 0 0 0.0 /usr/lib/systemd/system/other.service - -\n"
    );
    let mut tree = tree(&files);
    let setup = Setup { agent: Some(agent), trim: true, ..Setup::default() };
    set_up(&mut tree, &setup).expect("it has all");
    assert!(tree.resolve_no_symlinks(b"/usr/lib/systemd/systemd-fstab-generator").is_none());
    assert!(tree.resolve_no_symlinks(b"/etc/a.wants/x.service").is_none());
    assert!(tree.resolve_no_symlinks(b"/etc/a.wants/y.service").is_some());
}
