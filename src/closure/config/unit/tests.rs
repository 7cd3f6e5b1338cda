mod limits;
mod needs;

use super::command_line::commands;
use super::*;
use crate::closure::dependency::{Dependency, Target};
use crate::closure::library_path::ProgramPattern;
use crate::closure::testing::small_tree::tree;

fn paths(dependencies: &Dependencies) -> Vec<String> {
    let path = |dependency: &Dependency| match &dependency.target {
        Target::File(paths) => paths[0].escape_ascii().to_string(),
        Target::Name(path) => format!("-{}", path.escape_ascii()),
        Target::Whole(path) => format!("{}/", path.escape_ascii()),
        Target::FilesIn { directory, .. } => format!("{}/*", directory.escape_ascii()),
        other => panic!("{other:?}"),
    };
    dependencies.known.iter().map(path).collect()
}

fn check(
    files: &[(&str, &str)],
    links: &[(&str, &str)],
    requested: &str,
    follow: Follow,
    expected: &[&str],
) -> Dependencies {
    let dependencies =
        dependencies(&tree(files, links), &[requested.as_bytes().to_vec()], follow).expect("it can be read");
    assert_eq!(paths(&dependencies), expected, "{requested}");
    dependencies
}

fn check_commands(line: &str, expected: &[&str]) {
    let found = commands(line.as_bytes());
    let found: Vec<_> = found.iter().map(|command| command.program.escape_ascii().to_string()).collect();
    assert_eq!(found, expected, "{line}");
}

#[test]
fn command_lines_are_parsed() {
    check_commands("/bin/a b", &["/bin/a"]);
    check_commands("-@!!/bin/a b c", &["/bin/a"]);
    check_commands(":+|/bin/a b", &["/bin/a"]);
    let flags = |line: &str| {
        let found = commands(line.as_bytes());
        found.iter().map(|command| (command.may_fail, command.is_for_shell)).collect::<Vec<_>>()
    };
    assert_eq!(
        flags("/a ; -/b ; |/c ; @-|/d -|x"),
        [(false, false), (true, false), (false, true), (true, true)]
    );
    check_commands("\"/my programs/a\" b", &["/my programs/a"]);
    check_commands("'/my'\\x20'programs/a'", &["/my programs/a"]);
    check_commands("/my\\040programs/\\a", &["/my programs/\\x07"]);
    check_commands("/bin/a ; -/bin/b x ; c", &["/bin/a", "/bin/b", "c"]);
    check_commands("/bin/a \\; b \";\" c", &["/bin/a"]);
    check_commands("/bin/a\\q\\xg1\\09", &["/bin/a\\\\q\\\\xg1\\\\09"]);
    check_commands("-", &[]);
    check_commands("", &[]);
    assert!(commands(b"-/bin/a")[0].may_fail && !commands(b"+/bin/a")[0].may_fail);
}

#[test]
fn settings_of_unit_files_are_parsed() {
    let unit = "\u{feff}# comment\n[Service]\nExecStart=/bin/old\nExecStart=\nExecStart = /bin/a \\\n; in between\n  -x\n\
        ExecStop=/bin/b \\\\\nNoExecStart=/bin/c\n[X-Other]\nExecStart=/bin/d\n[Service]\nExecReload=-/bin/e \\";
    let files = [("/usr/lib/systemd/system/a.service", unit)];
    let dependencies = check(
        &files,
        &[],
        "a.service",
        Follow::None,
        &["/usr/lib/systemd/system/a.service", "/bin/a", "/bin/e", "/bin/b"],
    );
    assert_eq!(
        dependencies.known.iter().map(|dependency| dependency.required).collect::<Vec<_>>(),
        [true, true, false, true]
    );
    assert_eq!(dependencies.known[1].reason, "is started by ExecStart= of a.service, requested");
}

#[test]
fn a_program_without_a_directory_is_searched_for() {
    let files = [
        ("/etc/systemd/system/a.service", "[Service]\nExecStart=b\n"),
        ("/etc/systemd/system/c.service", "[Service]\nExecSearchPath=/opt/x:/opt/y\nExecStart=d\n"),
    ];
    let dependencies = check(
        &files,
        &[],
        "a.service",
        Follow::None,
        &["/etc/systemd/system/a.service", "/usr/local/sbin/b"],
    );
    assert!(matches!(&dependencies.known[1].target, Target::File(paths) if paths.len() == 6));
    check(&files, &[], "c.service", Follow::None, &["/etc/systemd/system/c.service", "/opt/x/d"]);
}

