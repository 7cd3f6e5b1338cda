//! Programs that start others, load plugins or read data work in a tree that holds nothing but what
//! is kept for them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::guest::{Guest, library};
use super::programs::{as_user, reduced_by};
use crate::boot::machine;
use crate::judges;
use crate::product::{NOBODY, Scratch, rootcast, run, write_program};
use rootcast::closure::testing::build::Build;

const ROOT: u32 = 0;

/// Runs the script `$2` in a network of its own, with /dev and /proc in the root directory `$1`.
const IN_NETWORK: &str = r#"
set -e
mount --bind /dev "$1/dev"
mount --rbind /proc "$1/proc"
ip link set lo up
eval "$2"
"#;

/// Returns the output of a script for a root directory, `$1`, in which it has loopback alone.
fn output(root: &Path, script: &str) -> String {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", IN_NETWORK, "sh"]);
    command.arg(root).arg(script).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}")).text()
}

/// A server and a client in one process each.
const PYTHON: &str = r#"
import http.server, json, ssl, threading, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"path": self.path}).encode())
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
answer = urllib.request.urlopen("http://127.0.0.1:%d/x" % server.server_port).read()
print(answer.decode(), len(ssl.create_default_context().get_ca_certs()) >= 0)
"#;
const NODE: &str = r#"
const http = require("http");
const server = http.createServer((request, response) => response.end("answer to " + request.url));
server.listen(0, "127.0.0.1", async () => {
    const answer = await fetch("http://127.0.0.1:" + server.address().port + "/x");
    console.log(await answer.text(), new Intl.NumberFormat("de").format(1234.5));
    server.close();
});
"#;

/// The first program of a guest, with a server and a client.
const INIT: &str = r#"#!/usr/bin/python3
import ctypes, fcntl, os, socket, struct, subprocess, traceback, urllib.request
libc = ctypes.CDLL(None)
libc.mount(b"devtmpfs", b"/dev", b"devtmpfs", 0, None)
console = os.open("/dev/console", os.O_RDWR)
for number in range(3):
    os.dup2(console, number)
try:
    UP, SIOCSIFFLAGS = 1, 0x8914
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", UP))
    subprocess.run(["/usr/sbin/nginx"], check=True)
    answer = urllib.request.urlopen("http://127.0.0.1/").read()
    print("guest: the answer is", answer.decode(), flush=True)
    answer = subprocess.run(["/usr/bin/node", "/script.js"], check=True, stdout=subprocess.PIPE)
    print("guest: node says", answer.stdout.decode(), flush=True)
except BaseException:
    traceback.print_exc()
POWER_OFF = 0x4321FEDC
libc.reboot(POWER_OFF)
"#;

/// Returns true if the programs and the right to run them in a mounted image are there.
fn can_run(tools: &[&str]) -> bool {
    let all = tools.iter().chain(&["unshare", "ip"]);
    all.filter(|tool| judges::locate(tool).is_none_or(|_| judges::command(tool).is_none())).count() == 0
        && judges::may_mount()
}

