//! `image_builder.sh [OPTIONS] ROOTFS`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::environment::{Environment, OF_CONTAINERS};
use super::options;
use super::translated::Translated;
use crate::shown;

const USAGE: &str = "\
Usage: image_builder.sh [options] <rootfs-dir>
  Makes a Kata Containers image of a directory or a tar archive, without root.

Options:
  -h  Show this help
  -o  Path of the image. ENV: IMAGE  [default: kata-containers.img]
  -r  Free space of the root partition in MB. ENV: ROOT_FREE_SPACE
  -f  Filesystem type: ext4 or erofs. ENV: FS_TYPE  [default: ext4]

Environment variables:
  AGENT_INIT=yes              the agent is the init
  ARCH                        architecture of the tree
  BLOCK_SIZE                  size of blocks in bytes  [default: 4096]
  BUILD_VARIANT               VARIANT in the name root_hash_VARIANT.txt
  DEBUG                       report each step
  IMAGE_SIZE_ALIGNMENT_MB     multiple of the image's size  [default: 128 with ext4]
  MEASURED_ROOTFS=yes         add a hash tree, and write its root hash
  SELINUX=yes                 label files by the tree's policy
  SKIP_DAX_HEADER=yes         leave out the header of persistent memory
  SKIP_ROOTFS_CHECK=yes       do not check that the tree has an init
  SOURCE_DATE_EPOCH           the latest time of files
  DM_VERITY_FORMAT=kernelinit the form of the root hash, which is always that
  USE_DOCKER, USE_PODMAN, DOCKER_RUNTIME, IMAGE_REGISTRY, NSDAX_BIN, AGENT_BIN
                              accepted, and without effect
";

/// Variables that need not do anything.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("NSDAX_BIN", "the header is written by this program"),
    ("AGENT_BIN", "an image is checked for its init alone"),
    ("GROUP", "the image belongs to the user who makes it"),
];

/// Mebibytes to bytes.
const MIB: u64 = 1 << 20;

pub(super) fn translate(arguments: &[OsString], environment: &Environment) -> Result<Translated, String> {
    let parsed = options::parse("ho:r:f:", arguments)?;
    let mut image = environment.get("IMAGE").unwrap_or(OsStr::new("kata-containers.img")).to_owned();
    let mut free = environment.get("ROOT_FREE_SPACE").map(OsStr::to_owned);
    let mut filesystem = environment.get("FS_TYPE").unwrap_or(OsStr::new("ext4")).to_owned();
    for (letter, value) in parsed.options {
        match letter {
            'o' => image = value,
            'r' => free = Some(value),
            'f' => filesystem = value,
            _ => return Ok(Translated::Help(USAGE)),
        }
    }
    let Some(rootfs) = parsed.operands.first().filter(|rootfs| !rootfs.is_empty()) else {
        return Ok(Translated::Help(USAGE));
    };
    let mut line: Vec<OsString> = ["image", "--preset", "kata"].map(OsString::from).into();
    let is_erofs = is_erofs(&filesystem)?;
    if is_erofs {
        line.push("--fs=erofs".into());
    }
    line.extend(["-o".into(), image.clone()]);
    if let Some(free) = free {
        let mebibytes = free.to_str().and_then(|text| text.parse::<u32>().ok());
        let mebibytes = mebibytes
            .ok_or_else(|| format!("-r or ROOT_FREE_SPACE: {} is not a number of MB", shown::name(&free)))?;
        line.push(format!("--free={}", u64::from(mebibytes) * MIB).into());
    }
    if let Some(bytes) = environment.text("BLOCK_SIZE")? {
        line.push(format!("--block-size={bytes}").into());
    }
    match environment.number("IMAGE_SIZE_ALIGNMENT_MB")? {
        Some(mebibytes) => {
            let bytes = mebibytes.checked_mul(MIB).filter(|bytes| bytes.is_power_of_two());
            let bytes = bytes.ok_or_else(|| {
                format!("IMAGE_SIZE_ALIGNMENT_MB={mebibytes}: is not a power of two, such as 2 or 128")
            })?;
            line.push(format!("--size-multiple={bytes}").into());
        }
        // Only ext4 is aligned to the sections of memory that arm64 plugs in.
        None if is_erofs => line.push(format!("--size-multiple={}", 2 * MIB).into()),
        None => {}
    }
    line.extend(switches(environment, &image)?);
    line.push("--".into());
    line.push(rootfs.clone());
    let notes = environment.without_effect(&[OF_CONTAINERS, WITHOUT_EFFECT].concat());
    Ok(Translated::Arguments(line, notes))
}

/// Returns true for EROFS, and false for ext4, the default of the program too.
fn is_erofs(filesystem: &OsStr) -> Result<bool, String> {
    match filesystem.to_str() {
        Some("ext4") => Ok(false),
        Some("erofs") => Ok(true),
        Some("xfs") => {
            Err("FS_TYPE=xfs: only ext4 and erofs can be made without a mount; use erofs for an image that \
                            is read only, and ext4 with DAX"
                .to_owned())
        }
        _ => Err(format!("Unsupported fs type: {}; ext4 and erofs are supported", shown::name(filesystem))),
    }
}

/// Returns the flags of the variables that are `yes` or `no`, and of those that have no option.
fn switches(environment: &Environment, image: &OsStr) -> Result<Vec<OsString>, String> {
    let mut line = Vec::new();
    let is_init = environment.is_yes("AGENT_INIT")?;
    line.push(if is_init { "--kata-agent-init" } else { "--kata-agent-init=no" }.into());
    if environment.is_yes("MEASURED_ROOTFS")? {
        line.push("--measured".into());
        let name = match environment.text("BUILD_VARIANT")? {
            Some(variant) if variant.contains('/') => {
                return Err(format!("BUILD_VARIANT={variant}: has a slash"));
            }
            Some(variant) => format!("root_hash_{variant}.txt"),
            None => "root_hash.txt".to_owned(),
        };
        line.extend(["--root-hash-file".into(), Path::new(image).with_file_name(name).into_os_string()]);
    }
    if environment.is_yes("SELINUX")? {
        if is_init {
            return Err("Guest SELinux with the agent init is not supported yet".to_owned());
        }
        line.push("--file-contexts=auto".into());
    }
    for (name, flag) in [("SKIP_DAX_HEADER", "--no-dax"), ("SKIP_ROOTFS_CHECK", "--no-rootfs-check")] {
        if environment.is_yes(name)? {
            line.push(flag.into());
        }
    }
    if let Some(machine) = environment.text("ARCH")? {
        line.push(format!("--arch={machine}").into());
    }
    match environment.text("DM_VERITY_FORMAT")? {
        None | Some("kernelinit") => {}
        Some(other) => {
            return Err(format!(
                "DM_VERITY_FORMAT={other}: the root hash is written as kernelinit only; unset it"
            ));
        }
    }
    if environment.get("DEBUG").is_some() {
        line.push("-v".into());
    }
    Ok(line)
}
