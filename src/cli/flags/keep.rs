//! Flags of the part of a tree that is kept.

mod modules;
mod systemd;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;

use self::modules::ModuleArguments;
use self::systemd::SystemdArguments;
use super::values;
use crate::cli::help::group;
use crate::closure::config::dlopen::{Policy, Priority, Rule};
use crate::closure::config::unit::Follow;
use crate::closure::missing::MissingPattern;
use crate::closure::requests::{Charsets, Keep, NamePattern};
use crate::closure::{Hwcaps, Known, LibraryPath, Request};
use crate::recipe::keep::{KeepRecipe, MissingPolicy, MissingRules};
use crate::recipe::modules::ModulesRecipe;
use crate::transform::accounts::Accounts;
use image_tree::glob::Glob;
use image_tree::glob::NameGlob;

/// The requests. A tree of which nothing is requested stays whole.
#[derive(Debug, Args)]
struct Requested {
    /// Keep this path, or matches, with their dependencies
    ///
    /// Everything that no --keep requests is left out. A directory is kept with its whole content.
    #[arg(long, value_name = "PATH|GLOB", value_parser = request(), help_heading = group::KEEP)]
    keep: Vec<Request>,

    /// Keep this path, or matches, with their dependencies, if there are any
    #[arg(long, value_name = "PATH|GLOB", value_parser = request(), help_heading = group::KEEP)]
    keep_optional: Vec<Request>,

    /// Keep the first of these paths that is in the tree, with its dependencies
    ///
    /// Commas separate them, as in /usr/sbin/rsyslogd,/usr/sbin/syslogd. If the tree has none of
    /// them, the first one is missing.
    #[arg(long, value_name = "PATH,…", value_parser = first(), help_heading = group::KEEP)]
    keep_first: Vec<Request>,

    /// Keep this systemd unit and the units that it pulls in
    ///
    /// These are its files and programs, units by --follow-units, and systemd by --systemd.
    #[arg(long, value_name = "UNIT|GLOB", value_parser = unit(), help_heading = group::KEEP)]
    keep_unit: Vec<NamePattern>,

    /// Keep this udev rules file and the programs that it runs
    ///
    /// It is given by its name, a pattern of names, or its path.
    #[arg(long, value_name = "NAME|PATH", value_parser = rules(), help_heading = group::KEEP)]
    keep_rule: Vec<NamePattern>,

    /// Keep the files of these installed packages, and what they need
    ///
    /// The tree's own database lists them: that of dpkg, apk or rpm (rpmdb.sqlite). A name is
    /// NAME, NAME:ARCH or a pattern. Directories are kept without other files in them. The
    /// packages on which they depend are kept by --depends.
    #[arg(
        long, value_name = "NAME,…", value_parser = package(), value_delimiter = ',', help_heading = group::KEEP
    )]
    keep_package: Vec<NamePattern>,

    /// Keep these kernel modules, the modules that they need, and firmware
    ///
    /// They are names, aliases of devices, or patterns of names. Soft dependencies are kept if they
    /// exist, and what is built into the kernel needs no file.
    #[arg(
        long, value_name = "NAME|ALIAS|GLOB,…", value_parser = modules::pattern(), value_delimiter = ',',
        help_heading = group::KEEP
    )]
    keep_module: Vec<NamePattern>,

    /// Keep these kernel modules as --keep-module does, if there are any
    #[arg(
        long, value_name = "NAME|ALIAS|GLOB,…", value_parser = modules::pattern(), value_delimiter = ',',
        help_heading = group::KEEP
    )]
    keep_module_optional: Vec<NamePattern>,
}

/// The part of the tree that is kept, and the cache of the dynamic linker.
#[derive(Debug, Args)]
pub(in crate::cli) struct KeepArguments {
    #[command(flatten)]
    requested: Requested,

    /// Keep also all packages on which those of --keep-package depend
    ///
    /// Recommended packages, and those that only the scripts of rpm's packages need, are not
    /// among them.
    #[arg(long, requires = "keep_package", help_heading = group::KEEP)]
    depends: bool,

