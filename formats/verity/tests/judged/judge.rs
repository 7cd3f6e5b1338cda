//! Runs `veritysetup` on plain files, and reports it if it is missing.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use dm_verity::{Options, RootHash};
use tempfile::TempDir;

/// The UUID of every superblock.
pub(crate) const UUID: uuid::Uuid = uuid::uuid!("00112233-4455-6677-8899-aabbccddeeff");

/// A directory with the files that veritysetup reads and writes.
pub(crate) struct Veritysetup {
    directory: TempDir,
}

/// The output of veritysetup for some data.
pub(crate) struct Formatted {
    pub(crate) root_hash: RootHash,
    pub(crate) hash_area: Vec<u8>,
    pub(crate) fec_area: Vec<u8>,
}

/// The end of a run of veritysetup.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) succeeded: bool,
    pub(crate) output: String,
}

impl Veritysetup {
    /// Returns `None` after a visible skip if the program is not installed.
    pub(crate) fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let this = Self { directory };
        match this.command(&["--version"]).output() {
            Ok(_) => Some(this),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let required = env::var_os("ROOTCAST_REQUIRE_JUDGES").is_some_and(|value| value == "1");
                assert!(!required, "veritysetup is not installed");
                // Written to the descriptor, because the output of the macros is hidden when a test
                // passes.
                writeln!(io::stderr(), "SKIPPED: veritysetup is not installed").expect("it is open");
                None
            }
            Err(error) => panic!("veritysetup does not start: {error}"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("the temporary directory takes a file");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file is there")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let path = env::var("PATH").unwrap_or_default();
        let mut command = Command::new("veritysetup");
        command.args(arguments).current_dir(self.directory.path());
        command.env("LC_ALL", "C").env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().expect("veritysetup starts");
        let both = [output.stdout, output.stderr].concat();
        let output_text = String::from_utf8_lossy(&both).into_owned();
        Ended { succeeded: output.status.success(), output: output_text }
    }

    /// Runs `veritysetup format` on the data, with hash area and FEC area in files of their own.
    pub(crate) fn format(&self, options: &Options, data: &[u8]) -> Formatted {
        self.write("data", data);
        self.write("hash", b"");
        self.write("fec", b"");
        let mut arguments = self::arguments(options);
        arguments.splice(0..0, ["format", "data", "hash"].map(str::to_owned));
        if options.fec.is_some() {
            arguments.extend(["--fec-device", "fec"].map(str::to_owned));
        }
        let ended = self.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(ended.succeeded, "{arguments:?}: {}", ended.output);
        Formatted {
            root_hash: root_hash(&ended.output),
            hash_area: self.read("hash"),
            fec_area: self.read("fec"),
        }
    }

    /// Runs `veritysetup verify` on the files `data`, `hash` and, with `--fec-device`, `fec`.
    pub(crate) fn verify(&self, options: &Options, data_blocks: u64, root_hash: &RootHash) -> Ended {
        let root_hash = root_hash.to_string();
        let data_blocks = data_blocks.to_string();
        let described = arguments(options);
        let mut all = vec!["verify", "data", "hash", &root_hash];
        if options.superblock.is_none() {
            all.extend(described.iter().map(String::as_str));
            all.extend(["--data-blocks", &data_blocks]);
        }
        self.run(&all)
    }
}

/// The options in the words of veritysetup.
pub(crate) fn arguments(options: &Options) -> Vec<String> {
    let mut arguments: Vec<String> = [
        ("--format", options.hash_type.number().to_string()),
        ("--hash", options.algorithm.to_string()),
        ("--data-block-size", options.data_block_size.to_string()),
        ("--hash-block-size", options.hash_block_size.to_string()),
        ("--salt", options.salt.to_string()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect();
    match options.superblock {
        Some(uuid) => arguments.extend(["--uuid".to_owned(), uuid.to_string()]),
        None => arguments.push("--no-superblock".to_owned()),
    }
    if let Some(roots) = options.fec {
        arguments.extend(["--fec-roots".to_owned(), roots.get().to_string()]);
    }
    arguments
}

pub(crate) fn root_hash(output: &str) -> RootHash {
    let line = output.lines().find_map(|line| line.strip_prefix("Root hash:"));
    line.expect("the root hash is printed").trim().parse().expect("a root hash")
}
