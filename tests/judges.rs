//! Foreign programs that judge images: finding them, installing them, and reporting missing ones.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard};

/// Every program that the tests call and that is not part of every system, with its Debian package.
const TOOLS: &[(&str, &str)] = &[
    ("e2fsck", "e2fsprogs"),
    ("mke2fs", "e2fsprogs"),
    ("debugfs", "e2fsprogs"),
    ("dumpe2fs", "e2fsprogs"),
    ("resize2fs", "e2fsprogs"),
    ("sgdisk", "gdisk"),
    ("sfdisk", "fdisk"),
    ("parted", "parted"),
    ("partx", "util-linux"),
    ("blkid", "util-linux"),
    ("veritysetup", "cryptsetup-bin"),
    ("ndctl", "ndctl"),
    ("setfacl", "acl"),
    ("gcc", "gcc"),
    ("tar", "tar"),
    ("bsdtar", "libarchive-tools"),
    ("cpio", "cpio"),
    ("lsinitramfs", "initramfs-tools-core"),
    ("unmkinitramfs", "initramfs-tools-core"),
    ("python3", "python3"),
    ("gzip", "gzip"),
    ("zstd", "zstd"),
    ("skopeo", "skopeo"),
    ("umoci", "umoci"),
    ("buildah", "buildah"),
    ("podman", "podman"),
    ("newuidmap", "uidmap"),
    ("xz", "xz-utils"),
    ("lz4", "lz4"),
    ("bzip2", "bzip2"),
    ("mksquashfs", "squashfs-tools"),
    ("mkfs.erofs", "erofs-utils"),
    ("dpkg-deb", "dpkg"),
    ("dpkg", "dpkg"),
    ("dpkg-divert", "dpkg"),
    ("dpkg-query", "dpkg"),
    ("apt-get", "apt"),
    ("apt-ftparchive", "apt-utils"),
    ("rpm", "rpm"),
    ("pwck", "passwd"),
    ("grpck", "passwd"),
    ("getent", "libc-bin"),
    ("rpmbuild", "rpm"),
    ("cp", "coreutils"),
    ("mount", "mount"),
    ("umount", "mount"),
    ("losetup", "mount"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("matchpathcon", "selinux-utils"),
    ("setfiles", "policycoreutils"),
    ("jsonschema", "python3-jsonschema"),
    ("mtree", "mtree-netbsd"),
    ("fakeroot", "fakeroot"),
    ("setcap", "libcap2-bin"),
    ("getfattr", "attr"),
    ("setfattr", "attr"),
    ("strace", "strace"),
    ("prlimit", "util-linux"),
    ("script", "bsdutils"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("btrfs", "btrfs-progs"),
    ("mkfs.xfs", "xfsprogs"),
    ("mksquashfs", "squashfs-tools"),
    ("mkfs.erofs", "erofs-utils"),
    ("filefrag", "e2fsprogs"),
    ("chattr", "e2fsprogs"),
    ("ldd", "libc-bin"),
    ("unshare", "util-linux"),
    ("ldconfig", "libc-bin"),
    ("setpriv", "util-linux"),
    ("iconv", "libc-bin"),
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-analyze", "systemd"),
    ("systemd-sysusers", "systemd"),
    ("systemd-tmpfiles", "systemd"),
    ("update-ca-certificates", "ca-certificates"),
    ("update-alternatives", "dpkg"),
    ("update-shells", "debianutils"),
    ("pam-auth-update", "libpam-runtime"),
    ("musl-gcc", "musl-tools"),
    ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    ("s390x-linux-gnu-gcc", "gcc-s390x-linux-gnu"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("qemu-s390x-static", "qemu-user-static"),
    // These are not judges: they are run in an image that was reduced to their dependencies.
    ("systemctl", "systemd"),
    ("udevadm", "udev"),
    ("dbus-daemon", "dbus-daemon"),
    ("apache2", "apache2-bin"),
    ("dnsmasq", "dnsmasq-base"),
    ("dropbear", "dropbear-bin"),
    ("busybox", "busybox"),
    ("kmod", "kmod"),
    ("depmod", "kmod"),
    ("modprobe", "kmod"),
    ("modinfo", "kmod"),
    ("ld", "binutils"),
    ("readelf", "binutils"),
    ("strip", "binutils"),
    ("cryptsetup", "cryptsetup-bin"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("gpg", "gnupg"),
    ("gpgconf", "gnupg"),
    ("gpg-agent", "gpg-agent"),
    ("gpgv", "gpgv"),
    ("ip", "iproute2"),
    ("nginx", "nginx"),
    ("node", "nodejs"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
];

/// Files that the tests need besides [`TOOLS`], and their packages: the packages of `TOOLS` do not
/// depend on these, and recommended packages are not installed.
const FILES: &[(&str, &str)] = &[
    // gcc alone compiles, but a static program needs the C library's archive and headers.
    ("/usr/include/stdio.h", "libc6-dev"),
    ("/usr/aarch64-linux-gnu/include/stdio.h", "libc6-dev-arm64-cross"),
    ("/usr/s390x-linux-gnu/include/stdio.h", "libc6-dev-s390x-cross"),
    (PYTHON_YAML, "python3-yaml"),
    (SELINUX_POLICY, "selinux-policy-default"),
];

/// A real policy, as its package's installation builds it.
const SELINUX_POLICY: &str = "/etc/selinux/default/contexts/files/file_contexts";

/// The interpreter of Debian's Python modules, and the module that reads YAML.
const PYTHON: &str = "/usr/bin/python3";
const PYTHON_YAML: &str = "/usr/lib/python3/dist-packages/yaml/__init__.py";

/// The directories of programs, besides `PATH`: an ordinary user's often lacks the second half.
const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Returns a command that runs `tool` in the C locale and UTC, or `None` after a visible skip.
pub(crate) fn command(tool: &str) -> Option<Command> {
    let Some(program) = locate(tool) else {
        skip(tool, "the program is not installed");
        return None;
    };
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").env("TZ", "UTC");
    // The host's configuration must not affect e2fsck's checks.
    command.env("E2FSCK_CONFIG", "/dev/null");
    Some(command)
}

/// Returns the path of `tool`. The first call installs missing tools, if permitted.
pub(crate) fn locate(tool: &str) -> Option<PathBuf> {
    LazyLock::force(&INSTALLED);
    find(tool)
}

/// Installs missing tools before other tests need them, and reports each judge that is still
/// missing.
#[test]
fn every_judge_is_installed() {
    for (tool, _) in TOOLS {
        command(tool);
    }
    for (path, _) in FILES {
        file(path);
    }
    cloud_kernel();
}

/// Returns true if the tests may mount filesystems, `false` after a visible skip.
pub(crate) fn may_mount() -> bool {
    if !is_root() {
        skip("mount", "only root mounts filesystems");
        return false;
    }
    if !has_capability(CAP_SYS_ADMIN) || !Path::new("/dev/loop-control").exists() {
        skip("mount", "this machine gives root no loop devices or no right to mount");
        return false;
    }
    true
}

/// Returns true if the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns the kernel of Debian's `linux-image-cloud-amd64`, or `None` after a visible skip.
pub(crate) fn cloud_kernel() -> Option<PathBuf> {
    LazyLock::force(&INSTALLED);
    let kernel = find_kernel();
    if kernel.is_none() {
        skip("boot", "no kernel at /boot/vmlinuz-*-cloud-amd64 (package linux-image-cloud-amd64)");
    }
    kernel
}

/// Returns the file_contexts of Debian's `selinux-policy-default`, or `None` after a visible skip.
pub(crate) fn selinux_policy() -> Option<PathBuf> {
    file(SELINUX_POLICY)
}

/// Returns a file of [`FILES`], or `None` after a visible skip.
pub(crate) fn file(path: &str) -> Option<PathBuf> {
    LazyLock::force(&INSTALLED);
    if Path::new(path).is_file() {
        return Some(path.into());
    }
    let (_, package) = FILES.iter().find(|(known, _)| *known == path).expect("a file of the table");
    skip(path, &format!("the file is not installed (package {package})"));
    None
}

/// Returns a Python that has the module `yaml`, or `None` after a visible skip.
pub(crate) fn python_with_yaml() -> Option<Command> {
    file(PYTHON_YAML)?;
    Some(Command::new(PYTHON))
}

/// Returns ldconfig for another root, or `None` after a visible skip: without permission to change
/// the root directory, ldconfig -r does not support relative names in an `include`.
pub(crate) fn ldconfig() -> Option<Command> {
    if !is_root() {
        skip("ldconfig -r", "only root changes the root directory");
        return None;
    }
    command("ldconfig")
}

/// Reports on the terminal, bypassing libtest's capture, that the running test skips `judge`. With
/// `ROOTCAST_REQUIRE_JUDGES=1` that is a failure.
pub(crate) fn skip(judge: &str, why: &str) {
    let thread = std::thread::current();
    let line = format!("skipped: {judge} in {}: {why}", thread.name().unwrap_or("a test"));
    assert!(env::var_os("ROOTCAST_REQUIRE_JUDGES").is_none_or(|value| value != "1"), "{line}");
    let mut said = SAID.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if said.insert(line.clone()) {
        // A closed standard error cannot be reported anywhere.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// Returns true if slow tests are enabled by `ROOTCAST_LONG_TESTS=1`, `false` after a visible skip.
/// Skipping them is the default, and not a failure even if every judge is required.
pub(crate) fn long_tests() -> bool {
    let asked = env::var_os("ROOTCAST_LONG_TESTS").is_some_and(|value| value == "1");
    if !asked {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("a test");
        // A closed standard error cannot be reported anywhere.
        let _ = writeln!(io::stderr(), "left out: {name}: it takes long (ROOTCAST_LONG_TESTS=1)");
    }
    asked
}

/// Returns a lock for tests that take much memory, disk or time, so that they run one at a time.
pub(crate) fn heavy() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    // A test that failed while it held the lock does not affect the next one.
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

static INSTALLED: LazyLock<()> = LazyLock::new(|| {
    if may_install()
        && !missing().is_empty()
        && let Err(error) = install()
    {
        let _ = writeln!(io::stderr(), "judges could not be installed: {error}");
    }
});

/// Returns true for root on a Debian system without `ROOTCAST_INSTALL_JUDGES=0`.
fn may_install() -> bool {
    is_root()
        && find("apt-get").is_some()
        && env::var_os("ROOTCAST_INSTALL_JUDGES").is_none_or(|value| value != "0")
}

/// Installs missing tools from Debian packages. One process does it at a time; the others wait and
/// then find everything installed.
fn install() -> io::Result<()> {
    let lock = File::create("/var/lock/rootcast-judges")?;
    lock.lock()?;
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    writeln!(io::stderr(), "installing the judges' packages: {}", packages.join(" "))?;
    let install = || apt_get(&[&["install", "--yes", "--no-install-recommends"], &packages[..]].concat());
    if !install()? {
        // Usually the package lists are older than the mirror, or missing.
        apt_get(&["update"])?;
        if !install()? {
            return Err(io::Error::other("apt-get install did not succeed"));
        }
    }
    Ok(())
}

fn apt_get(arguments: &[&str]) -> io::Result<bool> {
    let output = Command::new("apt-get")
        .args(["--quiet", "-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Packages of servers would start them; the tests start their own.
        .env("SYSTEMD_OFFLINE", "1")
        .output()?;
    if !output.status.success() {
        io::stderr().write_all(&output.stderr)?;
    }
    Ok(output.status.success())
}

/// Returns the packages to install, without duplicates.
fn missing() -> Vec<&'static str> {
    let mut packages: BTreeSet<&str> =
        TOOLS.iter().filter(|(tool, _)| find(tool).is_none()).map(|(_, package)| *package).collect();
    packages.extend(FILES.iter().filter(|(path, _)| !Path::new(path).is_file()).map(|(_, package)| *package));
    if cfg!(target_arch = "x86_64") && find_kernel().is_none() {
        packages.insert("linux-image-cloud-amd64");
    }
    packages.into_iter().collect()
}

fn find(tool: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(DIRECTORIES.iter().map(PathBuf::from))
        .map(|directory| directory.join(tool))
        .find(|program| {
            fs::metadata(program)
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
}

fn find_kernel() -> Option<PathBuf> {
    let mut kernels: Vec<PathBuf> = fs::read_dir("/boot")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("vmlinuz-") && name.ends_with("-cloud-amd64") && File::open(path).is_ok()
        })
        .collect();
    kernels.sort();
    kernels.pop()
}

/// `CAP_SYS_ADMIN` of `capabilities(7)`, which containers remove from root.
const CAP_SYS_ADMIN: u32 = 21;

fn has_capability(bit: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> bit & 1 == 1)
}