    /// Follow these relations from a kept unit to others [default: all]
    #[arg(
        long, value_name = "WHICH", value_parser = follow(), requires = "keep_unit", help_heading = group::KEEP
    )]
    follow_units: Option<Follow>,

    #[command(flatten)]
    systemd: SystemdArguments,

    #[command(flatten)]
    modules: ModuleArguments,

    /// Treat missing files as an error (the default), warn, or warn=GLOB
    ///
    /// These are files that something kept needs and the tree lacks. With warn=GLOB what matches is
    /// a warning, and the rest an error. A GLOB of paths begins with /, others are of names without
    /// a directory; it matches what is missing, or a file that needs it. What only parts of a kept
    /// directory need is always a warning, with counts.
    #[arg(
        long, value_name = "error|warn|warn=GLOB", value_parser = missing(), requires = "Requested",
        help_heading = group::KEEP
    )]
    missing: Vec<MissingChoice>,

    /// Keep these glibc-hwcaps variants of libraries [default: all]
    ///
    /// They are all, none, or names such as x86-64-v3.
    #[arg(long, value_name = "all|none|NAME,…", requires = "Requested", help_heading = group::KEEP)]
    hwcaps: Option<Hwcaps>,

    /// Directories in LD_LIBRARY_PATH of a program: PROGRAM=DIR:…
    ///
    /// A script or a service manager sets it when it starts the program, a path or pattern of the
    /// tree. Units that set it with Environment= need no flag.
    #[arg(
        long, value_name = "PROGRAM=DIR:…", value_parser = library_path(), requires = "Requested",
        help_heading = group::KEEP
    )]
    library_path: Vec<LibraryPath>,

    /// Keep libraries that programs declare to open, of at least this priority
    ///
    /// The declarations are ELF notes (.note.dlopen). The default is recommended.
    #[arg(
        long, value_name = "PRIORITY", value_parser = priority(), requires = "Requested", help_heading = group::KEEP
    )]
    dlopen: Option<LeastPriority>,

    /// Keep libraries opened for this feature of these objects
    ///
    /// Their priority does not matter. Both parts are patterns.
    #[arg(
        long, value_name = "OBJECT:FEATURE", value_parser = rule(), requires = "Requested", help_heading = group::KEEP
    )]
    dlopen_allow: Vec<Rule>,

    /// Do not keep libraries opened for this feature of these objects
    #[arg(
        long, value_name = "OBJECT:FEATURE", value_parser = rule(), requires = "Requested", help_heading = group::KEEP
    )]
    dlopen_deny: Vec<Rule>,

    /// Keep files that programs are known to start or open [default: all]
    ///
    /// The names of the table are in the documentation of closures: such as sshd, python and pam.
    #[arg(long, value_name = "all|none|NAME,…", requires = "Requested", help_heading = group::KEEP)]
    known: Option<Known>,

    /// Keep the name services of /etc/nsswitch.conf if glibc is kept [default: yes]
    #[arg(
        long, value_name = "yes|no", value_parser = yes_or_no(), requires = "Requested", help_heading = group::KEEP,
        hide_possible_values = true
    )]
    nss: Option<bool>,

    /// Keep this PAM service, its modules and the programs that they run
    #[arg(long, value_name = "SERVICE", requires = "Requested", help_heading = group::KEEP)]
    pam: Vec<OsString>,

    /// Keep glibc's gconv modules: all, or those for these character sets
    #[arg(long, value_name = "all|CHARSET,…", requires = "Requested", help_heading = group::KEEP)]
    gconv: Option<String>,

    /// Keep the providers and engines of OpenSSL
    #[arg(long, requires = "Requested", help_heading = group::KEEP)]
    openssl: bool,

    /// Keep these accounts in /etc/passwd, group, shadow and so on [default: used]
    ///
    /// Used are root and nobody, owners of kept files, accounts that kept units, udev rules,
    /// tmpfiles.d, sysusers.d and other configuration name, those that some programs look up, and
    /// regular users (1000 to 60000) if users can log in: if a service of PAM or a program such
    /// as sshd is kept. Names are added to these.
    #[arg(
        long, value_name = "all|used|NAME,…", value_parser = accounts(), requires = "Requested",
        help_heading = group::KEEP
    )]
    accounts: Option<Accounts>,

    /// Write a new /etc/ld.so.cache
    ///
    /// It is written also for a tree that is not reduced or has none. For a reduced tree it is
    /// written automatically if the tree has one, or if libraries are in directories that only
    /// /etc/ld.so.conf names.
    #[arg(long, help_heading = group::KEEP)]
    ld_cache: bool,
}

