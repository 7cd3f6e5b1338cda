//! A file that gets its name once it is complete.
//!
//! It is created without a name (`O_TMPFILE`), so the kernel frees it when the process dies, even
//! by SIGKILL. Once complete it is linked to its name. If the name exists, it is linked to a hidden
//! name beside it and renamed over the old file; only between these two calls could SIGKILL leave a
//! second file, and a complete one.
//!
//! A file that belongs to another one exchanges names with the old file instead, so that a failure
//! of the other can be undone; then SIGKILL may leave the old file with the hidden name.
//!
//! Filesystems without `O_TMPFILE` (NFS, FUSE, 9p) get a file with a hidden name, removed on drop.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::hidden_name::HiddenName;
use super::replaced::Replaced;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Cleanups;
use crate::output::destination::{FilePlace, own_path};

/// A regular file that is created atomically.
pub(in crate::output) struct AtomicFile {
    file: File,
    /// The hidden name, on filesystems without unnamed files.
    hidden: Option<HiddenName>,
    place: Arc<FilePlace>,
    cleanups: Cleanups,
}

impl AtomicFile {
    /// Creates an empty file for `place`. Its mode is that of any new file (0666 without the umask)
    /// unless the place requests another.
    ///
    /// # Errors
    /// If no file can be created in the directory, which the error names.
    pub(in crate::output) fn create(place: &Arc<FilePlace>, cleanups: &Cleanups) -> Result<Self> {
        let failed = |error: io::Error| Error::io(&place.directory_path, error);
        let (file, hidden) = match unnamed_file(place) {
            Ok(file) => (file, None),
            // Kernels and filesystems reject it with several different errors. If the reason is not
            // the flag, creating a named file fails with it too.
            Err(_) => {
                let (file, name) = named_file(place, cleanups)
                    .map_err(|error| cannot_create(&place.directory_path, error))?;
                (file, Some(name))
            }
        };
        place.set_mode(&file).map_err(failed)?;
        Ok(Self { file, hidden, place: Arc::clone(place), cleanups: cleanups.clone() })
    }

    /// The file to write to.
    pub(in crate::output) fn file(&self) -> &File {
        &self.file
    }

    /// Returns true if there is a hidden name until the file is complete.
    pub(in crate::output) fn has_hidden_name(&self) -> bool {
        self.hidden.is_some()
    }

    /// Gives the file its name, replacing an existing file.
    ///
    /// # Errors
    /// If the kernel rejects that; there is no new file then, and an existing one is unchanged.
    pub(in crate::output) fn publish(self) -> io::Result<()> {
        let place = Arc::clone(&self.place);
        self.publish_as(&place.name)
    }

    /// Gives the file another name, relative to its directory.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub(super) fn publish_as(self, name: &OsStr) -> io::Result<()> {
        self.stage(name, |link| link())?.or_else(|hidden| hidden.rename(name))
    }

    /// Gives the file its name until [`Replaced::keep`] makes that final.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub(in crate::output) fn replace(self) -> io::Result<Replaced> {
        let (place, cleanups) = (Arc::clone(&self.place), self.cleanups.clone());
        let staged = self.stage(&place.name, |link| Replaced::free(&place, &cleanups, link))?;
        staged.or_else(|hidden| Replaced::exchange(&place, hidden, &cleanups))
    }

    /// Takes the name from an existing file until [`Replaced::keep`] makes that final.
    ///
    /// # Errors
    /// If the kernel rejects that, or a directory has the name.
    pub(in crate::output) fn vacate(&self) -> io::Result<Replaced> {
        Replaced::vacate(&self.place, &self.cleanups)
    }

    /// Gives the file a name by `take` if no file has it, else a hidden one.
    fn stage<T>(
        self,
        name: &OsStr,
        take: impl FnOnce(&dyn Fn() -> Result<(), Errno>) -> Result<T, Errno>,
    ) -> io::Result<Result<T, HiddenName>> {
        let Self { file, hidden, place, cleanups } = self;
        if let Some(hidden) = hidden {
            // The filesystems that need a hidden name are those that may report ENOSPC only after
            // the write.
            file.sync_data()?;
            return Ok(Err(hidden));
        }
        match take(&|| link(&file, &place, name)) {
            Err(Errno::EXIST) => HiddenName::claim(&place, &cleanups, |hidden| link(&file, &place, hidden))
                .map(|((), hidden)| Err(hidden)),
            taken => Ok(Ok(taken?)),
        }
    }
}

