//! Plans: all ways to the bytes agree, several at once do not affect each other, and nothing is
//! left.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use rootcast::{
    Build, Codec, ContainerImage, DiskLayout, Edit, ErrorKind, ImageRecipe, InitrdRecipe, Plan, Profile,
    Report, Size, SourceRecipe, TarRecipe, VerityRecipe, Watch,
};

use super::{names, pattern, plan, tree};
use crate::product::{Scratch, run};

/// Writes, streams, digests and serves a plan, and returns its bytes, which all agree.
fn bytes_of(scratch: &Scratch, plan: &Plan) -> Vec<u8> {
    let path = scratch.join("output");
    let report = plan.write_file(&path).expect("it can be written");
    let written = fs::read(&path).expect("it was written");
    assert_eq!(report.size(), Some(written.len() as u64));
    let mut streamed = Vec::new();
    plan.write(&mut streamed).expect("memory");
    assert!(streamed == written, "the stream differs from the file");
    assert_eq!(plan.digest().expect("it can be read"), sha256sum(&path));
    let report = plan.report();
    let served = plan.image();
    let is_compressed = match report {
        Report::Initrd(report) => report.compression != "none",
        Report::Tar(report) => report.compression != "none",
        _ => false,
    };
    if is_compressed {
        assert_eq!(served.expect_err("no byte has a place").kind(), ErrorKind::Usage);
        return written;
    }
    let served = served.expect("every byte has a place");
    assert_eq!(served.len(), written.len() as u64);
    // Lengths that are not multiples of blocks, so that reads begin and end anywhere.
    for len in [4096, 100_003, 1] {
        let mut offset = 0;
        while offset < written.len() {
            let mut buffer = vec![7; len.min(written.len() - offset)];
            served.read_at(&mut buffer, offset as u64).expect("it is within");
            assert!(buffer == written[offset..][..buffer.len()], "{len} bytes at {offset} differ");
            offset += if len == 1 { 99_991 } else { len };
        }
    }
    let data: u64 = served.data().map(|(_, len)| len).sum();
    assert!(data <= served.len());
    let error = served.read_at(&mut [0], served.len()).expect_err("it is behind the end");
    assert_eq!(error.kind(), ErrorKind::Usage);
    written
}

fn sha256sum(path: &std::path::Path) -> String {
    let outcome = run(Command::new("sha256sum").arg(path));
    outcome.text().split(' ').next().expect("a digest").to_owned()
}

#[test]
fn every_way_to_the_bytes_agrees() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let mut bare = ImageRecipe::default();
    bare.layout = DiskLayout::Bare;
    let mut mbr = ImageRecipe::default();
    mbr.layout = DiskLayout::Mbr;
    mbr.size = Size::Free { bytes: 1 << 20 };
    let mut gzip = TarRecipe::default();
    gzip.codec = "gzip".parse::<Codec>().expect("a codec");
    let mut initrd = InitrdRecipe::default();
    initrd.init = None;
    let mut plain = initrd.clone();
    plain.codec = Some(Codec::NONE);
    let build = || Build::new([source.clone()]);
    for build in [
        build(),
        build().making(bare),
        build().making(mbr),
        build().making(TarRecipe::default()),
        build().making(gzip),
        build().making(initrd),
        build().making(plain),
    ] {
        let bytes = bytes_of(&scratch, &plan(&build));
        assert_eq!(bytes_of(&scratch, &plan(&build)).len(), bytes.len());
    }
}

#[test]
fn every_way_to_the_bytes_of_a_measured_disk_agrees() {
    let scratch = Scratch::new();
    for layout in [DiskLayout::Gpt, DiskLayout::Mbr] {
        let mut image = ImageRecipe::default();
        image.layout = layout;
        image.filesystem = Profile::RoMin.into();
        image.verity = Some(VerityRecipe::default());
        let build = Build::new([tree(&scratch)]).making(image);
        let plan = plan(&build);
        bytes_of(&scratch, &plan);
        let mut memory = Vec::new();
        let Report::Image(streamed) = plan.write(&mut memory).expect("memory") else { panic!("a disk") };
        let Report::Image(written) = plan.write_file(scratch.join("again")).expect("a file") else {
            panic!("a disk")
        };
        let root_hash = |report: &rootcast::ImageReport| {
            report.verity.as_ref().and_then(|verity| verity.root_hash.clone()).expect("it is measured")
        };
        assert_eq!(root_hash(&streamed), root_hash(&written));
        assert!(!names(scratch.path()).iter().any(|name| name == "root_hash.txt"), "it was not requested");
    }
}

