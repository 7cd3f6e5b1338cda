//! The kinds of files that may exist at the output's path, and their handling.

use std::fs::File;
use std::io::Read;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::*;

#[test]
fn an_existing_file_is_replaced_whole_or_not_at_all() {
    let directory = directory();
    let path = directory.path().join("image");
    fs::write(&path, "before").expect("it can be written");
    write(&whole(TestContent::Broken(1)), &path, 2).expect_err("a content is broken");
    assert_eq!(fs::read(&path).expect("the file is there"), b"before");

    let mut held = File::open(&path).expect("the file is there");
    write(&whole(dense(5)), &path, 2).expect("it can be written");
    assert_eq!(fs::read(&path).expect("the file is there"), [7; 5]);
    assert_eq!(names(directory.path()), ["image"]);
    let mut before = String::new();
    held.read_to_string(&mut before).expect("it can be read");
    assert_eq!(before, "before", "the old file is another one");
}

#[test]
fn a_symbolic_link_is_written_through() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("real")).expect("it can be made");
    std::os::unix::fs::symlink("second", at("first")).expect("it can be made");
    std::os::unix::fs::symlink("real/image", at("second")).expect("it can be made");
    for _ in ["the link points to nothing", "the link points to a file"] {
        write(&whole(dense(5)), &at("first"), 1).expect("it can be written");
        assert_eq!(fs::read(at("real/image")).expect("the file is there"), [7; 5]);
        assert!(at("first").is_symlink() && at("second").is_symlink());
        assert_eq!(names(&at("real")), ["image"]);
    }
    std::os::unix::fs::symlink("loop", at("loop")).expect("it can be made");
    let error = write(&whole(dense(5)), &at("loop"), 1).expect_err("it leads nowhere");
    assert!(error.to_string().contains("loop"), "{error}");
}

#[test]
fn a_name_without_a_directory_is_in_the_current_directory() {
    let name = format!("rootcast-test-{}", std::process::id());
    write(&whole(dense(5)), Path::new(&name), 1).expect("it can be written");
    let bytes = fs::read(&name);
    fs::remove_file(&name).expect("the file is there");
    assert_eq!(bytes.expect("the file is there"), [7; 5]);
}

#[test]
fn rejects_targets_that_cannot_be_images() {
    let directory = directory();
    let check = |path: &Path, kind, message: &str| {
        let error = write(&whole(dense(5)), path, 1).expect_err("it is refused");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(
            path.as_os_str().is_empty()
                || error.to_string().contains(directory.path().to_str().expect("ASCII"))
        );
    };
    check(Path::new(""), ErrorKind::Usage, "empty");
    check(directory.path(), ErrorKind::Usage, "is a directory");
    check(&directory.path().join("new/"), ErrorKind::Usage, "not a directory that exists");
    let missing = directory.path().join("missing");
    let message = format!("{}: the directory of the output does not exist", missing.display());
    check(&missing.join("image"), ErrorKind::Io, &message);
    fs::write(directory.path().join("file"), "").expect("it can be written");
    check(&directory.path().join("file/image"), ErrorKind::Io, "is not a directory: name a file in");
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("it can be bound");
    check(&socket, ErrorKind::Usage, "is a socket");
    assert_eq!(names(directory.path()).len(), 2);
}

#[test]
fn a_block_device_is_refused_without_force() {
    let Some(device) = fs::read_dir("/dev").into_iter().flatten().flatten().find(|entry| {
        entry.file_type().is_ok_and(|kind| std::os::unix::fs::FileTypeExt::is_block_device(&kind))
    }) else {
        skipped("a_block_device_is_refused_without_force: no block device in /dev");
        return;
    };
    let error = write(&whole(dense(5)), &device.path(), 1).expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("--force overwrites what is on it"), "{error}");
}

#[test]
fn devices_and_pipes_are_written_as_streams() {
    let image = TestImage::new(
        vec![
            (CHUNK_SIZE, Part::Zeros),
            (5, Part::Content { index: 0, offset: 0 }),
            (CHUNK_SIZE, Part::Zeros),
        ],
        vec![dense(5)],
    );
    let written = write(&image, Path::new("/dev/null"), 2).expect("it takes everything");
    assert_eq!(written, Written { len: image.len, written_bytes: image.len, cloned_bytes: 0, hole_bytes: 0 });

    let error = write(&image, Path::new("/dev/full"), 2).expect_err("it is always full");
    assert_eq!(error.to_string(), "/dev/full: No space left on device (os error 28)");

    let directory = directory();
    let pipe = directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let reader = thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe)
    });
    write(&image, &pipe, 2).expect("the reader takes everything");
    let read = reader.join().expect("no panic").expect("it can be read");
    assert!(read == read_all(&image).expect("memory does not fail"));
}

/// Returns a file of `len` bytes of 0xff in place of a block device, which only root could create.
fn device(len: u64) -> (TempDir, Destination) {
    let directory = directory();
    let path = directory.path().join("device");
    fs::write(&path, vec![0xff; usize::try_from(len).expect("small")]).expect("it can be written");
    let file = File::options().write(true).open(&path).expect("it is there");
    (directory, Destination::device_stand_in(file, &path, len))
}

