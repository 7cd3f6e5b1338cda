use image_tree::acl::{Acl, Tag};
use image_tree::{Inode, LinkTarget, Metadata};

use super::*;
use crate::log::Report as _;

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nmail:x:8:8::/:/bin/false\n\
    www:x:33:33::/:/bin/false\nlogger:x:99:99::/:/bin/false\nann:x:1000:1000::/home/ann:/bin/sh\n\
    nobody:x:65534:65534::/:/bin/false\n# comment\nodd:x:y:1::/:\n+nis\n";
const GROUP: &str = "root:x:0:\ndaemon:x:1:\nmail:x:8:\ntty:x:5:mail\nwww:x:33:ann\nlogs:x:50:logger,mail,ldap\n\
    logger:x:99:\nann:x:1000:\nnogroup:x:65534:\nplain:x:70:\n";

/// A closure that found no accounts.
static NONE: NamedAccounts = NamedAccounts { users: BTreeSet::new(), groups: BTreeSet::new() };

/// Builds a tree of these files, of which one is owned by the user and group 99.
fn tree(files: &[(&str, &str)]) -> Tree<Blob> {
    let mut tree = Tree::new(Metadata::new(0o755));
    let databases = [("/etc/passwd", PASSWD), ("/etc/group", GROUP)];
    for (path, text) in databases.iter().chain(files) {
        let kind = match text.strip_prefix("-> ") {
            Some(target) => Kind::Symlink(LinkTarget::new(target).expect("a target")),
            None => Kind::Regular(Blob::from(text.as_bytes().to_vec())),
        };
        let mut metadata = Metadata::new(if path.contains("bin/") { 0o755 } else { 0o644 });
        if *path == "/var/log/messages" {
            (metadata.uid, metadata.gid) = (99, 99);
        }
        tree.insert_path(path.as_bytes(), Inode { metadata, kind }, &Metadata::new(0o755))
            .expect("it is new");
    }
    tree
}

/// Returns the names that stay in a database, after the reduction of a tree.
fn names(tree: &mut Tree<Blob>, accounts: &Accounts, path: &str) -> Vec<String> {
    let time = Timestamp::new(7, 0).expect("a time");
    apply(tree, &Options { accounts, named: &NONE, time }).expect("it can be reduced");
    let text =
        String::from_utf8(text(tree, path).expect("it can be read").expect("it exists")).expect("UTF-8");
    text.lines().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
}

fn used(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let mut tree = tree(files);
    let users = names(&mut tree, &Accounts::Used, "/etc/passwd");
    (users, names(&mut tree, &Accounts::Used, "/etc/group"))
}

#[test]
fn root_and_nobody_stay_without_any_use() {
    let (users, groups) = used(&[]);
    assert_eq!(users, ["root", "nobody", "# comment", "odd", "+nis"]);
    assert_eq!(groups, ["root", "nogroup"]);
}

#[test]
fn owners_of_files_stay_with_their_groups_and_without_other_members() {
    let mut tree = tree(&[("/var/log/messages", "")]);
    let users = names(&mut tree, &Accounts::Used, "/etc/passwd");
    assert_eq!(users[..2], ["root", "logger"]);
    let groups = text(&tree, "/etc/group").expect("it can be read").expect("it exists");
    let expected = "root:x:0:\nlogs:x:50:logger,ldap\nlogger:x:99:\nnogroup:x:65534:\n";
    assert_eq!(String::from_utf8(groups).expect("UTF-8"), expected);
}

