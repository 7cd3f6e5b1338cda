//! Room to write, as the kernel has it once a filesystem is mounted.

use std::path::Path;
use std::process::Command;

use image_tree::{Kind, Metadata};
use mkfs_ext4::{BlockSize, Options, Profile, Size, Summary, plan};
use uuid::Uuid;

use crate::boundaries::{Patterns, add};
use crate::judge::{fsck, run, write};
use crate::kernel::Mount;
use crate::profiles::journal_for_reading;
use crate::trees::add_files;

const MIB: u64 = 1 << 20;
/// A user who is neither root nor the owner of anything.
const USER: &str = "54321";

/// The figures of statvfs(3).
#[derive(Clone, Copy, Debug)]
struct Room {
    block_size: u64,
    available: u64,
    free_inodes: u64,
}

impl Room {
    fn of(at: &Path) -> Self {
        // f_frsize, f_bavail, f_ffree.
        let output = run(Command::new("stat").args(["-f", "-c", "%S %a %d"]).arg(at)).expect("coreutils");
        let text = String::from_utf8(output.stdout).expect("numbers");
        let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        let [block_size, available, free_inodes] = numbers[..] else { panic!("stat: {text}") };
        Self { block_size, available, free_inodes }
    }

    fn bytes(self) -> u64 {
        self.available * self.block_size
    }
}

/// A tree whose root every user can write to, and whose only block of names is full.
fn tree() -> Patterns {
    let mut tree = Patterns::new(Metadata::new(0o777));
    let directory = add(&mut tree, "d", Metadata::new(0o777), Kind::Directory([].into()));
    add_files(&mut tree, directory, 3, 255);
    tree
}

/// Mounts what is planned for `size` and hands it to `look` with its room.
fn mounted(options: &Options, look: impl FnOnce(&Path, Room, Summary)) {
    let tree = tree();
    let layout = plan(&tree, options).expect("it fits");
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let image = dir.path().join("image");
    write(&layout, &image);
    let Some(mount) = Mount::new(&image, "rw") else { return };
    let room = Room::of(mount.path());
    assert_eq!(room.available, layout.summary().available_blocks, "{options:?}");
    assert_eq!(room.free_inodes, u64::from(layout.summary().free_inodes), "{options:?}");
    look(mount.path(), room, layout.summary());
    mount.unmount();
    fsck(&image);
}

fn of(profile: Profile, block_size: BlockSize, size: Size) -> Options {
    let options = Options::from_profile(profile, Uuid::from_u128(1), Uuid::from_u128(2));
    with!(options, block_size: block_size, size: size)
}

/// Lets a user write a file of that many bytes; gives what dd says where it cannot.
fn write_as_user(file: &Path, bytes: u64) -> Option<String> {
    let (of, count) = (format!("of={}", file.display()), format!("count={bytes}"));
    let dd = ["dd", "if=/dev/zero", &of, "bs=1M", "iflag=count_bytes", &count];
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).args(dd);
    let output = run(&mut command)?;
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_user_can_write_as_much_as_requested() {
    let profiles =
        [Profile::Default, Profile::Rw].map(|profile| of(profile, BlockSize::B4096, Size::Smallest));
    for profile in profiles.into_iter().chain([journal_for_reading()]) {
        for block_size in BlockSize::ALL {
            for bytes in [4096, 4 * MIB, 150 * MIB + 1] {
                let options = with!(profile.clone(), block_size: block_size, size: Size::Free { bytes });
                mounted(&options, |at, room, _| {
                    let shown = format!("{:?} {block_size:?} {bytes}: {room:?}", profile.features);
                    assert!(room.bytes() >= bytes, "{shown}");
                    assert!(room.free_inodes >= bytes / Options::BYTES_PER_INODE, "{shown}");
                    assert_eq!(write_as_user(&at.join("d/new"), bytes), None, "{shown}");
                    let rest = Room::of(at).available;
                    assert!(rest < 16, "{rest} blocks more than requested are left: {shown}");
                });
            }
        }
    }
}

#[test]
fn free_percentages_apply_to_the_space_that_users_can_write() {
    for (profile, percent) in [(Profile::Default, 50), (Profile::Default, 98), (Profile::Rw, 90)] {
        let options = of(profile, BlockSize::B1024, Size::FreePercent(percent));
        mounted(&options, |_, room, summary| {
            let share = u64::from(percent);
            assert!(room.available * 100 >= summary.blocks * share, "{room:?} of {summary:?}");
        });
    }
}

/// Files as short as there are inodes for, eight to a directory, take all room before they take all
/// inodes.
#[test]
fn inodes_suffice_for_the_free_space() {
    for block_size in BlockSize::ALL {
        let options = of(Profile::Default, block_size, Size::Free { bytes: 16 * MIB });
        mounted(&options, |at, _, _| {
            let len = usize::try_from(Options::BYTES_PER_INODE).expect("16 KiB");
            let write = |number: usize| -> std::io::Result<()> {
                let directory = at.join(format!("{}", number / 8));
                if number.is_multiple_of(8) {
                    std::fs::create_dir(&directory)?;
                }
                std::fs::write(directory.join(number.to_string()), vec![b'x'; len])
            };
            let written = (0..).take_while(|number| write(*number).is_ok()).count();
            assert!(written > 16 * 1024 / 18, "{written} files of 16 KiB");
            let rest = Room::of(at);
            assert!(
                rest.free_inodes > 0 && rest.available * rest.block_size < Options::BYTES_PER_INODE,
                "{rest:?}"
            );
        });
    }
}