#[test]
fn old_bytes_of_a_device_are_overwritten() {
    let part = |index, offset| Part::Content { index, offset };
    let runs = vec![
        (100, Part::Zeros),
        (5000, part(0, 0)),
        (3 * CHUNK_SIZE + 17, Part::Zeros),
        (2 * CHUNK_SIZE, part(1, 0)),
        (70_000, Part::Zeros),
        (1, part(0, 0)),
        (CHUNK_SIZE, Part::Zeros),
    ];
    let image = TestImage::new(runs, vec![dense(5000), TestContent::Bytes(pattern(2 * CHUNK_SIZE, 3))]);
    let expected = read_all(&image).expect("memory does not fail");
    for threads in THREADS {
        let (directory, device) = device(image.len + 12_345);
        let (interrupt, done) = (Interrupt::never(), Count::default());
        let written = file::write(&image, &device, &options(threads, &interrupt, &done));
        let whole = Written { len: image.len, written_bytes: image.len, cloned_bytes: 0, hole_bytes: 0 };
        assert_eq!(written.expect("it can be written"), whole);
        assert_eq!(done.0.load(Ordering::Relaxed), image.len);
        let found = fs::read(directory.path().join("device")).expect("it is there");
        let (found, behind) = found.split_at(expected.len());
        assert!(found == expected, "{threads} threads");
        assert!(behind.len() == 12_345 && behind.iter().all(|byte| *byte == 0xff), "it was written to");
    }
}

#[test]
fn a_partly_written_device_is_reported() {
    let in_part =
        "/device: the previous contents of the device are lost, and it holds only a part of the image";
    let (_directory, small) = device(4);
    let error = file::write(&whole(dense(5)), &small, &options(2, &Interrupt::never(), &Silent));
    let error = error.expect_err("there is no room");
    assert_eq!(error.kind(), ErrorKind::DoesNotFit);
    assert!(
        error.to_string().ends_with("has 5 bytes, the device 4: it is 1 byte too small; nothing was written")
    );

    let (_directory, broken) = device(CHUNK_SIZE);
    let image = whole(TestContent::Broken(1));
    let image = TestImage { len: 5, runs: vec![(5, image.runs[0].1)], ..image };
    let error = file::write(&image, &broken, &options(2, &Interrupt::never(), &Silent));
    let error = error.expect_err("a content is broken").to_string();
    assert!(error.starts_with("file 1 is broken; ") && error.contains(in_part), "{error}");

    let (_directory, stopped) = device(CHUNK_SIZE);
    let mut image = whole(TestContent::Interrupting(Interrupt::never()));
    (image.len, image.runs[0].0) = (5, 5);
    let TestContent::Interrupting(interrupt) = &image.contents[0] else { unreachable!("made above") };
    let error = file::write(&image, &stopped, &options(1, interrupt, &Silent));
    assert_eq!(error.expect_err("a signal came").kind(), ErrorKind::Interrupted);
    assert!(stopped.incomplete_message().is_some_and(|message| message.contains(in_part)));
    assert_eq!(to(Path::new("/dev/null")).incomplete_message(), None);
}

/// A filesystem of 1 MiB, unmounted when dropped.
struct SmallFilesystem(TempDir);

impl SmallFilesystem {
    fn mount() -> Option<Self> {
        let directory = directory();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(directory.path())
            .output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(directory))
    }
}

impl Drop for SmallFilesystem {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_filesystem_is_named_and_left_as_it_was() {
    let Some(small) = SmallFilesystem::mount() else {
        skipped("a_full_filesystem_is_named_and_left_as_it_was: only root may mount a small filesystem");
        return;
    };
    let path = small.0.path().join("image");
    let mut image = whole(dense(CHUNK_SIZE * 4));
    image.runs.push((CHUNK_SIZE, Part::Zeros));
    image.len += CHUNK_SIZE;
    for threads in THREADS {
        let error = write(&image, &path, threads).expect_err("there is no room");
        assert_eq!(error.kind(), ErrorKind::Io);
        let expected = format!(
            "{}: no room for an image of 5242880 bytes, up to 4194304 of them data: No space left on device \
             (os error 28)",
            path.display()
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!(names(small.0.path()), [""; 0]);
    }
    write(&whole(dense(CHUNK_SIZE / 2)), &path, 2).expect("what was written before is gone");
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_does_not_kill() {
    assert_passes_alone("output::tests::destinations::write_past_the_limit");
}

#[test]
#[ignore = "runs in a process of its own, which it limits"]
fn write_past_the_limit() {
    let interrupt = Interrupt::install().expect("handlers can be set");
    let limit = Rlimit { current: Some(CHUNK_SIZE), maximum: Some(CHUNK_SIZE) };
    setrlimit(Resource::Fsize, limit).expect("a limit can be lowered");
    let directory = directory();
    let path = directory.path().join("image");
    let error = file::write(&whole(dense(CHUNK_SIZE * 2)), &to(&path), &options(2, &interrupt, &Silent))
        .expect_err("it is too large");
    assert!(error.to_string().contains("no room for an image of 2097152 bytes"), "{error}");
    assert!(error.to_string().contains("File too large"), "{error}");
    assert_eq!(names(directory.path()), [""; 0]);
}