#[test]
fn accounts_that_files_name_stay() {
    let check = |path: &str, text: &str, users: &[&str], groups: &[&str]| {
        let (found_users, found_groups) = used(&[(path, text)]);
        let is_other =
            |name: &&String| !["root", "nobody", "# comment", "odd", "+nis", "nogroup"].contains(&&name[..]);
        assert_eq!(found_users.iter().filter(is_other).collect::<Vec<_>>(), users, "{path}: {text}");
        assert_eq!(found_groups.iter().filter(is_other).collect::<Vec<_>>(), groups, "{path}: {text}");
    };
    let unit = "/usr/lib/systemd/system/a.service";
    check(
        unit,
        "[Service]\nUser=daemon\nSupplementaryGroups=plain tty\n",
        &["daemon"],
        &["daemon", "tty", "plain"],
    );
    check(unit, "User = 33\n#Group=plain\n", &["www"], &["www"]);
    check("/etc/systemd/system/a.socket.d/x.conf", "SocketUser=mail\n", &["mail"], &["mail", "tty", "logs"]);
    check("/etc/systemd/system/a.socket", "SocketGroup=plain\n", &[], &["plain"]);
    check("/usr/share/dbus-1/system-services/a.service", "User=daemon\n", &["daemon"], &["daemon"]);
    check("/usr/share/a.service", "User=daemon\n", &[], &[]);
    check("/usr/share/systemd.conf", "User=mail\n", &[], &[]);
    check(
        "/usr/lib/udev/rules.d/1.rules",
        "OWNER=\"daemon\", GROUP=\"tty\"\n",
        &["daemon"],
        &["daemon", "tty"],
    );
    check("/usr/lib/tmpfiles.d/a.conf", "d /run/a 0755 :daemon plain -\n", &["daemon"], &["daemon", "plain"]);
    check("/usr/lib/tmpfiles.d/a.conf", "a+ /run/a - - - - d:group:plain:r-x\n", &[], &["plain"]);
    check("/usr/lib/tmpfiles.d/a.conf", "A+ /run/a - - - - u:daemon:r\n", &["daemon"], &["daemon"]);
    check("/usr/lib/tmpfiles.d/a.conf", "f+ /run/a - - - - u:daemon:r\n", &[], &[]);
    check(
        "/usr/lib/sysusers.d/a.conf",
        "u daemon 1:plain\nm www tty\n",
        &["daemon", "www"],
        &["daemon", "tty", "www", "plain"],
    );
    check(
        "/usr/share/dbus-1/system.d/a.conf",
        "<policy user=\"daemon\">\n<policy group=\"plain\">\n<user>www</user>\n",
        &["daemon", "www"],
        &["daemon", "www", "plain"],
    );
    check("/etc/crontab", "# mail\n17 * * * * daemon run\n", &["daemon"], &["daemon"]);
    check("/etc/sudoers.d/x", "%plain ALL=(ALL) ALL\n", &[], &["plain"]);
    check(
        "/etc/logrotate.d/x",
        "/var/log/mail {\n  create 640 daemon plain\n}\n",
        &["daemon"],
        &["daemon", "plain"],
    );
    check("/etc/logrotate.d/x", "su daemon plain\n", &["daemon"], &["daemon", "plain"]);
    check("/etc/logrotate.conf", "createolddir 755 daemon plain\n", &["daemon"], &["daemon", "plain"]);
    check("/etc/logrotate.conf", "olddir daemon\n", &[], &[]);
    check("/etc/cron.d/x", "17 * * * * daemon run\n", &["daemon"], &["daemon"]);
    check("/usr/bin/write", "", &[], &["tty"]);
}

#[test]
fn regular_users_stay_where_users_log_in() {
    for (path, text, stays) in [
        ("/etc/pam.d/sshd", "", true),
        ("/usr/lib/pam.d/login", "", true),
        ("/etc/pam.d/other", "", false),
        ("/etc/pam.d/common-auth", "", false),
        ("/usr/sbin/dropbear", "", true),
        ("/bin/login", "-> busybox", true),
        ("/usr/share/login", "", false),
    ] {
        let (users, groups) = used(&[(path, text)]);
        assert_eq!(users.contains(&"ann".to_owned()), stays, "{path}");
        // Her group, and one that she is a member of.
        assert_eq!(groups.contains(&"ann".to_owned()) && groups.contains(&"www".to_owned()), stays, "{path}");
    }
}

