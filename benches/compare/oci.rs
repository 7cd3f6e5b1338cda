//! Compares disks of images of containers with what `umoci unpack` and `mke2fs -d` make of the same
//! layers, and with the limit of this work.
//!
//! ```text
//! compare oci --out-dir /dev/shm /var/tmp/trees/debian
//! ```
//!
//! The tree becomes an image of five layers, each with a fifth of the names in the order of their
//! paths; the first has all directories. Layers are compressed by gzip and zstd in a layout, plain in
//! what `docker save` writes, and decoded in a cache. *The limit* decompresses and hashes the layers with two threads into
//! unnamed files and copies these (see `peer_unpack`). Only root unpacks owners with umoci.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::census::Census;
use crate::contender::{Contender, contender, measure, table};
use crate::rounds::Settings;

/// The tree to compare on, and the settings.
#[derive(clap::Args)]
pub(crate) struct Oci {
    /// The tree to make an image of
    tree: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

/// The common start of every script.
const PRELUDE: &str = "set -e
PATH=$PATH:/usr/sbin:/sbin
rootcast() { \"$BINARY\" image \"$@\" -o \"$OUT\" --layout bare -q; }
# usual LAYOUT: what is usual today
usual() {
    umoci unpack --image \"$1:v1\" \"$BUNDLE\" > /dev/null
    mke2fs -q -t ext4 -d \"$BUNDLE/rootfs\" \"$OUT\" \"$MIB\"M
}
";

/// Makes the images: `gzip` and `zstd` (layouts), `saved` (an archive), and `whole.tar`.
const PREPARE: &str = r#"
import hashlib, io, json, os, subprocess, sys, tarfile
tree, scratch = sys.argv[1:]
os.chdir(scratch)
names = sorted(os.path.relpath(os.path.join(d, n), tree) for d, ds, fs in os.walk(tree) for n in ds + fs)
def is_directory(name):
    path = os.path.join(tree, name)
    return os.path.isdir(path) and not os.path.islink(path)
directories = [name for name in names if is_directory(name)]
others = [name for name in names if not is_directory(name)]
step = -(-len(others) // 5)
def archive(path, names):
    flags = ["--no-recursion", "--null", "--xattrs", "--xattrs-include=*", "--numeric-owner"]
    listed = b"\0".join(map(os.fsencode, names))
    subprocess.run(["tar", "-C", tree, *flags, "-cf", path, "-T", "-"], input=listed, check=True)
    with open(path, "rb") as file:
        return file.read()
archive("whole.tar", directories + others)
layers = []
for at in range(0, len(others), step):
    layers.append(archive("layer.tar", (directories if at == 0 else []) + others[at:at + step]))
os.remove("layer.tar")
def sha256(data):
    return hashlib.sha256(data).hexdigest()
config = json.dumps({
    "architecture": "amd64", "os": "linux", "config": {},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(layer) for layer in layers]},
}).encode()
oci = "application/vnd.oci.image."
for codec, command in [("gzip", ["gzip", "-6", "-n"]), ("zstd", ["zstd", "-3", "-q"])]:
    os.makedirs(codec + "/blobs/sha256")
    def blob(media_type, data):
        with open(codec + "/blobs/sha256/" + sha256(data), "wb") as file:
            file.write(data)
        return {"mediaType": oci + media_type, "digest": "sha256:" + sha256(data), "size": len(data)}
    packed = [subprocess.run(command, input=layer, stdout=subprocess.PIPE, check=True).stdout for layer in layers]
    manifest = {
        "schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": blob("config.v1+json", config),
        "layers": [blob("layer.v1.tar+" + codec, data) for data in packed],
    }
    entry = blob("manifest.v1+json", json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
    with open(codec + "/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [entry]}, file)
    with open(codec + "/oci-layout", "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)
with tarfile.open("saved", "w") as saved:
    def add(name, data):
        header = tarfile.TarInfo(name)
        header.size = len(data)
        saved.addfile(header, io.BytesIO(data))
    paths = ["%d/layer.tar" % number for number in range(len(layers))]
    for path, layer in zip(paths, layers):
        add(path, layer)
    add(sha256(config) + ".json", config)
    add("manifest.json", json.dumps([{"Config": sha256(config) + ".json", "RepoTags": ["n:v1"], "Layers": paths}]).encode())
"#;

/// The tables: a title, and the contenders with rootcast first.
fn groups() -> [(&'static str, Vec<Contender>); 4] {
    [
        (
            "layers compressed by gzip",
            vec![
                contender("rootcast image oci:", "sh", "rootcast \"oci:$IMAGES/gzip\""),
                contender("umoci unpack, mke2fs -d", "umoci", "usual \"$IMAGES/gzip\""),
                contender("the limit", "sh", "\"$OWN\" peer-unpack \"$IMAGES/gzip\" \"$OUT\""),
            ],
        ),
        (
            "layers compressed by zstd",
            vec![
                contender("rootcast image oci:", "sh", "rootcast \"oci:$IMAGES/zstd\""),
                contender("umoci unpack, mke2fs -d", "umoci", "usual \"$IMAGES/zstd\""),
                contender("the limit", "sh", "\"$OWN\" peer-unpack \"$IMAGES/zstd\" \"$OUT\""),
            ],
        ),
        (
            "plain layers",
            vec![
                contender(
                    "rootcast image docker-archive:",
                    "sh",
                    "rootcast \"docker-archive:$IMAGES/saved\"",
                ),
                contender("rootcast image of one archive", "sh", "rootcast \"$IMAGES/whole.tar\""),
            ],
        ),
        (
            "decoded layers in the cache",
            vec![
                contender("rootcast image oci: --cache", "sh", CACHED),
                contender("rootcast image of the directory", "sh", "rootcast \"$TREE\""),
            ],
        ),
    ]
}

/// Makes the image from the cache, which has all layers.
const CACHED: &str = "rootcast \"oci:$IMAGES/gzip\" --cache \"$CACHE\"";

/// Prints a table for each group.
pub(crate) fn compare(wanted: &Oci) -> Result<()> {
    ensure!(wanted.tree.is_dir(), "{}: not a directory", wanted.tree.display());
    let own = std::env::current_exe().context("this program's own path")?;
    let (binary, out_dir) = (wanted.settings.binary()?, wanted.settings.out_dir());
    let scratch = tempfile::Builder::new().prefix("compare-").tempdir_in(&out_dir)?;
    let mib = Census::of(&wanted.tree)?.generous_image_mib();
    let (tree, scratch) = (wanted.tree.canonicalize()?, scratch.path().to_owned());
    let bench = Bench { tree, mib, binary, own, scratch };
    bench.prepare()?;
    let plan = wanted.settings.plan();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{} into {}, {} runs", wanted.tree.display(), out_dir.display(), plan.runs)?;
    for (title, contenders) in groups() {
        let records = measure(&contenders, &plan, &bench.scratch.join("out"), |script| bench.shell(script));
        write!(stdout, "\n{title}\n{}", table(&records)?)?;
    }
    Ok(())
}

struct Bench {
    tree: PathBuf,
    /// The size of the image of mke2fs in MiB.
    mib: u64,
    binary: PathBuf,
    own: PathBuf,
    scratch: PathBuf,
}

impl Bench {
    /// Makes the images, in `$IMAGES`, and fills the cache with their layers.
    fn prepare(&self) -> Result<()> {
        let images = self.scratch.join("images");
        std::fs::create_dir(&images).with_context(|| images.display().to_string())?;
        let mut python = Command::new("python3");
        let status = python.args(["-c", PREPARE]).arg(&self.tree).arg(&images).status().context("python3")?;
        ensure!(status.success(), "the images cannot be made: {status}");
        let status = self.shell(CACHED).status().context("sh")?;
        ensure!(status.success(), "the cache cannot be filled: {status}");
        Ok(())
    }

    /// Returns the command of a script, after removing the tree that the one before unpacked.
    fn shell(&self, script: &str) -> Command {
        // OK to ignore: umoci reports a tree that is still there.
        let _ = std::fs::remove_dir_all(self.scratch.join("bundle"));
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{PRELUDE}{script}"));
        command.env("BINARY", &self.binary).env("OWN", &self.own).env("MIB", self.mib.to_string());
        command.env("TREE", &self.tree);
        for (name, file) in [("OUT", "out"), ("BUNDLE", "bundle"), ("IMAGES", "images"), ("CACHE", "cache")] {
            command.env(name, self.scratch.join(file));
        }
        command
    }
}
