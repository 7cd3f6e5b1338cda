//! The files that command lines name.

use crate::fixtures::{self, big};
use crate::product::Scratch;

/// A recipe without a source. `--label` does not apply to `tree`.
const RECIPE: &str = "\
owner = \"root\"
label = \"unused\"
edits = [{ mkdir = \"/from-recipe:0755\" }, { chmod = \"/from-recipe:0700\" }, { chown = \"/from-recipe:3:4\" }]
";

/// Creates a directory with the files that the cases name.
pub(crate) fn scratch() -> Scratch {
    let scratch = Scratch::new();
    big::small_only().make(&scratch.join("source"));
    scratch.file("tree.dump", fixtures::MINIMAL_DUMP);
    scratch.file("units.dump", UNITS_DUMP);
    scratch.file("initrd.dump", fixtures::INITRD_DUMP);
    scratch.file("agent.dump", fixtures::INITRD_DUMP.replace("/init 120 ", "/is-agent 120 "));
    let recipe =
        "compress = \"none\"\nalign = \"512\"\nchecksums = true\npreset = \"kata\"\nno-rootfs-check = true\n";
    scratch.file("initrd.toml", format!("source = \"{}\"\n{recipe}", scratch.join("initrd.dump").display()));
    scratch.file("plain.cpio", plain_cpio());
    scratch.file("tiny", b"ab");
    scratch.file("empty", b"");
    scratch.file("magic.xz", b"\xfd7zXZ\0");
    scratch.file("config", "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\nCONFIG_RD_ZSTD=y\n");
    scratch.file("no-initrd", "# CONFIG_BLK_DEV_INITRD is not set\n");
    scratch.file(
        "twins.dump",
        "/ 0 40755 2 0 0 0 0.0 - - -\n/a 3 100644 1 0 0 0 0.0 - two -\n/b 3 100600 1 0 0 0 0.0 - two -\n",
    );
    scratch.file(
        "set-id.dump",
        "/ 0 40755 2 0 0 0 0.0 - - -\n/file 1 100644 1 0 0 0 0.0 - x -\n/su 1 104755 1 7 0 0 0.0 - x -\n",
    );
    scratch.file("old.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/old 0 100644 1 0 0 0 -1.0 - - -\n");
    scratch.file("older.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/old 0 100644 1 0 0 0 -2147483649.0 - - -\n");
    scratch.file("later.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/late 0 100644 1 0 0 0 15032385536.0 - - -\n");
    scratch.file(
        "apple.dump",
        "/ 0 40755 2 0 0 0 0.0 - - -\n/f 0 100644 1 0 0 0 0.0 - - - com.apple.quarantine=x user.a=b\n",
    );
    scratch.file("filter.toml", "xattr-filter = [\"drop=*\", \"keep=user.a\"]\n");
    scratch.file(
        "unusable.dump",
        "/ 0 40755 2 0 0 0 0.0 - - -\n/f 0 100644 1 0 0 0 0.0 - - - system.posix_acl_access=x\n\
         /link 1 120777 1 0 0 0 0.0 f - - user.a=b\n",
    );
    scratch.file("nobody.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/f 0 100644 1 4294967295 0 0 0.0 - - -\n");
    scratch.file("nobody.mtree", "#mtree\n./etc/hostname uid=4294967295\n");
    scratch.file("number.toml", "quiet = true\nsource = 5\n");
    scratch.file("edit-number.toml", "edits = [{ remove = 5 }]\n");
    scratch.file("owners.mtree", "#mtree\n./etc/hostname uid=7 mode=600 type=file\n");
    scratch.file("wrong.mtree", "#mtree\n./none uid=7\n");
    scratch.file("recipe.toml", format!("source = \"{}\"\n{RECIPE}", scratch.join("tree.dump").display()));
    scratch.file("sourceless.toml", RECIPE);
    scratch.file(
        "measured.toml",
        "preset = \"kata\"\nno-rootfs-check = true\nmeasured = true\nsalt = \"00ff\"\ndata-block-size = 1024\n",
    );
    scratch.file("image.toml", "free = \"10%\"\nquiet = true\nreserved = 1\nlabel = \"recipe\"\n");
    scratch.file("keep.toml", "keep = [\"/etc/hostname\"]\n");
    scratch.file("unknown.toml", "owner = \"root\"\ncolour = \"red\"\n");
    scratch.file("value.toml", "jobs = \"many\"\n");
    scratch.file("edit.toml", "edits = [\n  { mkdir = \"/x\" },\n  { chmod = \"/x:9\" },\n]\n");
    scratch.file("garbage", b"\x7fELF\x02\x01\x01 not a tree");
    scratch.file("contexts", "/.* u:r:any:s0\n");
    scratch.file("few", "/ u:r:root:s0\n");
    scratch.file("bad", "/.* u:r:any:s0\n/a( u:r:any:s0\n");
    scratch.file("compiled", b"\x8a\xff\x7c\xf9\x05\0\0\0");
    scratch.file("cut.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/file 0 100644\n");
    scratch
}

/// Returns an archive with only a trailer.
fn plain_cpio() -> String {
    let fields = ["00000000"; 11].concat();
    format!("070701{fields}0000000B00000000TRAILER!!!\0\0\0\0")
}

/// A unit in a tree that has no `default.target`.
const UNITS_DUMP: &str = "\
/ 0 40755 3 0 0 0 1600000000.0 - - -
/etc 0 40755 3 0 0 0 1600000000.0 - - -
/etc/systemd 0 40755 3 0 0 0 1600000000.0 - - -
/etc/systemd/system 0 40755 2 0 0 0 1600000000.0 - - -
/etc/systemd/system/a.service 30 100644 1 0 0 0 1600000000.0 - [Unit]\\nDefaultDependencies=no\\n -
";