#[test]
fn all_databases_agree_and_keep_their_other_fields() {
    let shadow = "root:$6$x:1::::::\nann:!:1:0:99999:7:::\nmail:*:1::::::\nshort:x\n";
    let mut tree = tree(&[
        ("/etc/shadow", shadow),
        ("/etc/shadow-", shadow),
        ("/etc/gshadow", "root:*::\nlogs:!:mail:mail,ann\nplain:!::\n"),
        ("/etc/subuid", "ann:100000:65536\n1000:200000:65536\nmail:300000:65536\n8:1:1\n"),
        ("/etc/pam.d/sshd", ""),
    ]);
    let named = Accounts::parse(b"logs").expect("a name");
    let time = Timestamp::new(7, 0).expect("a time");
    let reduced =
        apply(&mut tree, &Options { accounts: &named, named: &NONE, time }).expect("it can be reduced");
    let read = |path: &str| {
        String::from_utf8(text(&tree, path).expect("it can be read").expect("it exists")).expect("UTF-8")
    };
    let expected = "root:$6$x:1::::::\nann:!:1:0:99999:7:::\nshort:x\n";
    assert_eq!((read("/etc/shadow"), read("/etc/shadow-")), (expected.to_owned(), expected.to_owned()));
    assert_eq!(read("/etc/gshadow"), "root:*::\nlogs:!::ann\n");
    assert_eq!(read("/etc/subuid"), "ann:100000:65536\n1000:200000:65536\n");
    let mtime = |path: &str| tree.get(file(&tree, path).expect("it exists")).metadata.mtime;
    assert_eq!((mtime("/etc/shadow"), mtime("/etc/pam.d/sshd")), (time, Timestamp::EPOCH));
    let reduced = reduced.expect("there are accounts");
    assert_eq!(reduced.users, (vec!["ann".to_owned(), "nobody".to_owned(), "root".to_owned()], 7));
    let log = Log::silent();
    reduced.log(&log);
    let warnings = log.warnings();
    assert_eq!(
        warnings[0],
        "/etc/passwd: lines that are not of its format stay as they are: 1, the first is line 9"
    );
    assert!(warnings[1].starts_with("/etc/shadow: lines") && warnings.len() == 3, "{warnings:?}");
}

#[test]
fn named_accounts_stay_and_must_exist() {
    let mut whole = tree(&[]);
    let named = Accounts::parse(b"daemon,plain").expect("names");
    assert_eq!(names(&mut whole, &named, "/etc/passwd")[..2], ["root", "daemon"]);
    assert_eq!(names(&mut whole, &named, "/etc/group")[..2], ["root", "daemon"]);
    let mut whole = tree(&[]);
    let before = names(&mut whole, &Accounts::All, "/etc/passwd").len();
    assert_eq!(before, PASSWD.lines().count());
    let named = Accounts::parse(b"deamon").expect("a name");
    let options = Options { accounts: &named, named: &NONE, time: Timestamp::EPOCH };
    let error = apply(&mut whole, &options).expect_err("nobody").to_string();
    assert!(error.contains("--accounts deamon: neither /etc/passwd nor /etc/group"), "{error}");
    assert!(error.contains("similar names are daemon"), "{error}");
    assert_eq!(Accounts::parse(b"all"), Ok(Accounts::All));
    assert!(
        Accounts::parse(b"a,,b").is_err()
            && Accounts::parse(b"a:b").is_err()
            && Accounts::parse(b"a b").is_err()
            && Accounts::parse(b"").is_err()
    );
    let mut empty = Tree::new(Metadata::new(0o755));
    assert!(apply(&mut empty, &options).is_err(), "it has no database with that name");
    let used = Options { accounts: &Accounts::Used, named: &NONE, time: Timestamp::EPOCH };
    assert_eq!(apply(&mut empty, &used).expect("there is nothing to do"), None);
}

#[test]
fn accounts_that_the_closure_found_stay() {
    let mut named = NamedAccounts::default();
    named.add_user(b"daemon");
    named.add_group(b"70");
    let mut whole = tree(&[]);
    let options = Options { accounts: &Accounts::Used, named: &named, time: Timestamp::EPOCH };
    let reduced = apply(&mut whole, &options).expect("it can be reduced").expect("there are accounts");
    assert_eq!(reduced.users.0, ["daemon", "nobody", "root"]);
    assert_eq!(reduced.groups.0, ["daemon", "nogroup", "plain", "root"]);
}

#[test]
fn the_overflow_number_and_nobody_stay_under_any_name_and_number() {
    let mut whole = tree(&[]);
    let passwd = "root:x:0:0::/:/\nalien:x:65534:1::/:/\nnobody:x:99:8::/:/\nother:x:65533:65533::/:/\n";
    let group = "root:x:0:\ndaemon:x:1:\nmail:x:8:\naliens:x:65534:\nnogroup:x:98:\nothers:x:65533:\n";
    replace(&mut whole, "/etc/passwd", passwd);
    replace(&mut whole, "/etc/group", group);
    assert_eq!(names(&mut whole, &Accounts::Used, "/etc/passwd"), ["root", "alien", "nobody"]);
    let groups = names(&mut whole, &Accounts::Used, "/etc/group");
    assert_eq!(groups, ["root", "daemon", "mail", "aliens", "nogroup"]);
}

