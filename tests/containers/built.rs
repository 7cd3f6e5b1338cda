//! Images that buildah and podman build, as root and as an ordinary user with subordinate ids.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::judged::compare_with_umoci;
use super::layout::{Member, oci, tar};
use crate::boot::busybox;
use crate::judges;
use crate::product::{Scratch, rootcast, run};

/// Every command is a layer of its own.
const CONTAINERFILE: &str = "FROM scratch
ADD base.tar /
COPY added /d/added
RUN b=/bin/busybox; $b cp $b /bin/ash && $b ln /bin/ash /bin/hard && $b mkfifo -m 600 /p
RUN b=/bin/busybox; $b chown 7:8 /bin/ash && $b chmod 4755 /bin/ash
RUN b=/bin/busybox; $b rm -rf /d && $b mkdir /d && echo new > /d/new && $b ln -s ../d/new /bin/link
CMD [\"/bin/ash\"]
";

/// The user who builds images, with 65,536 subordinate ids.
const USER: u32 = 64_321;

/// A program that builds images, and its user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Builder {
    pub(crate) program: &'static str,
    /// False for an ordinary user.
    pub(crate) is_root: bool,
}

/// Makes the directory from which images are built, or returns `None` after a visible skip.
pub(crate) fn context(scratch: &Scratch) -> Option<PathBuf> {
    let directory = scratch.join("context");
    fs::create_dir_all(&directory).unwrap();
    let mut members = vec![
        Member { owner: (5, 6), mode: 0o700, ..Member::directory("d") },
        Member { owner: (5, 6), ..Member::file("d/old", "old") },
        Member { link: b"busybox".to_vec(), ..Member::new(b'2', b"bin/sh") },
        Member { owner: (1000, 100), mode: 0o2711, ..Member::directory("owned") },
    ];
    for (path, data) in busybox()? {
        members.push(Member { data, mode: 0o755, ..Member::file(&path, "") });
    }
    fs::write(directory.join("base.tar"), tar(&members)).unwrap();
    fs::write(directory.join("added"), "added").unwrap();
    fs::write(directory.join("Containerfile"), CONTAINERFILE).unwrap();
    Some(directory)
}

impl Builder {
    /// Builds the image `v1` of a directory into an OCI layout, which it returns, and into the archive
    /// `image.tar` beside it. Returns `None` after a visible skip.
    pub(crate) fn build(self, scratch: &Scratch, context: &Path) -> Option<PathBuf> {
        judges::command(self.program)?;
        let home = scratch.join(format!("{}-{}", self.program, self.is_root));
        fs::create_dir(&home).unwrap();
        let program = self.program;
        // The storage is that of the test, as is the home directory.
        let script = format!(
            "export HOME=$PWD XDG_RUNTIME_DIR=$PWD/run
            mkdir run
            b='{program} --root '$PWD'/store --runroot '$PWD'/run --storage-driver vfs'
            $b build --isolation chroot --layers -t localhost/built:v1 {}
            $b push -q localhost/built:v1 oci:$PWD/layout:v1
            $b push -q localhost/built:v1 docker-archive:$PWD/image.tar:built:v1
            chmod -R a+rX layout image.tar",
            context.display()
        );
        let script = scratch.file("build.sh", script);
        if !self.is_root {
            judges::command("newuidmap")?;
        }
        let user = (!self.is_root).then_some(&*home);
        let outcome = run(apart(scratch, user)?.arg("sh").arg("-e").arg(script).current_dir(&home));
        outcome.success().unwrap_or_else(|why| panic!("{self:?}: {why}"));
        Some(home.join("layout"))
    }
}

/// Returns a command that runs another one in mount and process namespaces of its own, so that the
/// host keeps neither the builders' locks in `/dev/shm` and their processes nor the accounts of this
/// test: as root, or as an ordinary user with subordinate ids, whose home directory it is.
fn apart(scratch: &Scratch, user: Option<&Path>) -> Option<Command> {
    let mut script = "mount -t tmpfs none /dev/shm\n".to_owned();
    if let Some(home) = user {
        std::os::unix::fs::chown(home, Some(USER), Some(USER)).unwrap();
        let etc = scratch.join("etc");
        fs::create_dir_all(&etc).unwrap();
        script += &format!(
            "mount -t tmpfs none {etc}
            cp -a /etc/. {etc}
            echo 'builder:x:{USER}:{USER}::{}:/bin/sh' >> {etc}/passwd
            echo 'builder:x:{USER}:' >> {etc}/group
            echo builder:100000:65536 | tee {etc}/subuid > {etc}/subgid
            mount --bind {etc} /etc
            exec setpriv --reuid {USER} --regid {USER} --clear-groups ",
            home.display(),
            etc = etc.display()
        );
    }
    script += "\"$@\"";
    let mut command = judges::command("unshare")?;
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "sh", "-e", "-c", &script, "sh"]);
    Some(command)
}

#[test]
fn builders_make_images_with_the_trees_that_umoci_unpacks() {
    if !judges::may_mount() {
        return;
    }
    let scratch = Scratch::new();
    let Some(context) = context(&scratch) else { return };
    for program in ["buildah", "podman"] {
        for is_root in [true, false] {
            let builder = Builder { program, is_root };
            let Some(layout) = builder.build(&scratch, &context) else { return };
            compare_with_umoci(&scratch, &layout, "v1");
            let source = format!("{}:v1", oci(&layout));
            let good = |command: &mut Command| {
                run(command).success().unwrap_or_else(|why| panic!("{builder:?}: {why}")).text()
            };
            let tree = good(rootcast().args(["tree", &source]));
            // Type and mode, links, owner and group.
            let found: Vec<String> = tree
                .lines()
                .filter(|line| {
                    ["/bin/", "/d ", "/d/", "/owned ", "/p "].iter().any(|path| line.starts_with(path))
                })
                .map(|line| {
                    let words: Vec<&str> = line.split(' ').collect();
                    let is_link = words[2].starts_with(['@', '1']) && !words[2].starts_with("10");
                    [words[0], words[2], words[3], words[4], words[5], if is_link { words[8] } else { "-" }]
                        .join(" ")
                })
                .collect();
            let expected = [
                "/bin/ash 104755 2 7 8 -",
                "/bin/busybox 100755 1 0 0 -",
                "/bin/hard @104755 2 7 8 /bin/ash",
                "/bin/link 120777 1 0 0 ../d/new",
                "/bin/sh 120777 1 0 0 busybox",
                "/d 40755 2 0 0 -",
                "/d/new 100644 1 0 0 -",
                "/owned 42711 2 1000 100 -",
                "/p 10600 1 0 0 -",
            ];
            assert_eq!(found, expected, "{builder:?}\n{tree}");
            let digest = |source: &str| good(rootcast().args(["image", source, "--digest"]));
            let archive = format!("docker-archive:{}", layout.with_file_name("image.tar").display());
            assert_eq!(digest(&archive), digest(&source), "{builder:?}");
        }
    }
}