/// The parts of a recipe that the flags state.
pub(in crate::cli) struct Kept {
    /// True if a cache of the dynamic linker is requested.
    pub(in crate::cli) ld_cache: bool,
    /// The part of the tree that is kept; without one, everything is.
    pub(in crate::cli) keep: Option<KeepRecipe>,
    /// The changes to kernel modules.
    pub(in crate::cli) modules: ModulesRecipe,
}

/// The lowest priority that is kept; `None` keeps no library.
type LeastPriority = Option<Priority>;

fn follow() -> impl TypedValueParser<Value = Follow> {
    values::one_of([
        ("none", "None", Follow::None),
        ("dependencies", "Those it wants and requires", Follow::Dependencies),
        ("all", "Also those it triggers, and those for its failure or success", Follow::All),
    ])
}

/// One value of `--missing`.
#[derive(Clone, Debug)]
enum MissingChoice {
    Policy(MissingPolicy),
    Tolerated(MissingPattern),
}

fn missing() -> impl TypedValueParser<Value = MissingChoice> {
    OsStringValueParser::new().try_map(|text| match text.as_bytes() {
        b"error" => Ok(MissingChoice::Policy(MissingPolicy::Error)),
        b"warn" => Ok(MissingChoice::Policy(MissingPolicy::Warn)),
        [b'w', b'a', b'r', b'n', b'=', pattern @ ..] => {
            MissingPattern::parse(pattern).map(MissingChoice::Tolerated)
        }
        other => Err(format!("\"{}\" is not error, warn or warn=GLOB", other.escape_ascii())),
    })
}

/// Returns the handling of missing files.
///
/// # Errors
/// Returns an error for values that contradict each other.
fn missing_rules(choices: Vec<MissingChoice>) -> Result<MissingRules, clap::Error> {
    let mut rules = MissingRules::default();
    let mut policies = Vec::new();
    for choice in choices {
        match choice {
            MissingChoice::Policy(policy) => policies.push(policy),
            MissingChoice::Tolerated(pattern) => rules.tolerated.push(pattern),
        }
    }
    if policies.windows(2).any(|pair| pair[0] != pair[1]) {
        let message = "--missing error and --missing warn contradict each other: leave out one of them\n";
        return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
    }
    rules.policy = policies.first().copied().unwrap_or_default();
    Ok(rules)
}

fn priority() -> impl TypedValueParser<Value = LeastPriority> {
    values::one_of([
        ("required", "Those without which the program is useless", Some(Priority::Required)),
        ("recommended", "Also those that should be there", Some(Priority::Recommended)),
        ("suggested", "All", Some(Priority::Suggested)),
        ("none", "None", None),
    ])
}

fn yes_or_no() -> impl TypedValueParser<Value = bool> {
    values::one_of([("yes", "", true), ("no", "", false)])
}