#[test]
fn drop_ins_are_applied_to_the_unit_of_the_first_directory() {
    let files = [
        ("/usr/lib/systemd/system/a-b.service", "[Service]\nExecStart=/bin/vendor\n"),
        ("/etc/systemd/system/a-b.service", "[Service]\nExecStart=/bin/a\n"),
        ("/etc/systemd/system/a-b.service.d/20-x.conf", "[Service]\nExecStart=\nExecStart=/bin/b\n"),
        ("/usr/lib/systemd/system/a-.service.d/10-x.conf", "[Service]\nExecStart=/bin/c\n"),
        ("/usr/lib/systemd/system/service.d/20-x.conf", "[Service]\nExecStart=/bin/hidden\n"),
        ("/usr/lib/systemd/system/service.d/30-x.conf", "[Service]\nExecStartPost=/bin/d\n"),
        ("/usr/lib/systemd/system/service.d/README", "[Service]\nExecStartPost=/bin/no\n"),
    ];
    let expected = [
        "/etc/systemd/system/a-b.service",
        "/usr/lib/systemd/system/a-.service.d/10-x.conf",
        "/etc/systemd/system/a-b.service.d/20-x.conf",
        "/usr/lib/systemd/system/service.d/30-x.conf",
        "/bin/b",
        "/bin/d",
    ];
    check(&files, &[], "a-b.service", Follow::None, &expected);
}

#[test]
fn templates_are_instantiated() {
    let files = [
        (
            "/lib/systemd/system/a@.service",
            "[Service]\nExecStart=/bin/%p %i\nExecStop=/%I\nExecReload=/bin/%m\n",
        ),
        ("/lib/systemd/system/a@b.service.d/x.conf", "[Service]\nExecStart=/bin/100%%\n"),
    ];
    let expected = [
        "/lib/systemd/system/a@.service",
        "/lib/systemd/system/a@b.service.d/x.conf",
        "/bin/a",
        "/bin/100%",
        "/b",
    ];
    let dependencies = check(&files, &[], "a@b.service", Follow::None, &expected);
    assert_eq!(dependencies.unknown.len(), 1, "{:?}", dependencies.unknown);
    check(
        &files,
        &[],
        "a@x-y\\x2d.service",
        Follow::None,
        &["/lib/systemd/system/a@.service", "/bin/a", "/x/y-"],
    );
}

#[test]
fn aliases_are_resolved_and_masked_units_have_no_programs() {
    let files = [
        ("/usr/lib/systemd/system/a.service", "[Service]\nExecStart=/bin/a\n"),
        ("/usr/lib/systemd/system/b.service.d/x.conf", "[Service]\nExecStop=/bin/b\n"),
        ("/usr/lib/systemd/system/empty.service", ""),
        ("/usr/lib/systemd/system/getty@.service", "[Service]\nExecStart=/sbin/agetty\n"),
        ("/usr/lib/systemd/system/masked.service", "[Service]\nExecStart=/bin/no\n"),
    ];
    let links = [
        ("/etc/systemd/system/b.service", "/usr/lib/systemd/system/a.service"),
        ("/etc/systemd/system/masked.service", "/dev/null"),
        ("/etc/systemd/system/autovt@.service", "/usr/lib/systemd/system/getty@.service"),
        ("/etc/systemd/system/loop.service", "pool.service"),
        ("/etc/systemd/system/pool.service", "loop.service"),
    ];
    let expected = [
        "/usr/lib/systemd/system/a.service",
        "/usr/lib/systemd/system/b.service.d/x.conf",
        "-/etc/systemd/system/b.service",
        "/bin/a",
        "/bin/b",
    ];
    check(&files, &links, "b.service", Follow::None, &expected);
    check(&files, &links, "masked.service", Follow::All, &["-/etc/systemd/system/masked.service"]);
    check(&files, &links, "empty.service", Follow::All, &["-/usr/lib/systemd/system/empty.service"]);
    let expected =
        ["/usr/lib/systemd/system/getty@.service", "-/etc/systemd/system/autovt@.service", "/sbin/agetty"];
    check(&files, &links, "autovt@tty1.service", Follow::None, &expected);
    let tree = tree(&files, &links);
    let error = |unit: &[u8]| {
        dependencies(&tree, &[unit.to_vec()], Follow::All).expect_err("it does not exist").to_string()
    };
    assert!(error(b"loop.service").starts_with("unit loop.service not found in the tree"));
    assert!(error(b"none.service").starts_with("unit none.service not found in the tree"));
    assert!(error(b"../a").starts_with("\"../a\" is not the name of a unit"));
}

