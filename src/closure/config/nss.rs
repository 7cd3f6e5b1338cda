//! The libraries that the C library opens by itself: name services, and the stack unwinder.

use crate::closure::Kind;
use crate::closure::dependency::{Dependencies, Target};

/// Services that have been built into glibc since 2.34. Before, each was a library.
const BUILT_IN: [&[u8]; 2] = [b"files", b"dns"];

/// Returns the libraries of the services that an `/etc/nsswitch.conf` names, in order.
///
/// A service whose library is missing is skipped at run time, so none is mandatory. glibc before
/// 2.34 needs the libraries of `files` and `dns` too; they are included, and do not exist in later
/// versions.
#[must_use]
pub fn dependencies(nsswitch_conf: &[u8]) -> Dependencies {
    let mut dependencies = Dependencies::default();
    let mut seen: Vec<&[u8]> = Vec::new();
    let services = nsswitch_conf.split(|byte| *byte == b'\n').flat_map(services_of_line);
    for service in services {
        if seen.contains(&service) {
            continue;
        }
        if seen.len() == MAX_SERVICES {
            let message =
                format!("/etc/nsswitch.conf names more than {MAX_SERVICES} services; the rest are skipped");
            dependencies.unknown.push(message);
            break;
        }
        seen.push(service);
        let library = [b"libnss_", service, b".so.2"].concat();
        let reason = match BUILT_IN.contains(&service) {
            true => "is a name service of /etc/nsswitch.conf, and a library of its own before glibc 2.34",
            false => "is a name service of /etc/nsswitch.conf",
        };
        dependencies.add(Target::Library(vec![library]), Kind::Dlopen, false, reason.to_owned());
    }
    dependencies
}

/// The maximum number of different services that a file may name.
const MAX_SERVICES: usize = 64;

/// Returns true if a word is a valid service name, and so can be part of a library name.
fn is_service(word: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=200).contains(&word.len()) && word.iter().all(is_part)
}

/// Parses `database: service [STATUS=action] service # ...`.
fn services_of_line(line: &[u8]) -> Vec<&[u8]> {
    let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Vec::new() };
    let mut services = Vec::new();
    for (index, part) in line[colon + 1..].split(|byte| matches!(byte, b'[' | b']')).enumerate() {
        // Text between brackets is an action.
        if index % 2 == 0 {
            let words = part.split(u8::is_ascii_whitespace);
            services.extend(words.filter(|word| is_service(word)));
        }
    }
    services
}

/// Returns the library that glibc opens to cancel a thread or to unwind a stack, if one of
/// `loaded`, the names of the libraries that are kept, belongs to glibc.
#[must_use]
pub fn libgcc<'a>(loaded: impl IntoIterator<Item = &'a [u8]>) -> Dependencies {
    let mut dependencies = Dependencies::default();
    // A libc.so without a version belongs to musl, which does not open any library.
    if loaded.into_iter().any(|name| matches!(name, b"libc.so.6" | b"libc.so.6.1" | b"libpthread.so.0")) {
        let reason = "is what glibc opens to cancel a thread and to print a stack".to_owned();
        dependencies.add(Target::Library(vec![b"libgcc_s.so.1".to_vec()]), Kind::Dlopen, false, reason);
    }
    dependencies
}

/// Returns the modules that OpenSSL opens when its configuration or a program requests it:
/// providers, and engines before version 4, in each of the library directories. They are large, and
/// most programs do not need them.
#[must_use]
pub fn openssl(library_directories: &[Vec<u8>]) -> Dependencies {
    const DIRECTORIES: [(&[u8], &str); 3] = [
        (b"ossl-modules", "is a provider of OpenSSL"),
        (b"engines-3", "is an engine of OpenSSL"),
        (b"engines-1.1", "is an engine of OpenSSL"),
    ];
    let mut dependencies = Dependencies::default();
    for directory in library_directories {
        for (name, reason) in DIRECTORIES {
            let directory = [directory, &b"/"[..], name].concat();
            let target = Target::FilesIn { directory, suffix: b".so".to_vec() };
            dependencies.add(target, Kind::Dlopen, false, reason.to_owned());
        }
    }
    dependencies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn libraries(dependencies: &Dependencies) -> Vec<String> {
        let name = |dependency: &crate::closure::dependency::Dependency| match &dependency.target {
            Target::Library(names) => names[0].escape_ascii().to_string(),
            other => panic!("{other:?}"),
        };
        dependencies.known.iter().map(name).collect()
    }

    #[test]
    fn services_are_mapped_to_libraries() {
        let conf = b"# comment\npasswd:         files systemd\nhosts: files mymachines resolve [!UNAVAIL=return] dns\n\
            shadow: files # compat\nbroken line\nnetgroup: nis [NOTFOUND=return SUCCESS=x]db ../x\n";
        let names = libraries(&dependencies(conf));
        let expected = ["files", "systemd", "mymachines", "resolve", "dns", "nis", "db", "..x"];
        assert_eq!(names, expected[..7].iter().map(|name| format!("libnss_{name}.so.2")).collect::<Vec<_>>());
    }

    #[test]
    fn the_number_of_services_is_limited() {
        let many: Vec<u8> = (0..100_000).flat_map(|n| format!("a: s{n}\n").into_bytes()).collect();
        let dependencies = dependencies(&many);
        assert_eq!((dependencies.known.len(), dependencies.unknown.len()), (MAX_SERVICES, 1));
    }

    #[test]
    fn only_glibc_loads_libgcc() {
        assert_eq!(libraries(&libgcc([&b"libm.so.6"[..], b"libc.so.6"])), ["libgcc_s.so.1"]);
        assert_eq!(libgcc([&b"libc.musl-x86_64.so.1"[..], b"libc.so"]), Dependencies::default());
    }
}
