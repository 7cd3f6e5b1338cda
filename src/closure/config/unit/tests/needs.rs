//! Files without which a unit cannot be started, and those without which it is started.

use super::*;
use crate::closure::testing::add;

const DIRECTORY: &str = "/etc/systemd/system";

/// Returns the needs of `a.service`, whose file has this text, each with a `!` if it is mandatory.
fn needs(text: &str, more: &[(&str, &str)], links: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(&str, &str)> =
        [("/etc/systemd/system/a.service", text)].iter().chain(more).copied().collect();
    let tree = tree(&files, links);
    let found = dependencies(&tree, &[b"a.service".to_vec()], Follow::None).expect("it can be read");
    let required = found.known.iter().map(|dependency| dependency.required);
    let names = paths(&found).into_iter().zip(required);
    // The first is the unit itself.
    names.skip(1).map(|(path, required)| format!("{path}{}", if required { "!" } else { "" })).collect()
}

#[test]
fn files_that_settings_name_are_needed() {
    let text = "[Service]\nEnvironmentFile=/etc/a\nEnvironmentFile=-/etc/b\nEnvironmentFile=/run/c\n\
        EnvironmentFile=/etc/d/*.env\nWorkingDirectory=/srv/a\nStateDirectory=a\n\
        BindPaths=/srv/b:/b -/srv/c\nBindReadOnlyPaths=\"/srv/d e\":/d:rbind\nReadWritePaths=/srv/e +/inside\n\
        LoadCredential=key:/etc/key\nLoadCredential=other\nImportCredential=a.*\nStandardInput=file:/etc/in\n\
        RootImage=/srv/image\nExecStart=/bin/inside\n";
    let more = [
        ("/etc/d/x.env", ""),
        ("/etc/d/y", ""),
        ("/etc/credstore/other", ""),
        ("/usr/lib/credstore/a.b", ""),
    ];
    let mut found = needs(text, &more, &[]);
    found.sort_unstable();
    let expected = [
        "/etc/a!",
        "/etc/b",
        "/etc/credstore/other",
        "/etc/credstore.encrypted/other",
        "/etc/d/x.env!",
        "/etc/in!",
        "/etc/key!",
        "/run/c",
        "/srv/a!",
        "/srv/b!",
        "/srv/c",
        "/srv/d e!",
        "/srv/e!",
        "/srv/image!",
        "/usr/lib/credstore.encrypted/other",
        "/usr/lib/credstore/a.b",
        "/usr/lib/credstore/other",
        "/usr/local/lib/credstore.encrypted/other",
        "/usr/local/lib/credstore/other",
    ];
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn programs_of_a_root_directory_are_in_it() {
    let text =
        "[Service]\nRootDirectory=/srv/root\nExecStart=/bin/in\nExecStop=/bin/gone\nExecReload=/lib/x\n";
    let more = [("/srv/root/bin/in", "")];
    let links = [("/srv/root/lib", "/usr/lib")];
    assert_eq!(needs(text, &more, &links), ["/srv/root/!", "/srv/root/bin/gone!"]);
    let text = "[Service]\nRootDirectory=/srv/root\nRootDirectoryStartOnly=T\nExecStart=/bin/in\nExecStop=/bin/out\n";
    assert_eq!(needs(text, &more, &links), ["/bin/out!", "/srv/root/!"]);
    for root in ["/", "//", "relative", ""] {
        let text = format!("[Service]\nRootDirectory={root}\nExecStart=/bin/a\n");
        assert_eq!(needs(&text, &[], &[]), ["/bin/a!"], "{root}");
    }
    let text = "[Service]\nRootDirectory=%S/%p\nExecStart=/bin/a\n";
    assert_eq!(needs(text, &[], &[]), ["/var/lib/a/!"]);
}

#[test]
fn a_unit_whose_conditions_are_not_met_needs_nothing() {
    let is_needed = |conditions: &str| {
        let text = format!("[Unit]\n{conditions}\n[Service]\nExecStart=/bin/none\n");
        let more = [("/etc/there", "x"), ("/etc/empty", ""), ("/etc/full/x", "")];
        needs(&text, &more, &[("/etc/link", "none")])[0].ends_with('!')
    };
    for conditions in [
        "ConditionPathExists=/etc/there",
        "ConditionPathExists=!/etc/none",
        "ConditionPathExists=|/etc/none\nConditionPathExists=|/etc/there",
        "ConditionPathExists=|/etc/none\nConditionKernelCommandLine=|quiet",
        "ConditionPathExists=/run/none",
        "ConditionPathExists=/etc/none\nConditionPathExists=",
        "ConditionFileNotEmpty=/etc/there",
        "ConditionPathIsDirectory=/etc/full",
        "ConditionDirectoryNotEmpty=/etc/full",
        "ConditionPathIsSymbolicLink=/etc/link",
        "ConditionPathExistsGlob=/etc/th*",
        "ConditionFileIsExecutable=/etc/there",
        "AssertPathExists=/etc/there",
        "ConditionVirtualization=!container",
    ] {
        assert!(is_needed(conditions), "{conditions}");
    }
    for conditions in [
        "ConditionPathExists=/etc/none",
        "ConditionPathExists=!/etc/there",
        "ConditionPathExists=|/etc/none\nConditionPathExists=|!/etc/there",
        "ConditionPathExists=/etc/there\nConditionFileIsExecutable=/etc/none",
        "ConditionFileNotEmpty=/etc/empty",
        "ConditionPathIsDirectory=/etc/there",
        "ConditionDirectoryNotEmpty=/etc/none",
        "ConditionPathIsSymbolicLink=/etc/there",
        "ConditionPathExistsGlob=/etc/th?",
        "AssertPathExists=/etc/none",
    ] {
        assert!(!is_needed(conditions), "{conditions}");
    }
}

#[test]
fn a_file_must_have_an_execute_bit_for_its_condition() {
    let mut tree = tree(
        &[(
            "/etc/systemd/system/a.service",
            "[Unit]\nConditionFileIsExecutable=/x\n[Service]\nExecStart=/y\n",
        )],
        &[],
    );
    add(&mut tree, "/x", image_tree::Kind::Regular(b"".to_vec()));
    let id = tree.resolve_no_symlinks(b"/x").expect("it was added");
    let required = |tree: &image_tree::Tree<Vec<u8>>| {
        dependencies(tree, &[b"a.service".to_vec()], Follow::None).expect("it can be read").known[1].required
    };
    assert!(required(&tree));
    tree.metadata_mut(id).mode = 0o644;
    assert!(!required(&tree));
}

#[test]
fn what_a_condition_asks_for_is_kept() {
    let text = "[Unit]\nConditionPathExists=|/lib/a\nConditionPathExists=!/lib/b\nConditionDirectoryNotEmpty=/lib/d\n\
        ConditionPathExistsGlob=/lib/g*\nConditionPathIsSymbolicLink=/l\nConditionPathExists=/run/x\n";
    let more = [("/lib/g1", ""), ("/lib/g2", ""), ("/lib/d/x", "")];
    let files: Vec<(&str, &str)> =
        [("/etc/systemd/system/a.service", text)].iter().chain(&more).copied().collect();
    let found = dependencies(&tree(&files, &[("/l", "x")]), &[b"a.service".to_vec()], Follow::None);
    let found = found.expect("it can be read");
    let targets: Vec<Target> = found.known.into_iter().skip(1).map(|dependency| dependency.target).collect();
    let file = |path: &str| Target::File(vec![path.as_bytes().to_vec()]);
    let directory = Target::FilesIn { directory: b"/lib/d".to_vec(), suffix: Vec::new() };
    let expected =
        [file("/lib/a"), directory, file("/lib/g1"), file("/lib/g2"), Target::Name(b"/l".to_vec())];
    assert_eq!(targets, expected);
}

#[test]
fn a_linked_unit_is_the_file_elsewhere() {
    let files = [("/opt/x/real.service", "[Service]\nExecStart=/opt/x/program\n")];
    let links = [
        ("/etc/systemd/system/linked.service", "/opt/x/real.service"),
        ("/etc/systemd/system/near.service", "../../../opt/x/real.service"),
        ("/etc/systemd/system/a.target.wants/linked.service", "/opt/x/real.service"),
    ];
    for name in ["linked.service", "near.service"] {
        check(&files, &links, name, Follow::None, &[&format!("{DIRECTORY}/{name}"), "/opt/x/program"]);
    }
    let target = [files[0], ("/etc/systemd/system/a.target", "[Unit]\n")];
    let expected = [
        "/etc/systemd/system/a.target",
        "-/etc/systemd/system/a.target.wants/linked.service",
        "/etc/systemd/system/linked.service",
        "/opt/x/program",
    ];
    check(&target, &links, "a.target", Follow::Dependencies, &expected);
}

#[test]
fn booleans_have_every_spelling() {
    for (value, expected) in
        [("True", true), ("t", true), ("ON", true), ("1", true), ("y", true), ("nO", false)]
    {
        let socket = format!("[Unit]\nDefaultDependencies=Off\n[Socket]\nAccept={value}\n");
        let files = [
            ("/lib/systemd/system/a.socket", socket.as_str()),
            ("/lib/systemd/system/a@.service", "[Unit]\nDefaultDependencies=F\n"),
            ("/lib/systemd/system/a.service", "[Unit]\nDefaultDependencies=n\n"),
            ("/lib/systemd/system/sysinit.target", "[Unit]\n"),
        ];
        let service =
            if expected { "/lib/systemd/system/a@.service" } else { "/lib/systemd/system/a.service" };
        check(&files, &[], "a.socket", Follow::All, &["/lib/systemd/system/a.socket", service]);
    }
}

#[test]
fn units_that_appear_at_boot_are_not_missing() {
    let requires = "dev-x.device a.slice b.scope -.mount mnt.mount rpc_pipefs.target";
    let text = format!("[Unit]\nRequires={requires} gone.service\nWants=none.service\n");
    let files = [("/etc/systemd/system/a.target", text.as_str())];
    let found = check(&files, &[], "a.target", Follow::All, &["/etc/systemd/system/a.target"]);
    assert_eq!(found.unknown, ["the unit gone.service, required by a.target, requested, is not in the tree"]);
}

#[test]
fn a_reason_has_the_chain_of_units() {
    let files = [
        ("/etc/systemd/system/a.target", "[Unit]\nWants=b.timer\n"),
        ("/etc/systemd/system/b.timer", "[Unit]\nDefaultDependencies=no\n[Timer]\nUnit=c.service\n"),
        ("/etc/systemd/system/c.service", "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/c\n"),
    ];
    let found =
        dependencies(&tree(&files, &[]), &[b"a.target".to_vec()], Follow::All).expect("it can be read");
    assert_eq!(
        found.known.last().expect("a program").reason,
        "is started by ExecStart= of c.service, started by b.timer, wanted by a.target, requested"
    );
}

#[test]
fn accounts_programs_and_services_of_pam_are_returned() {
    let text = "[Service]\nUser=a-%i\nGroup=b\nSupplementaryGroups=c d\nPAMName=login\nBusName=org.x\nExecStart=/bin/p\n";
    let tree = tree(
        &[("/etc/systemd/system/a@.service", text), ("/etc/systemd/system/dbus.socket", "[Socket]\n")],
        &[],
    );
    let mut walk = Walk::new(&tree, Follow::Dependencies);
    walk.request(b"a@1.service").expect("a name");
    walk.run().expect("they can be read");
    let units = walk.finish();
    let names = |names: &BTreeSet<Vec<u8>>| {
        names.iter().map(|name| name.escape_ascii().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&units.accounts.users), ["a-1"]);
    assert_eq!(names(&units.accounts.groups), ["b", "c", "d"]);
    assert_eq!((names(&units.pam), names(&units.programs)), (vec!["login".to_owned()], vec!["p".to_owned()]));
    assert!(units.names.contains(&b"dbus.socket"[..]), "a service with a name on the bus needs it");
}

#[test]
fn of_a_frame_only_links_to_kept_units_are_kept() {
    let files = [
        ("/etc/systemd/system/x.target", "[Unit]\nRequires=y.target r.service\nWants=z.target w.service\n"),
        ("/etc/systemd/system/y.target", "[Unit]\nRequires=sysinit.target\n"),
        ("/etc/systemd/system/z.target", "[Unit]\n"),
        ("/etc/systemd/system/sysinit.target", "[Unit]\nWants=s.service\n"),
        ("/etc/systemd/system/r.service", "[Service]\nExecStart=/bin/r\n"),
        ("/etc/systemd/system/s.service", "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/s\n"),
        ("/etc/systemd/system/w.service", "[Service]\nExecStart=/bin/w\n"),
        ("/etc/systemd/system/k.service", "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/k\n"),
    ];
    let links = ["k", "w"].map(|name| (format!("/etc/systemd/system/y.target.wants/{name}.service"), "../x"));
    let links: Vec<(&str, &str)> = links.iter().map(|(path, target)| (path.as_str(), *target)).collect();
    let tree = tree(&files, &links);
    let mut walk = Walk::new(&tree, Follow::All);
    walk.frame(b"x.target", "framed");
    walk.request(b"k.service").expect("a name");
    walk.run().expect("they can be read");
    let mut found = paths(&walk.finish().dependencies);
    found.sort_unstable();
    let expected = [
        "-/etc/systemd/system/y.target.wants/k.service",
        "/bin/k",
        "/bin/r",
        "/bin/s",
        "/etc/systemd/system/k.service",
        "/etc/systemd/system/r.service",
        "/etc/systemd/system/s.service",
        "/etc/systemd/system/sysinit.target",
        "/etc/systemd/system/x.target",
        "/etc/systemd/system/y.target",
        "/etc/systemd/system/z.target",
    ];
    assert_eq!(found, expected);
}

#[test]
fn mounts_on_the_way_to_a_path_are_pulled_in() {
    let files = [
        ("/etc/systemd/system/a.target", "[Unit]\nRequiresMountsFor=/srv/my-data/x\n"),
        ("/etc/systemd/system/srv-my\\x2ddata.mount", "[Mount]\nWhere=/srv/my-data\n"),
    ];
    let found = dependencies(&tree(&files, &[]), &[b"a.target".to_vec()], Follow::Dependencies);
    let found = paths(&found.expect("it can be read"));
    assert_eq!(found[1], "/etc/systemd/system/srv-my\\\\x2ddata.mount");
}
