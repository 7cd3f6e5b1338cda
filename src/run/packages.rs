//! The selection of packages for a run: its client, its clock and its architecture.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::architecture::Architecture;
use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::{FetchOptions, Fetcher};
use crate::log::Log;
use crate::source::package::deb::apt_config;
use crate::source::package::deb::architecture;
use crate::source::package::deb::archive::Context;
use crate::source::package::deb::options::PackageOptions;
use crate::source::package::deb::select::{self, Selected};
use crate::source::package::deb::spec::Spec;
use crate::threads::Threads;
use crate::watch::Watch;

/// The means of a run.
#[derive(Clone, Copy)]
pub(super) struct Means<'r> {
    pub(super) cache: Option<&'r Cache>,
    pub(super) threads: &'r Threads,
    pub(super) watch: &'r Watch,
    pub(super) log: &'r Log,
}

/// Returns a client with the settings that the user has made for all programs and for apt.
///
/// # Errors
/// If these settings cannot be read.
pub(super) fn client<'r>(options: &PackageOptions, means: &Means<'r>) -> Result<Fetcher<'r>> {
    let mut settings = FetchOptions::from_environment(&|name| env::var_os(name))?;
    settings.offline = options.offline;
    let mut proxies = apt_config::proxies_of_host()?;
    proxies.append(&mut settings.proxies);
    settings.proxies = proxies;
    Fetcher::new(settings, means.cache)
}

/// Selects packages, logs the messages about them, and calls `then` with the means to fetch them.
///
/// # Errors
/// Those of [`select::select`] and of `then`.
pub(super) fn select<T>(
    spec: &Spec,
    options: &PackageOptions,
    arch: Option<Architecture>,
    means: &Means<'_>,
    then: impl FnOnce(Selected, &Context<'_>) -> Result<T>,
) -> Result<T> {
    let fetcher = client(options, means)?;
    let Means { cache, threads, watch, log } = *means;
    let context = Context { fetcher: &fetcher, cache, threads, watch, now: now() };
    let machine = match arch {
        Some(arch) => arch,
        None => {
            let machine = machine()?;
            log.info(format_args!(
                "packages are for {}, as this machine; --arch names another",
                architecture::name(machine)
            ));
            machine
        }
    };
    let selected = select::select(spec, options, architecture::name(machine), &context)?;
    for note in &selected.notes {
        log.info(format_args!("{spec}: {note}"));
    }
    then(selected, &context)
}

/// Returns the architecture of this machine.
fn machine() -> Result<Architecture> {
    env::consts::ARCH.parse().map_err(|_| {
        Error::new(
            ErrorKind::Usage,
            "the architecture of this machine is not known; --arch names that of the packages",
        )
    })
}

/// Returns the time in seconds since 1970, by which only signed metadata is judged.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