#[test]
fn a_measured_disk_and_its_root_hash_are_those_of_the_command_line() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let (out, line) = (scratch.join("cli.img"), scratch.join("root_hash.txt"));
    let mut command = crate::product::rootcast_as_root();
    command.arg("image").arg(&source).args(["--profile", "ro-min", "--verity", "-q", "-o"]).arg(&out);
    run(&mut command).success().expect("it can be written");
    let mut image = ImageRecipe::default();
    image.filesystem = Profile::RoMin.into();
    image.verity = Some(VerityRecipe::default());
    let plan = plan(&Build::new([source.clone()]).making(image));
    let (disk, root_hash) = (scratch.join("disk"), scratch.join("hash"));
    let options = rootcast::DestinationOptions::default;
    let report = plan.write_measured(&disk, &root_hash, options()).expect("both can be written");
    assert!(fs::read(&disk).expect("it is there") == fs::read(&out).expect("it is there"));
    let expected = fs::read_to_string(&line).expect("it is there");
    assert_eq!(fs::read_to_string(&root_hash).expect("it is there"), expected);
    let verity = report.verity().expect("it is measured");
    let hash = verity.root_hash.as_deref().expect("it was written");
    assert!(hash.len() == 64 && expected.contains(hash), "{expected}");
    assert_eq!(plan.report().verity().expect("it is measured").root_hash, None);
    // One file for both, an input, and a directory that is not there leave both files as they were.
    let inside = std::path::Path::new(&source).join("bin/large");
    for (wrong, kind) in
        [(&disk, ErrorKind::Usage), (&inside, ErrorKind::Usage), (&scratch.join("none/hash"), ErrorKind::Io)]
    {
        let error = plan.write_measured(&disk, wrong, options()).expect_err("it cannot be written");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(fs::read(&disk).expect("it is there") == fs::read(&out).expect("it is there"));
    }
    assert_eq!(fs::read(&inside).expect("it is there"), pattern(3 << 20));
    let plain = super::plan(&Build::new([source]));
    let error = plain.write_measured(scratch.join("p"), scratch.join("q"), options()).expect_err("plain");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(!scratch.join("p").exists() && !scratch.join("q").exists());
}

#[test]
fn sources_are_data() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let odd = scratch.join("oci:rootfs");
    fs::rename(&source, &odd).expect("a free name");
    let layout = scratch.join("layout");
    let mut export = crate::product::rootcast_as_root();
    export.arg("oci-export").arg(scratch.join("./oci:rootfs")).args([
        "--platform",
        "linux/amd64",
        "-q",
        "-o",
    ]);
    run(export.arg(format!("oci:{}:v1", layout.display()))).success().expect("an image of containers");
    let tar = scratch.join("a.tar");
    plan(&Build::new([odd.clone()]).making(TarRecipe::default())).write_file(&tar).expect("an archive");
    let digest = |source: SourceRecipe| {
        let mut build = Build::new([source]).making(TarRecipe::default());
        build.tree.platform = Some("linux/amd64".parse().expect("a platform"));
        plan(&build).digest().expect("it can be read")
    };
    let expected = sha256sum(&tar);
    for source in
        [SourceRecipe::from(odd.as_path()), SourceRecipe::Directory(odd.clone()), SourceRecipe::Tar(tar)]
    {
        let name = format!("{source:?}");
        assert_eq!(digest(source), expected, "{name}");
    }
    // A layer has no holes, and so it is another archive.
    let named = format!("oci:{}:v1", layout.display());
    assert_eq!(digest(ContainerImage::oci(&layout, Some("v1")).into()), digest(named.into()));
    let error = Build::new([SourceRecipe::Tar(odd)]).plan(&Watch::default()).expect_err("a directory");
    assert_eq!(error.kind(), ErrorKind::BadInput, "{error}");
}

#[test]
fn the_bytes_are_those_of_the_command_line() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let out = scratch.join("cli.img");
    let outcome = run(crate::product::rootcast().arg("image").arg(&source).arg("-o").arg(&out).arg("-q"));
    outcome.success().expect("it can be written");
    let mut build = Build::new([source]);
    // The command line runs as an ordinary user, for whom root owns all.
    build.tree.ownership = Some(rootcast::Ownership::Root);
    assert_eq!(plan(&build).digest().expect("it can be read"), sha256sum(&out));
}

