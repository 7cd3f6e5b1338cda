use super::*;

fn translate(script: Script, line: &str, variables: &[(&str, &str)]) -> Result<Translated, String> {
    let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    script.translate(&arguments, variables.collect::<Vec<_>>())
}

#[track_caller]
fn becomes(script: Script, line: &str, variables: &[(&str, &str)], expected: &str) -> Vec<String> {
    let Translated::Arguments(words, notes) = translate(script, line, variables).expect("it is valid") else {
        panic!("{line} prints help")
    };
    let words: Vec<String> = words.into_iter().map(|word| word.into_string().expect("text")).collect();
    assert_eq!(words.join(" "), expected);
    notes
}

#[test]
fn scripts_are_known_by_their_names() {
    assert_eq!(Script::of(OsStr::new("/opt/x/image_builder.sh")), Some(Script::ImageBuilder));
    assert_eq!(Script::of(OsStr::new("initrd_builder.sh")), Some(Script::InitrdBuilder));
    assert_eq!(Script::of(OsStr::new("rootcast")), None);
}

#[test]
fn an_image_has_the_defaults_of_the_script() {
    let plain = "image --preset kata -o kata-containers.img --kata-agent-init=no -- root";
    let empty = [("IMAGE_SIZE_ALIGNMENT_MB", ""), ("AGENT_INIT", ""), ("FS_TYPE", "")];
    assert_eq!(becomes(Script::ImageBuilder, "root", &[], plain), [""; 0]);
    assert_eq!(becomes(Script::ImageBuilder, "root", &empty, plain), [""; 0]);
}

#[test]
fn every_variable_of_an_image_is_honored() {
    let variables = [
        ("IMAGE", "ignored.img"),
        ("MEASURED_ROOTFS", "yes"),
        ("BUILD_VARIANT", "base"),
        ("AGENT_INIT", "yes"),
        ("ROOT_FREE_SPACE", "7"),
        ("BLOCK_SIZE", "1024"),
        ("IMAGE_SIZE_ALIGNMENT_MB", "2"),
        ("SKIP_DAX_HEADER", "yes"),
        ("SKIP_ROOTFS_CHECK", "yes"),
        ("ARCH", "aarch64"),
        ("DM_VERITY_FORMAT", "kernelinit"),
        ("DEBUG", "1"),
        ("USE_DOCKER", "1"),
        ("NSDAX_BIN", "/x"),
    ];
    let notes = becomes(
        Script::ImageBuilder,
        "-o out/a.img -r 9 root",
        &variables,
        "image --preset kata -o out/a.img --free=9437184 --block-size=1024 --size-multiple=2097152 \
         --kata-agent-init --measured --root-hash-file out/root_hash_base.txt --no-dax --no-rootfs-check --arch=aarch64 \
         -v -- root",
    );
    assert_eq!(notes.len(), 2);
    assert!(notes.iter().all(|note| note.contains("has no effect")), "{notes:?}");
    becomes(
        Script::ImageBuilder,
        "-ferofs root",
        &[("SELINUX", "yes"), ("MEASURED_ROOTFS", "no")],
        "image --preset kata --fs=erofs -o kata-containers.img --size-multiple=2097152 --kata-agent-init=no \
         --file-contexts=auto -- root",
    );
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (line, variables, why) in [
        ("-f xfs root", &[][..], "ext4 and erofs"),
        ("root", &[("FS_TYPE", "ntfs")][..], "Unsupported fs type: ntfs"),
        ("-x root", &[], "invalid option: -x"),
        ("root -o", &[], ""),
        ("-o", &[], "-o needs a value"),
        ("-r x root", &[], "ROOT_FREE_SPACE: x is not a number"),
        ("root", &[("AGENT_INIT", "maybe")], "Invalid value for AGENT_INIT: 'maybe'"),
        ("root", &[("IMAGE_SIZE_ALIGNMENT_MB", "3")], "power of two"),
        ("root", &[("IMAGE_SIZE_ALIGNMENT_MB", "x")], "is not a number"),
        ("root", &[("SELINUX", "yes"), ("AGENT_INIT", "yes")], "not supported yet"),
        ("root", &[("MEASURED_ROOTFS", "yes"), ("BUILD_VARIANT", "a/b")], "has a slash"),
        ("root", &[("DM_VERITY_FORMAT", "x")], "kernelinit"),
    ] {
        let found = translate(Script::ImageBuilder, line, variables);
        match why {
            // The shell's getopts stops at the first operand.
            "" => assert!(found.is_ok(), "{line}"),
            _ => assert!(found.as_ref().is_err_and(|found| found.contains(why)), "{line}: {found:?}"),
        }
    }
}

#[test]
fn an_initrd_is_one_of_the_script() {
    becomes(
        Script::InitrdBuilder,
        "root",
        &[],
        "initrd --preset kata --compress gzip:9 --kata-agent-init=no -o kata-containers-initrd.img -- root",
    );
    becomes(
        Script::InitrdBuilder,
        "-o x -- root",
        &[("AGENT_INIT", "yes"), ("INITRD_IMAGE", "y"), ("AGENT_BIN", "kata-agent")],
        "initrd --preset kata --compress gzip:9 --kata-agent-init -o x -- root",
    );
    let error =
        translate(Script::InitrdBuilder, "root", &[("AGENT_BIN", "other")]).expect_err("another name");
    assert!(error.contains("AGENT_BIN=other"), "{error}");
}

#[test]
fn a_single_dash_is_an_operand() {
    becomes(
        Script::InitrdBuilder,
        "-o x -",
        &[],
        "initrd --preset kata --compress gzip:9 --kata-agent-init=no -o x -- -",
    );
}

#[test]
fn help_is_printed_without_a_tree() {
    for script in [Script::ImageBuilder, Script::InitrdBuilder] {
        for line in ["", "-h", "-h root", "-o x"] {
            assert!(matches!(translate(script, line, &[]), Ok(Translated::Help(_))), "{line}");
        }
    }
}