/// Returns the error for a directory in which no file can be created. Some, such as `/proc`, report
/// that as if they were missing.
fn cannot_create(directory: &Path, error: io::Error) -> Error {
    if error.kind() != io::ErrorKind::NotFound {
        return Error::io(directory, error);
    }
    let message = format!("no file can be created in this directory: {error}; name an output elsewhere");
    Error::at(ErrorKind::Io, directory, message)
}

fn unnamed_file(place: &FilePlace) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(&place.directory, ".", flags, new_mode(place))?);
    // It cannot be linked without /proc.
    fs::metadata(own_path(file.as_fd()))?;
    Ok(file)
}

fn named_file(place: &Arc<FilePlace>, cleanups: &Cleanups) -> io::Result<(File, HiddenName)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    HiddenName::claim(place, cleanups, |name| {
        rustix::fs::openat(&place.directory, name, flags, new_mode(place)).map(File::from)
    })
}

/// The mode of a new file, before the umask is applied. If another mode is set later, only the
/// owner may open the file before that, since a descriptor stays open after a change of mode.
fn new_mode(place: &FilePlace) -> Mode {
    Mode::from_raw_mode(if place.decides_mode() { 0o600 } else { 0o666 })
}

fn link(file: &File, place: &FilePlace, name: impl rustix::path::Arg) -> Result<(), Errno> {
    rustix::fs::linkat(CWD, own_path(file.as_fd()), &place.directory, name, AtFlags::SYMLINK_FOLLOW)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, PermissionsExt};

    use super::*;
    use crate::output::destination::{Destination, DestinationOptions, Place};

    fn place(path: &Path, options: DestinationOptions) -> Arc<FilePlace> {
        let destination = Destination::open(path, options).expect("it can be a file");
        let Place::File(place) = &destination.place else { panic!("{destination:?} is not a file") };
        Arc::clone(place)
    }

    fn create(path: &Path) -> AtomicFile {
        AtomicFile::create(&place(path, DestinationOptions::default()), &Cleanups::default())
            .expect("a file can be made")
    }

    /// Returns the file that is created on a filesystem without `O_TMPFILE`.
    fn with_hidden_name(path: &Path) -> AtomicFile {
        let place = place(path, DestinationOptions::default());
        let cleanups = Cleanups::default();
        let (file, name) = named_file(&place, &cleanups).expect("a file can be made");
        place.set_mode(&file).expect("it is ours");
        AtomicFile { file, hidden: Some(name), place, cleanups }
    }

    #[test]
    fn a_directory_without_regular_files_is_named_with_a_remedy() {
        let place = place(Path::new("/proc/rootcast-image"), DestinationOptions::default());
        let error = AtomicFile::create(&place, &Cleanups::default()).map(drop).expect_err("it is /proc");
        let expected = "/proc: no file can be created in this directory: No such file or directory (os error 2); \
                        name an output elsewhere";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), ErrorKind::Io);
    }

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).expect("the directory is there").count()
    }

    fn check(create: impl Fn(&Path) -> AtomicFile, names_while_written: usize) {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("image");
        drop(create(&path));
        assert_eq!(names(directory.path()), 0, "a dropped file leaves nothing");
        for text in [b"one", b"two"] {
            let existing = names(directory.path());
            let file = create(&path);
            file.file().write_all_at(text, 0).expect("there is room");
            assert_eq!(names(directory.path()), existing + names_while_written);
            file.publish().expect("the name can be had");
            assert_eq!(names(directory.path()), 1);
            assert_eq!(fs::read(&path).expect("the file is there"), text);
        }
    }

    #[test]
    fn a_file_without_name_appears_whole() {
        check(create, 0);
    }

    #[test]
    fn a_file_with_a_hidden_name_appears_whole() {
        check(with_hidden_name, 1);
    }

    #[test]
    fn both_ways_respect_the_umask() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let at = |name: &str| directory.path().join(name);
        File::create(at("any")).expect("a file can be made");
        create(&at("unnamed")).publish().expect("the name is free");
        with_hidden_name(&at("named")).publish().expect("the name is free");
        let mode = |name| fs::metadata(at(name)).expect("the file is there").permissions().mode();
        assert_eq!((mode("unnamed"), mode("named")), (mode("any"), mode("any")));
    }

    #[test]
    fn a_file_gets_the_requested_mode_or_that_of_the_replaced_file() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("image");
        let mode = || fs::metadata(&path).expect("the file is there").permissions().mode() & 0o7777;
        for before in [0o600, 0o666, 0o640, 0o400] {
            for create in [create, with_hidden_name] {
                fs::write(&path, "before").expect("root's, or it was removed");
                fs::set_permissions(&path, fs::Permissions::from_mode(before)).expect("it is ours");
                create(&path).publish().expect("the name can be had");
                assert_eq!(mode(), before);
                assert_eq!(fs::read(&path).expect("the file is there"), b"");
                let options = DestinationOptions { mode: Some(0o606), ..DestinationOptions::default() };
                AtomicFile::create(&place(&path, options), &Cleanups::default())
                    .expect("a file")
                    .publish()
                    .expect("the name");
                assert_eq!(mode(), 0o606);
                fs::remove_file(&path).expect("it is there");
            }
        }
    }

    /// The group's permissions are those of its entry in the list, not those of the mask.
    #[test]
    fn permissions_of_named_acl_entries_are_not_granted_to_the_group() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("image");
        for (group, other, expected) in [(0, 0, 0o600), (4, 0, 0o640), (7, 4, 0o664)] {
            fs::write(&path, "before").expect("it is new");
            let entries = [
                (1, 6, u32::MAX),
                (2, 6, 12345),
                (4, group, u32::MAX),
                (16, 6, u32::MAX),
                (32, other, u32::MAX),
            ];
            let mut list = 2_u32.to_le_bytes().to_vec();
            for (tag, permissions, id) in entries {
                list.extend([u16::to_le_bytes(tag), u16::to_le_bytes(permissions)].concat());
                list.extend(u32::to_le_bytes(id));
            }
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(&path, "system.posix_acl_access", &list, flags).expect("there are lists");
            let mode = || fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
            assert_eq!(mode(), 0o660 | u32::from(other), "the mask stands for the group");
            create(&path).publish().expect("the name can be had");
            assert_eq!(mode(), expected);
            fs::remove_file(&path).expect("it is there");
        }
    }

    #[test]
    fn a_name_that_can_only_be_a_directory_is_refused() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let at = |name: &str| directory.path().join(name);
        std::os::unix::fs::symlink("new/", at("link")).expect("the name is free");
        for name in ["new/", "new/.", "link"] {
            let error = Destination::open(&at(name), DestinationOptions::default()).expect_err(name);
            assert_eq!(error.kind(), crate::error::ErrorKind::Usage, "{error}");
        }
        assert_eq!(names(directory.path()), 1);
    }

    /// Other users could open a file by its hidden name as soon as it exists.
    #[test]
    fn a_new_file_is_private_until_it_has_its_mode() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("image");
        let begun = |options| {
            let place = place(&path, options);
            let (named, _name) = named_file(&place, &Cleanups::default()).expect("a file can be made");
            let unnamed = unnamed_file(&place).expect("the filesystem of temporary files has such files");
            [named, unnamed].map(|file| file.metadata().expect("it is open").permissions().mode() & 0o077)
        };
        assert_eq!(begun(DestinationOptions { mode: Some(0o640), ..DestinationOptions::default() }), [0, 0]);
        fs::write(&path, "before").expect("it is new");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        assert_eq!(begun(DestinationOptions::default()), [0, 0]);
    }

    /// The directory that was opened at the start is used, even if its name changes afterwards.
    #[test]
    fn a_directory_that_became_a_link_is_not_followed() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let at = |name: &str| directory.path().join(name);
        for create in [create, with_hidden_name] {
            for existing in [false, true] {
                fs::create_dir(at("out")).expect("the name is free");
                fs::create_dir(at("elsewhere")).expect("the name is free");
                if existing {
                    fs::write(at("out/image"), "before").expect("a new file");
                }
                let file = create(&at("out/image"));
                fs::rename(at("out"), at("moved")).expect("it is ours");
                std::os::unix::fs::symlink("elsewhere", at("out")).expect("the name is free");
                file.file().write_all_at(b"whole", 0).expect("there is room");
                file.publish().expect("the name can be had");
                assert_eq!(names(&at("elsewhere")), 0);
                assert_eq!(fs::read(at("moved/image")).expect("the file is there"), b"whole");
                assert_eq!(names(&at("moved")), 1);
                fs::remove_file(at("out")).expect("it is a link");
                fs::remove_dir_all(at("moved")).expect("it is ours");
                fs::remove_dir(at("elsewhere")).expect("it is empty");
            }
        }
    }
}