#[test]
fn two_builds_at_once_do_not_affect_each_other() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let mut first = Build::new([source.clone()]);
    first.tree.edits.push(Edit::write("/only/first", "x".repeat(5000), 0o600).expect("a path"));
    let second = Build::new([source]).making(TarRecipe::default());
    let alone = [plan(&first).digest().expect("it is"), plan(&second).digest().expect("it is")];
    std::thread::scope(|scope| {
        let digests = [&first, &second, &first, &second]
            .map(|build| scope.spawn(|| plan(build).digest().expect("it can be read")));
        for (index, digest) in digests.into_iter().enumerate() {
            assert_eq!(digest.join().expect("no panic"), alone[index % 2]);
        }
    });
    assert_ne!(alone[0], alone[1]);
}

#[test]
fn a_dropped_plan_frees_its_spool() {
    let scratch = Scratch::new();
    let spool = scratch.join("spool");
    fs::create_dir(&spool).expect("new");
    // A compressed archive is unpacked once.
    let plain = scratch.join("rootfs.tar");
    plan(&Build::new([tree(&scratch)]).making(TarRecipe::default())).write_file(&plain).expect("an archive");
    let packed = scratch.join("rootfs.tar.gz");
    let mut gzip = GzEncoder::new(fs::File::create(&packed).expect("new"), Compression::fast());
    std::io::copy(&mut fs::File::open(&plain).expect("it is there"), &mut gzip).expect("room");
    gzip.finish().expect("room");
    let mut build = Build::new([&packed]);
    build.tree.spool = Some(spool.clone());
    let open = || {
        let links = fs::read_dir("/proc/self/fd").expect("it is readable").flatten();
        links
            .filter_map(|link| fs::read_link(link.path()).ok())
            .filter(|file| file.starts_with(&spool))
            .count()
    };
    let plan = plan(&build);
    assert_eq!(names(&spool), Vec::<std::ffi::OsString>::new(), "it has no name");
    assert_eq!(open(), 1);
    assert!(plan.digest().is_ok());
    drop(plan);
    assert_eq!(open(), 0);
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let plan = plan(&Build::new([source.clone()]));
    let inside = std::path::Path::new(&source).join("bin/large");
    let error = plan.write_file(&inside).expect_err("it would be overwritten");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert_eq!(fs::read(&inside).expect("it is there"), pattern(3 << 20));
    assert!(
        plan.write_file(std::path::Path::new(&source).join("disk.img")).is_ok(),
        "a new file has not been read"
    );
}

#[test]
fn conflicting_options_are_an_error_before_anything_is_read() {
    let mut image = ImageRecipe::default();
    image.layout = DiskLayout::Bare;
    image.filesystem = Profile::RoMin.into();
    image.verity = Some(VerityRecipe::default());
    let mut clamped = Build::new(["/none"]);
    clamped.tree.clamp_mtime_min = Some(rootcast::Timestamp::from_seconds(2));
    clamped.tree.source_date_epoch = Some(rootcast::Timestamp::from_seconds(1));
    let mut aligned = InitrdRecipe::default();
    aligned.align = 3;
    for build in [Build::new(["/none"]).making(image), clamped, Build::new(["/none"]).making(aligned)] {
        let error = build.plan(&Watch::default()).expect_err("they conflict");
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

#[test]
fn errors_have_a_kind_a_path_and_a_message() {
    let missing = Build::new(["/none/of/this"]).plan(&Watch::default()).expect_err("it is missing");
    assert_eq!(missing.kind(), ErrorKind::Io);
    assert_eq!(missing.path(), Some(std::path::Path::new("/none/of/this")));
    assert_eq!(missing.to_string(), format!("/none/of/this: {}", missing.message()));
    assert_eq!(missing.kind().exit_code(), 6);
}

/// The library prints nothing, whatever it warns of: a process of its own, since a test cannot
/// look at the output of its own process.
#[test]
fn the_library_prints_nothing() {
    let own = std::env::current_exe().expect("a test has a program");
    let mut command = Command::new(own);
    command.args(["--exact", "library::plans::warns", "--ignored", "--nocapture"]).stdin(Stdio::null());
    let outcome = run(&mut command);
    let lines: Vec<String> = outcome.text().lines().map(str::to_owned).collect();
    let ours = |line: &&String| {
        !line.is_empty() && !line.starts_with("running 1 test") && !line.starts_with("test ")
    };
    assert_eq!(lines.iter().filter(ours).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
#[ignore = "runs in a process of its own, whose output is looked at"]
fn warns() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let secret = std::path::Path::new(&source).join("etc/secret");
    fs::write(&secret, "x").expect("new");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let report = plan(&Build::new([source])).write_file(scratch.join("disk.img")).expect("it can be written");
    assert_eq!(report.build().warnings.len(), 1, "{:?}", report.build().warnings);
    assert!(report.build().warnings[0].contains("/etc/secret"));
}