#[test]
fn interpreters_answer_requests_from_what_is_kept() {
    let cases = [
        ("python3", "-c", PYTHON, "{\"path\": \"/x\"} True\n"),
        ("node", "-e", NODE, "answer to /x 1.234,5\n"),
    ];
    for (tool, option, program, expected) in cases {
        let path = format!("/usr/bin/{tool}");
        if !can_run(&[tool]) || !Path::new(&path).exists() {
            judges::skip(tool, &format!("there is no {path}"));
            continue;
        }
        let scratch = Scratch::new();
        let script = scratch.file("script", program);
        let Some(mount) = reduced_by(NOBODY, &scratch, &[(&path, "")], &[]) else { return };
        assert!(!mount.path().join("usr/bin/ls").exists(), "nobody asked for it");
        let script = format!("chroot \"$1\" {path} {option} \"$(cat {})\"", script.display());
        assert_eq!(output(mount.path(), &script), expected, "{tool}");
        mount.unmount().unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn servers_answer_requests_from_what_is_kept() {
    if !can_run(&["nginx", "curl"]) {
        return;
    }
    let scratch = Scratch::new();
    let Some(mount) = reduced_by(ROOT, &scratch, &[("/usr/sbin/nginx", "")], &[]) else { return };
    fs::create_dir_all(mount.path().join("run")).unwrap();
    fs::create_dir_all(mount.path().join("var/www/html")).unwrap();
    fs::write(mount.path().join("var/www/html/index.html"), "a page\n").unwrap();
    let script =
        "chroot \"$1\" /usr/sbin/nginx; curl -sS http://127.0.0.1/; chroot \"$1\" /usr/sbin/nginx -s stop";
    assert_eq!(output(mount.path(), script), "a page\n");
    mount.unmount().unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_guest_with_nothing_but_python_nginx_and_node_answers_requests() {
    if !can_run(&["nginx", "python3", "node"]) {
        return;
    }
    let scratch = Scratch::new();
    let (init, page, disk) = (scratch.join("init"), scratch.file("page", "a page"), scratch.join("disk"));
    let script = scratch.file("script.js", NODE);
    write_program(&init, INIT.as_bytes());
    let (init, page) =
        (format!("{}:/init", init.display()), format!("{}:/var/www/html/index.html", page.display()));
    let script = format!("{}:/script.js", script.display());
    // Python reads /dev/urandom at its start if the kernel has no random numbers yet.
    let flags = "--layout bare --free 16M -q --mkdir /dev --mknod /dev/urandom:c:1:9 --mkdir /run --keep /dev \
        --keep /run --keep /init --keep /var/www --keep /script.js";
    let mut flags: Vec<&str> = flags.split_whitespace().collect();
    flags.extend(["--add", &init, "--add", &page, "--add", &script, "-o", disk.to_str().unwrap()]);
    as_user(ROOT, "image", &[("/usr/sbin/nginx", ""), ("/usr/bin/node", "")], &flags);
    let Some(transcript) = machine("/dev/nvme0n1", &[disk]) else { return };
    assert!(transcript.contains("guest: the answer is a page"), "{transcript}");
    assert!(transcript.contains("guest: node says answer to /x 1.234,5"), "{transcript}");
}

#[test]
fn a_login_over_ssh_gets_a_shell_from_what_is_kept() {
    if !can_run(&["sshd", "ssh"]) {
        return;
    }
    let scratch = Scratch::new();
    let Some(mount) = reduced_by(ROOT, &scratch, &[("/usr/sbin/sshd", "")], &[]) else { return };
    let (root, key) = (mount.path(), scratch.join("key"));
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key))
        .success()
        .unwrap();
    for (directory, mode) in [("run/sshd", 0o755), ("tmp", 0o1777), ("root", 0o700), ("root/.ssh", 0o700)] {
        fs::create_dir_all(root.join(directory)).unwrap();
        fs::set_permissions(root.join(directory), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::copy(scratch.join("key.pub"), root.join("root/.ssh/authorized_keys")).unwrap();
    let options = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
        -o ConnectionAttempts=60";
    let script = format!(
        "chroot \"$1\" /usr/sbin/sshd -o PermitRootLogin=yes -E /log; \
         ssh -i {} {options} root@127.0.0.1 'echo in \"$HOME\"; test -e /bin/ls || echo and nothing else' \
         || {{ cat \"$1/log\"; false; }}",
        key.display()
    );
    assert_eq!(output(root, &script), "in /root\nand nothing else\n");
    // The service of PAM and its modules are kept for sshd, although no flag names them.
    assert!(root.join("etc/pam.d/sshd").exists() && root.join("etc/pam.d/other").exists());
    mount.unmount().unwrap_or_else(|why| panic!("{why}"));
}

/// Creates a tree of programs whose other files no linker knows.
fn tree() -> Option<Guest> {
    let guest = Guest::new()?;
    guest.add("/usr/sbin/sshd", Build::program().needs("libc.so.6").needs("libpam.so.0"));
    guest.add("/usr/lib/openssh/sshd-session", Build::program().needs("libsession.so.1"));
    guest.add("/usr/bin/sudo", Build::program().needs("libc.so.6"));
    guest.add("/usr/bin/python3.11", Build::program().needs("libc.so.6"));
    guest.add("/usr/lib/python3.11/lib-dynload/x.so", Build::new().needs("libabsent.so.1"));
    for name in ["libc.so.6", "libsession.so.1", "libpam.so.0", "security/pam_x.so"] {
        guest.add(&format!("/usr/lib/{name}"), library(name));
    }
    let text = |path: &str, text: &str| guest.write(path, text.as_bytes());
    text("/etc/pam.d/sshd", "auth required pam_x.so\n");
    text("/etc/ssh/sshd_config", "");
    text("/etc/init.d/sudo", "#!/bin/absent\n");
    text("/usr/lib/python3.11/encodings/__init__.py", "");
    text("/usr/lib/python3.11/site-packages/a.pth", "/srv/more\n");
    text("/srv/more/m.py", "");
    guest.link("/usr/bin/python3", "python3.11");
    Some(guest)
}

#[test]
fn known_files_are_kept_with_their_origin_if_they_are_selected() {
    let Some(guest) = tree() else { return };
    let closure =
        |arguments: &[&str]| run(rootcast().arg("closure").arg(guest.scratch.path()).args(arguments));
    let kept = |arguments: &[&str], path: &str| {
        let outcome = closure(arguments).success().unwrap_or_else(|why| panic!("{why}"));
        outcome.text().lines().any(|line| line == path)
    };
    let sshd = ["--keep", "/usr/sbin/sshd"];
    for path in ["/usr/lib/openssh/sshd-session", "/usr/lib/libsession.so.1", "/etc/ssh/sshd_config"] {
        assert!(kept(&sshd, path), "{path}");
        assert!(kept(&[&sshd[..], &["--known", "python,sshd"]].concat(), path), "{path}");
        assert!(!kept(&[&sshd[..], &["--known", "none"]].concat(), path), "{path}");
        assert!(!kept(&[&sshd[..], &["--known", "python"]].concat(), path), "{path}");
    }
    assert!(kept(&sshd, "/usr/lib/security/pam_x.so"));

    let why =
        closure(&[&sshd[..], &["--why", "/usr/lib/libsession.so.1"]].concat()).success().unwrap().text();
    let expected = "/usr/lib/libsession.so.1\n  needed library libsession.so.1 of /usr/lib/openssh/sshd-session\n  \
        heuristically kept file /usr/lib/openssh/sshd-session, which is known to be used by /usr/sbin/sshd (sshd: \
        OpenSSH pathnames.h, servconf.c; default Subsystem sftp of the packages)\n  requested by /usr/sbin/sshd\n";
    assert_eq!(why, expected);
    let json = closure(&[&sshd[..], &["--json"]].concat()).success().unwrap();
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let kept_names = json["kept"].as_array().unwrap().iter();
    let reasons: BTreeMap<&str, &Value> =
        kept_names.map(|name| (name["path"].as_str().unwrap(), &name["reasons"][0])).collect();
    let reason = reasons["/usr/lib/openssh/sshd-session"];
    assert_eq!((&reason["kind"], &reason["by"]), (&"known".into(), &"/usr/sbin/sshd".into()));
    assert!(reason["note"].as_str().unwrap().starts_with("is known to be used by"), "{reason}");
}

#[test]
fn what_known_files_need_may_be_missing_and_required_ones_may_not() {
    let Some(guest) = tree() else { return };
    let closure =
        |arguments: &[&str]| run(rootcast().arg("closure").arg(guest.scratch.path()).args(arguments));
    let python = closure(&["--keep", "/usr/bin/python3"]).success().unwrap_or_else(|why| panic!("{why}"));
    assert!(
        python.stderr.contains("libabsent.so.1, needed by /usr/lib/python3.11/lib-dynload/x.so"),
        "{python}"
    );
    assert!(python.text().contains("\n/srv/more/m.py\n"), "the .pth file leads there: {python}");
    // A script of the name is not the program.
    let script = closure(&["--keep", "/etc/init.d", "--missing", "warn"]).success().unwrap();
    assert!(!script.stderr.contains("sudoers.so"), "{script}");
    let sudo = closure(&["--keep", "/usr/bin/sudo"]);
    assert_eq!(sudo.code, Some(3), "{sudo}");
    assert!(
        sudo.stderr.contains("sudoers.so, needed by /usr/bin/sudo: it is not in any of /usr/libexec/sudo,"),
        "{sudo}"
    );
    assert!(closure(&["--keep", "/usr/bin/sudo", "--known", "none"]).success().is_ok());
}

#[test]
fn optional_files_that_may_not_be_read_are_left_out_with_a_warning() {
    let Some(guest) = tree() else { return };
    let root = guest.scratch.path();
    fs::create_dir_all(root.join("var/empty")).unwrap();
    // A program, a file of a directory that is kept whole, and a directory.
    let closed =
        ["usr/lib/openssh/sshd-session", "etc/ssh/sshd_config", "var/empty"].map(|path| root.join(path));
    let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    closed.iter().for_each(|path| set_mode(path, 0));
    let sshd = ["--keep", "/usr/sbin/sshd"];
    // With an edit, the whole tree is read before the search.
    for (verb, more) in
        [("closure", &[][..]), ("tree", &[]), ("closure", &["--mkdir", "/x"]), ("tree", &["--mkdir", "/x"])]
    {
        let outcome = run(rootcast().arg(verb).arg(root).args(sshd).args(more));
        let outcome = outcome.success().unwrap_or_else(|why| panic!("{why}"));
        for (path, name) in [
            ("/usr/lib/openssh/sshd-session", "/usr/lib/openssh/sshd-session"),
            ("/etc/ssh/sshd_config", "/etc/ssh"),
            ("/var/empty", "/var/empty"),
        ] {
            let warning = format!(
                "{path} may not be read and is left out, since it is optional: heuristically kept file {name} of \
                 /usr/sbin/sshd\n"
            );
            assert!(outcome.stderr.contains(&warning), "{verb} {more:?}: {outcome}");
            assert!(!outcome.text().contains(path), "{verb} {more:?}: {outcome}");
        }
        assert!(outcome.text().contains("/etc/pam.d/sshd"), "{outcome}");
    }
    // What is requested, or what must be there, is an error.
    let fails = |arguments: &[&str], path: &str| {
        let outcome = run(rootcast().arg("closure").arg(root).args(arguments));
        assert!(outcome.code != Some(0) && outcome.stderr.contains(path), "{arguments:?}: {outcome}");
    };
    for path in ["/usr/lib/openssh/sshd-session", "/etc/ssh/sshd_config", "/var/empty"] {
        fails(&[&sshd[..], &["--keep", path]].concat(), path);
    }
    guest.add("/usr/lib/sudo/sudoers.so", Build::new());
    set_mode(&root.join("usr/lib/sudo/sudoers.so"), 0);
    fails(&["--keep", "/usr/bin/sudo"], "/usr/lib/sudo/sudoers.so");
    closed.iter().for_each(|path| set_mode(path, 0o755));
}