#[test]
fn relations_are_followed_as_requested() {
    let files = [
        (
            "/lib/systemd/system/a.target",
            "[Unit]\nWants=b.service gone.service\nRequires=\"c.service\"\nRequires=\nAfter=x.service\n",
        ),
        ("/lib/systemd/system/b.service", "[Unit]\nOnFailure=e@%n.service\n[Service]\nExecStart=/bin/b\n"),
        ("/lib/systemd/system/c.service", "[Unit]\nDefaultDependencies=no\nRequires=gone.target a.target\n"),
        ("/lib/systemd/system/d.socket", "[Unit]\nDefaultDependencies=no\n[Socket]\nAccept=yes\n"),
        ("/lib/systemd/system/d@.service", "[Unit]\nDefaultDependencies=no\n"),
        ("/lib/systemd/system/e@.service", "[Unit]\nDefaultDependencies=no\n"),
        ("/lib/systemd/system/x.service", ""),
        ("/lib/systemd/system/sysinit.target", "[Unit]\n"),
    ];
    let links = [("/etc/systemd/system/a.target.wants/d.socket", "/lib/systemd/system/d.socket")];
    let system = |name: &str| format!("/lib/systemd/system/{name}");
    let dependencies = check(
        &files,
        &links,
        "a.target",
        Follow::All,
        &[
            &system("a.target"),
            "-/etc/systemd/system/a.target.wants/d.socket",
            &system("c.service"),
            &system("b.service"),
            "/bin/b",
            &system("d.socket"),
            &system("sysinit.target"),
            &system("e@.service"),
            &system("d@.service"),
        ],
    );
    assert_eq!(
        dependencies.unknown,
        ["the unit gone.target, required by c.service, required by a.target, requested, is not in the tree"]
    );
    let followed = |follow| paths(&dependencies_of(&files, &links, follow));
    let dependencies = followed(Follow::Dependencies);
    for name in ["a.target", "b.service", "c.service", "d.socket", "sysinit.target"] {
        assert!(dependencies.contains(&system(name)), "{name} in {dependencies:?}");
    }
    for name in ["d@.service", "e@.service"] {
        assert!(!dependencies.contains(&system(name)), "{name} in {dependencies:?}");
    }
    let own = [system("a.target"), "-/etc/systemd/system/a.target.wants/d.socket".to_owned()];
    assert_eq!(followed(Follow::None), own);
}

fn dependencies_of(files: &[(&str, &str)], links: &[(&str, &str)], follow: Follow) -> Dependencies {
    dependencies(&tree(files, links), &[b"a.target".to_vec()], follow).expect("it can be read")
}

#[test]
fn mount_units_depend_on_mount_and_umount() {
    let files = [("/etc/systemd/system/tmp.mount", "[Mount]\nWhat=tmpfs\nWhere=/tmp\n")];
    let expected = ["/etc/systemd/system/tmp.mount", "/usr/bin/mount", "/usr/bin/umount"];
    check(&files, &[], "tmp.mount", Follow::None, &expected);
}

#[test]
fn patterns_match_units_of_every_directory() {
    let tree = tree(&[("/etc/systemd/system/a.service", ""), ("/lib/systemd/system/b.service", "")], &[]);
    let found = matching(&tree, &NameGlob::parse(b"*.service").expect("a pattern"));
    assert_eq!(found, BTreeSet::from([b"a.service".to_vec(), b"b.service".to_vec()]));
}

#[test]
fn the_library_path_of_the_environment_is_that_of_the_programs() {
    let service = "[Service]\nEnvironment=A=b LD_LIBRARY_PATH=/old\nEnvironment=\"LD_LIBRARY_PATH=/opt/%p:/x\" C=d\n\
        ExecStartPre=/bin/a\nExecStart=b\n";
    let files = [("/etc/systemd/system/a.service", service)];
    let found =
        dependencies(&tree(&files, &[]), &[b"a.service".to_vec()], Follow::None).expect("it can be read");
    assert!(found.library_paths.iter().all(|one| one.directories == b"/opt/a:/x" && !one.is_requested));
    let programs: Vec<_> = found.library_paths.iter().map(|one| one.program.clone()).collect();
    let expected =
        [&b"/bin/a"[..], b"/usr/local/sbin/b", b"/usr/bin/b"].map(|path| ProgramPattern::Path(path.into()));
    assert!(expected.iter().all(|program| programs.contains(program)), "{programs:?}");
    assert_eq!(programs.len(), 7);
}
