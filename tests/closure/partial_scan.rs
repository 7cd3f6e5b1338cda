//! The closure of a directory that is only listed in part equals that of the whole.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::product::{Outcome, Scratch, rootcast, run};

/// Creates scripts, links and lists that lead from one unusual directory to another, and
/// directories that are not reachable.
fn guest() -> Scratch {
    let guest = Scratch::new();
    let write = |path: &str, text: &str| {
        let file = guest.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    write("usr/bin/tool", "#!/srv/first/interpreter\n");
    write("opt/second/interpreter", "text\n");
    write("var/deep/1/2/3/4/5/6/7/8/9/10/end", "text\n");
    write("usr/share/app/a/b", "#!/var/deep/link\n");
    write("usr/share/app/c", "text\n");
    write("data/x/one", "text\n");
    write("data/y/two", "text\n");
    write("home/user/file", "text\n");
    write(
        "usr/lib/systemd/system/a.service",
        "[Unit]\nWants=b.service\n[Service]\nExecStart=/opt/services/a\n",
    );
    write("run/units/b.service", "[Service]\nExecStart=/usr/libexec/b\n");
    write("opt/services/a", "text\n");
    write("usr/libexec/b", "text\n");
    let link = |target: &str, path: &str| {
        let path = guest.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    };
    link("usr/bin", "bin");
    link("/opt/second", "srv/first");
    link("1/2/3/4/5/6/7/8/9/10/end", "var/deep/link");
    link("/run/units/b.service", "etc/systemd/system/b.service");
    guest
}

fn closure(source: &Path, arguments: &[&str]) -> Outcome {
    run(rootcast().arg("closure").arg(source).args(["-v", "--missing", "warn"]).args(arguments))
}

/// Returns the number of inodes read, as printed by `-v`.
fn inodes_read(outcome: &Outcome) -> u32 {
    let before = outcome.stderr.split(" inodes read").next().unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{outcome}"))
}

#[test]
fn a_partial_scan_lists_only_the_requested_part() {
    let guest = guest();
    let dump = run(rootcast().arg("tree").arg(guest.path())).success().unwrap().stdout;
    let scratch = Scratch::new();
    let whole = scratch.file("dump", dump);
    let base = guest.path().to_str().unwrap();
    for (arguments, reads_all) in [
        (&["--keep", "/bin/tool"][..], false),
        (&["--keep", "/usr/share/app"], false),
        (&["--keep", "/var/deep/link"], false),
        (&["--keep", "/data/?/*"], false),
        (&["--keep", "/**/two"], true),
        (&["--keep", "/home/none/file", "--keep", "/data/y"], false),
        (&["--keep-unit", "a.service", "--systemd", "no"], false),
        (&["--keep-unit", "*.service", "--systemd", "no"], false),
        (&["--keep", "/bin/tool", "--exclude", "/opt/**"], true),
    ] {
        let (part, all) =
            (closure(guest.path(), arguments), closure(&whole, &[arguments, &["--basedir", base]].concat()));
        assert_eq!((part.code, part.text()), (all.code, all.text()), "{arguments:?}: {part}\n{all}");
        let warnings = |outcome: &Outcome| -> Vec<String> {
            let lines = outcome.stderr.lines().filter(|line| line.contains("warning: "));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(warnings(&part), warnings(&all), "{arguments:?}");
        // The kept tree is the same too, with all metadata.
        let tree = |source: &Path, further: &[&str]| {
            let mut command = rootcast();
            command.arg("tree").arg(source).args(["--missing", "warn"]).args(arguments).args(further);
            run(&mut command).success().unwrap().stdout
        };
        assert_eq!(tree(guest.path(), &[]), tree(&whole, &["--basedir", base]), "{arguments:?}");
        let fewer = inodes_read(&part) < inodes_read(&all);
        assert_eq!(fewer, !reads_all, "{arguments:?}: {part}");
    }
    let outcome = closure(guest.path(), &["--keep-unit", "none.service"]);
    assert!(outcome.code != Some(0) && outcome.stderr.contains("none.service"), "{outcome}");
}