/// Replaces the contents of a file.
fn replace(tree: &mut Tree<Blob>, path: &str, text: &str) {
    let id = file(tree, path).expect("it exists");
    tree.replace_kind(id, Kind::Regular(Blob::from(text.as_bytes().to_vec()))).expect("a file");
}

#[test]
fn every_owner_of_a_file_counts_and_root_stays_without_one() {
    let mut whole = tree(&[("/f", "")]);
    let all: Vec<InodeId> = whole.walk().map(|step| step.id).chain([InodeId::ROOT]).collect();
    for id in all {
        let metadata = whole.metadata_mut(id);
        (metadata.uid, metadata.gid) = (99, 99);
    }
    let root = whole.metadata_mut(InodeId::ROOT);
    (root.uid, root.gid) = (1, 70);
    let f = file(&whole, "/f").expect("it exists");
    let entry = |tag, id| image_tree::acl::Entry { tag, permissions: 4, id };
    let entries = [
        (Tag::ACL_USER_OBJ, u32::MAX),
        (Tag::ACL_USER, 33),
        (Tag::ACL_GROUP_OBJ, u32::MAX),
        (Tag::ACL_GROUP, 5),
        (Tag::ACL_MASK, u32::MAX),
        (Tag::ACL_OTHER, u32::MAX),
    ];
    let acl = Acl::new(entries.map(|(tag, id)| entry(tag, id)).to_vec()).expect("a list");
    whole.metadata_mut(f).set_access_acl(Some(&acl));
    assert_eq!(names(&mut whole, &Accounts::Used, "/etc/passwd")[..4], ["root", "daemon", "www", "logger"]);
    let groups = names(&mut whole, &Accounts::Used, "/etc/group");
    assert_eq!(groups, ["root", "daemon", "tty", "www", "logs", "logger", "nogroup", "plain"]);
}

#[test]
fn files_that_do_not_change_keep_their_time() {
    let mut whole = tree(&[("/etc/subuid", "root:1:1\n"), ("/etc/subgid", "mail:1:1\n")]);
    names(&mut whole, &Accounts::Used, "/etc/passwd");
    let mtime = |path: &str| whole.get(file(&whole, path).expect("it exists")).metadata.mtime.seconds();
    assert_eq!((mtime("/etc/subuid"), mtime("/etc/subgid")), (0, 7));
}

#[test]
fn empty_lines_and_lines_without_a_name_stay() {
    let mut whole = tree(&[]);
    let passwd = "root:x:0:0::/:/\n\n \n:x:1:1::/:/\n-nis\n";
    replace(&mut whole, "/etc/passwd", passwd);
    let options = Options { accounts: &Accounts::Used, named: &NONE, time: Timestamp::EPOCH };
    let reduced = apply(&mut whole, &options).expect("it can be reduced").expect("there are accounts");
    let warning = "/etc/passwd: lines that are not of its format stay as they are: 1, the first is line 4";
    assert_eq!(reduced.warnings, [warning]);
    let text = text(&whole, "/etc/passwd").expect("it can be read").expect("it exists");
    assert_eq!(String::from_utf8(text).expect("UTF-8"), passwd);
}

#[test]
fn names_may_be_words_of_the_formats_and_end_with_a_dollar() {
    let mut whole = tree(&[
        ("/etc/dbus-1/system.d/a.conf", "<policy user=\"user\">\n<policy group=\"group\">\n"),
        ("/etc/crontab", "1 * * * * host$ run\n"),
    ]);
    replace(&mut whole, "/etc/passwd", "user:x:7:7::/:/\ngroup:x:8:8::/:/\nhost$:x:9:9::/:/\n");
    replace(&mut whole, "/etc/group", "user:x:17:\ngroup:x:18:\n");
    assert_eq!(names(&mut whole, &Accounts::Used, "/etc/passwd"), ["user", "host$"]);
    assert_eq!(names(&mut whole, &Accounts::Used, "/etc/group"), ["group"]);
}

#[test]
fn files_that_are_too_long_for_their_format_are_not_read() {
    let long = format!("d /run/a 0755 daemon plain -\n{}", " ".repeat(1024 * 1024));
    let (users, _) = used(&[("/usr/lib/tmpfiles.d/a.conf", &long)]);
    assert_eq!(users[..2], ["root", "nobody"]);
    let (users, _) = used(&[("/usr/lib/tmpfiles.d/a.conf", &long[..1024 * 1024])]);
    assert_eq!(users[..2], ["root", "daemon"]);
}
