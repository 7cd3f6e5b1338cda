//! Layers that are unpacked: into memory as far as there is some, and into unnamed files.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::layout::{Layer, Layout, Member, oci, tar};
use crate::judges;
use crate::output::failures::names;
use crate::product::{Outcome, Scratch, rootcast, run};

fn good(command: &mut Command) -> Outcome {
    run(command).success().unwrap_or_else(|why| panic!("{why}"))
}

/// Returns text without two equal blocks.
fn noise(seed: u64, len: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(len + 16);
    while text.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text += &format!("{state:016x}");
    }
    text.truncate(len);
    text
}

/// Returns a layer of 50 MiB: many small files, and a few long ones with zeros in them.
fn layer(number: u64) -> Vec<u8> {
    let mut members: Vec<Member> = (0..100)
        .map(|index| {
            let data = noise(number * 1000 + index, 10_000);
            Member::file(&format!("small-{number}-{index}"), &data)
        })
        .collect();
    for (index, mib) in [1, 9, 38].into_iter().enumerate() {
        let quarter = noise(number + index as u64, mib << 18);
        let data = [quarter.clone(), "\0".repeat(mib << 18), quarter.clone(), quarter].concat();
        members.push(Member::file(&format!("long-{number}-{index}"), &data));
    }
    tar(&members)
}

/// The memory limit of the program: 128 MiB, and 1 KiB for each inode.
const fn limit(inodes: u64) -> u64 {
    (128 << 20) + (inodes << 10)
}

/// Returns the most memory that a run took before it wrote the last byte to standard output, and
/// these bytes.
fn peak(command: &mut Command) -> (u64, Vec<u8>) {
    let mut running = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut out = running.stdout.take().expect("a pipe");
    let (mut bytes, mut buffer, mut peak) = (Vec::new(), vec![0; 1 << 16], 0);
    loop {
        let count = out.read(&mut buffer).expect("a pipe");
        if count == 0 {
            break;
        }
        bytes.extend(&buffer[..count]);
        // A pipe holds 64 KiB: most of the bytes are not written yet, or all are and it has ended.
        if bytes.len() % (1 << 20) < 1 << 16 {
            let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap_or_default();
            let found =
                status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
            peak = peak.max(found.and_then(|kib| kib.parse().ok()).unwrap_or(0) << 10);
        }
    }
    assert!(running.wait().expect("it ends").success());
    (peak, bytes)
}

#[test]
fn layers_of_any_length_take_little_memory_and_give_the_same_bytes() {
    let _heavy = judges::heavy();
    let scratch = Scratch::new();
    let layers: Vec<Vec<u8>> = (0..4).map(layer).collect();
    let packed = Layout::new(scratch.join("packed"));
    packed.image(&layers.iter().cloned().map(Layer::gzip).collect::<Vec<_>>());
    let plain = Layout::new(scratch.join("plain"));
    plain.image(&layers.into_iter().map(Layer::plain).collect::<Vec<_>>());
    let expected = good(rootcast().args(["image", &oci(&plain.0), "--digest"])).stdout;
    let spool = scratch.join("spool");
    fs::create_dir(&spool).expect("new");
    fs::set_permissions(&spool, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("it is ours");
    for threads in ["1", "3"] {
        let image = |to: &[&str]| {
            let mut command = rootcast();
            command.args(["image", &oci(&packed.0), "-q", "-j", threads, "--spool"]).arg(&spool).args(to);
            command
        };
        assert_eq!(good(&mut image(&["--digest"])).stdout, expected);
        let (peak, bytes) = peak(&mut image(&["-o", "-"]));
        assert!(bytes.len() > 150 << 20, "{}", bytes.len());
        assert!(peak > 32 << 20 && peak < limit(500), "{peak} bytes of memory, -j {threads}");
        assert_eq!(names(&spool), Vec::<String>::new());
    }
}

/// Returns the numbers of pieces that were found in the cache, and of those that were compressed.
fn initrd(source: &Path, cache: &Path, output: &Path, arguments: &[&str]) -> [u64; 2] {
    let mut command = rootcast();
    command.args(["initrd", &oci(source), "--init", "none", "--json", "--cache"]).arg(cache);
    let found = good(command.arg("-o").arg(output).args(arguments));
    let report: Value = serde_json::from_slice(&found.stdout).expect("JSON");
    ["hits", "misses"].map(|name| report["cache"][name].as_u64().unwrap_or_else(|| panic!("{report}")))
}

#[test]
fn a_second_initramfs_of_a_layer_compresses_nothing_and_another_layer_is_not_taken_for_it() {
    let scratch = Scratch::new();
    let (cache, output) = (scratch.join("cache"), scratch.join("out"));
    let member = |seed| tar(&[Member::file("file", &noise(seed, 3 << 20)), Member::file("same", "same")]);
    let layout = |name: &str, seed| {
        let layout = Layout::new(scratch.join(name));
        layout.image(&[Layer::gzip(member(seed))]);
        layout.0
    };
    let (first, other) = (layout("first", 1), layout("other", 2));
    for arguments in [&["--compress", "gzip:1"][..], &["--compress", "zstd:1", "-j", "1"]] {
        let plain = |source: &Path| {
            let mut command = rootcast();
            command.args(["initrd", &oci(source), "--init", "none", "--digest"]).args(arguments);
            good(&mut command).text().trim().to_owned()
        };
        let digest = || {
            let text = good(Command::new("sha256sum").arg(&output)).text().to_owned();
            text.split(' ').next().expect("a digest").to_owned()
        };
        let [hits, misses] = initrd(&first, &cache, &output, arguments);
        assert!(hits == 0 && misses > 0, "{hits} {misses}");
        assert_eq!(digest(), plain(&first));
        let again = initrd(&first, &cache, &output, arguments);
        assert_eq!(again, [misses, 0]);
        assert_eq!(digest(), plain(&first));
        // The same members at the same offsets, and other bytes.
        let [_, misses] = initrd(&other, &cache, &output, arguments);
        assert!(misses > 0);
        assert_eq!(digest(), plain(&other));
    }
    let by_identity = names(&cache).into_iter().filter(|name| name.starts_with('i'));
    assert!(by_identity.count() > 4);
}