impl KeepArguments {
    /// Returns the parts of a recipe.
    pub(in crate::cli) fn recipe(self) -> Result<Kept, clap::Error> {
        let Requested {
            keep,
            keep_optional,
            keep_first,
            keep_unit: units,
            keep_rule: rules,
            keep_package: packages,
            keep_module,
            keep_module_optional,
        } = self.requested;
        let (modules, changes) = self.modules.of(keep_module, keep_module_optional);
        let optional = keep_optional.into_iter().map(|request| Request::Optional(Box::new(request)));
        let requests: Vec<Request> = keep.into_iter().chain(keep_first).chain(optional).collect();
        let are_empty = [units.is_empty(), rules.is_empty(), packages.is_empty(), modules.is_empty()];
        if requests.is_empty() && are_empty.iter().all(|is_empty| *is_empty) {
            return Ok(Kept { ld_cache: self.ld_cache, keep: None, modules: changes });
        }
        let least = self.dlopen.unwrap_or(Some(Priority::Recommended));
        if least.is_none() && !self.dlopen_allow.is_empty() {
            let message =
                "--dlopen none takes no library, so --dlopen-allow cannot; give --dlopen required\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
        }
        let (allow, deny) = (self.dlopen_allow, self.dlopen_deny);
        let keep = Keep {
            requests,
            units,
            follow: self.follow_units.unwrap_or(Follow::All),
            systemd: self.systemd.systemd.unwrap_or(true),
            generators: self.systemd.systemd_generators.unwrap_or_default(),
            default_target: self.systemd.default_target.unwrap_or_default(),
            rules,
            packages,
            depends: self.depends,
            owners: false,
            modules,
            pam: self.pam.into_iter().map(OsString::into_vec).collect(),
            gconv: self.gconv.as_deref().map(charsets),
            openssl: self.openssl,
            nss: self.nss.unwrap_or(true),
            known: self.known.unwrap_or_default(),
            hwcaps: self.hwcaps.unwrap_or_default(),
            dlopen: least.map(|least| Policy { least, allow, deny }),
            library_paths: self.library_path,
        };
        let missing = missing_rules(self.missing)?;
        let accounts = self.accounts.unwrap_or_default();
        let keep = Some(KeepRecipe { keep, missing, accounts });
        Ok(Kept { ld_cache: self.ld_cache, keep, modules: changes })
    }
}

fn charsets(text: &str) -> Charsets {
    match text {
        "all" => Charsets::All,
        names => Charsets::Only(names.split(',').map(|name| name.as_bytes().to_vec()).collect()),
    }
}

fn request() -> impl TypedValueParser<Value = Request> {
    OsStringValueParser::new().try_map(|text| match text.as_bytes() {
        b"" => Err("a path is needed, and / is the whole tree".to_owned()),
        text => Request::parse(text),
    })
}

fn first() -> impl TypedValueParser<Value = Request> {
    OsStringValueParser::new().try_map(|text| {
        let paths: Vec<Vec<u8>> = text.as_bytes().split(|byte| *byte == b',').map(<[u8]>::to_vec).collect();
        match paths.iter().all(|path| !path.is_empty()) {
            true => Ok(Request::First(paths)),
            false => Err("paths are needed, with one comma between two of them"),
        }
    })
}

fn unit() -> impl TypedValueParser<Value = NamePattern> {
    OsStringValueParser::new().try_map(|text| pattern(text.as_bytes()))
}

fn rules() -> impl TypedValueParser<Value = NamePattern> {
    OsStringValueParser::new().try_map(|text| match text.as_bytes() {
        path @ [b'/', ..] => Ok(NamePattern { text: path.to_vec(), glob: None }),
        name => pattern(name),
    })
}

fn package() -> impl TypedValueParser<Value = NamePattern> {
    OsStringValueParser::new().try_map(|text| pattern(text.as_bytes()))
}

fn accounts() -> impl TypedValueParser<Value = Accounts> {
    OsStringValueParser::new().try_map(|text| Accounts::parse(text.as_bytes()))
}

fn library_path() -> impl TypedValueParser<Value = LibraryPath> {
    OsStringValueParser::new().try_map(|text| LibraryPath::parse(text.as_bytes()))
}

fn rule() -> impl TypedValueParser<Value = Rule> {
    OsStringValueParser::new().try_map(|text| Rule::parse(text.as_bytes()))
}

/// A backslash is part of a unit's name unless the name is a pattern.
fn pattern(text: &[u8]) -> Result<NamePattern, String> {
    let glob = match text.is_empty() || text.contains(&b'/') || Glob::is_pattern(text) {
        true => Some(NameGlob::parse(text)?),
        false => None,
    };
    Ok(NamePattern { text: text.to_vec(), glob })
}
