//! `/etc/ld.so.conf`: the directories whose libraries `ldconfig` lists in `/etc/ld.so.cache`.

use std::io;

use image_tree::{Content, Directories};

use crate::closure::error::Result;
use crate::closure::files::Files;
use image_tree::glob::Glob;
use image_tree::path::{join, parent, without_trailing_slashes};

/// The path of the top-level file.
pub const PATH: &[u8] = b"/etc/ld.so.conf";

/// The maximum depth of nested includes. `ldconfig` has no limit and never terminates on a loop.
const MAX_DEPTH: usize = 16;
/// The maximum number of files and file patterns that are read.
const MAX_FILES: usize = 4096;
/// The maximum size of one file in bytes.
const MAX_BYTES: usize = 1 << 20;
/// The maximum number of directories.
const MAX_DIRECTORIES: usize = 4096;

/// The directories that are named, without duplicates, and the warnings about the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::closure) struct Conf {
    pub(in crate::closure) directories: Vec<Vec<u8>>,
    pub(in crate::closure) warnings: Vec<String>,
    /// The files that were read, by the paths under which they were found.
    pub(in crate::closure) files: Vec<Vec<u8>>,
}

/// Reads `/etc/ld.so.conf`, if it exists, and the files that it includes.
pub(in crate::closure) fn read<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
) -> io::Result<Conf> {
    let mut conf = Conf::default();
    let mut budget = MAX_FILES;
    read_file(files, PATH, 0, &mut budget, &mut conf)?;
    Ok(conf)
}

/// The configuration of the dynamic linker's cache in a tree, without duplicates and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// The configuration files, `/etc/ld.so.conf` first, by the paths under which they were found.
    pub files: Vec<Vec<u8>>,
    /// The directories named in them.
    pub directories: Vec<Vec<u8>>,
}

/// Reads the configuration of the dynamic linker's cache.
///
/// # Errors
/// Returns an error if a file of the tree cannot be read.
pub fn configured<T: Directories<Content: Content>>(tree: &T) -> Result<Configured> {
    let conf = read(&mut Files::new(tree))?;
    Ok(Configured { files: conf.files, directories: conf.directories })
}

/// One line that has a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line<'l> {
    Directory(&'l [u8]),
    /// The patterns of an `include`.
    Include(Vec<&'l [u8]>),
}

fn read_file<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    path: &[u8],
    depth: usize,
    budget: &mut usize,
    conf: &mut Conf,
) -> io::Result<()> {
    let shown = path.escape_ascii();
    let Ok(found) = files.trace(path) else { return Ok(()) };
    if depth > MAX_DEPTH {
        let warning = format!("{shown}: skipped, since it is included {depth} files deep; is it a loop?");
        if !conf.warnings.contains(&warning) {
            conf.warnings.push(warning);
        }
        return Ok(());
    }
    if !conf.files.iter().any(|known| known == path) {
        conf.files.push(path.to_vec());
    }
    let mut text = files.head(found.id, MAX_BYTES + 1)?;
    if text.len() > MAX_BYTES {
        conf.warnings.push(format!("{shown}: only its first {MAX_BYTES} bytes are read"));
        text.truncate(MAX_BYTES);
    }
    for line in text.split(|byte| *byte == b'\n') {
        match parse(line) {
            None => {}
            Some(Line::Directory(directory)) if !directory.starts_with(b"/") => {
                conf.warnings.push(format!("{shown}: {} is not an absolute path", directory.escape_ascii()));
            }
            Some(Line::Directory(directory)) => {
                if conf.directories.len() >= MAX_DIRECTORIES {
                    conf.warnings
                        .push(format!("{shown}: only the first {MAX_DIRECTORIES} directories are searched"));
                    return Ok(());
                }
                let directory = without_trailing_slashes(directory);
                if !conf.directories.iter().any(|known| known == directory) {
                    conf.directories.push(directory.to_vec());
                }
            }
            Some(Line::Include(patterns)) => {
                for pattern in patterns {
                    let pattern = if pattern.starts_with(b"/") {
                        pattern.to_vec()
                    } else {
                        join(parent(path), pattern)
                    };
                    *budget = budget.saturating_sub(1);
                    for included in expand(files, &pattern) {
                        if *budget == 0 {
                            too_many(conf);
                            return Ok(());
                        }
                        *budget -= 1;
                        read_file(files, &included, depth + 1, budget, conf)?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn too_many(conf: &mut Conf) {
    let warning = format!("ld.so.conf includes more than {MAX_FILES} files; the others are skipped");
    if !conf.warnings.contains(&warning) {
        conf.warnings.push(warning);
    }
}

/// Parses a line. `hwcap` lines have been ignored since glibc 2.37.
fn parse(line: &[u8]) -> Option<Line<'_>> {
    let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
    let is_keyword = |keyword: &[u8]| {
        line.strip_prefix(keyword).filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
    };
    if line.is_empty() || is_keyword(b"hwcap").is_some() {
        return None;
    }
    if let Some(patterns) = is_keyword(b"include") {
        let patterns = patterns.split(u8::is_ascii_whitespace).filter(|pattern| !pattern.is_empty());
        return Some(Line::Include(patterns.collect()));
    }
    // `DIRECTORY=libc5` once stated the type of the libraries there.
    let directory = line.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii_end();
    (!directory.is_empty()).then_some(Line::Directory(directory))
}

/// Returns the paths that a pattern matches, in byte order, as `glob(3)` finds them: by component,
/// so that links on the path are followed, and hidden files only where the pattern has an explicit
/// dot.
fn expand<T: Directories<Content: Content>>(files: &mut Files<'_, T>, pattern: &[u8]) -> Vec<Vec<u8>> {
    if !Glob::is_pattern(pattern) {
        return vec![pattern.to_vec()];
    }
    let mut paths: Vec<Vec<u8>> = vec![b"/".to_vec()];
    for component in pattern.split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
        if !Glob::is_pattern(component) {
            paths = paths.iter().map(|path| join(path, component)).collect();
            continue;
        }
        // In glob(3) two asterisks are the same as one.
        let single: Vec<u8> =
            if component.iter().all(|b| *b == b'*') { b"*".into() } else { component.into() };
        // A malformed pattern does not match anything in glob(3) either.
        let Ok(glob) = Glob::parse(&single) else { return Vec::new() };
        let mut matching = Vec::new();
        for path in &paths {
            let Some(directory) = files.directory(path) else { continue };
            for name in files.tree.entries(directory.id).into_iter().flat_map(|entries| entries.keys()) {
                let hidden = name.as_bytes().starts_with(b".") && !component.starts_with(b".");
                if !hidden && glob.matches(name.as_bytes()) {
                    matching.push(join(path, name.as_bytes()));
                }
            }
            files.steps += files.tree.entries(directory.id).map_or(0, |entries| entries.len() as u64);
            if matching.len() > MAX_FILES || files.exhausted() {
                break;
            }
        }
        paths = matching;
    }
    paths.truncate(MAX_FILES + 1);
    paths
}

#[cfg(test)]
mod tests {
    use image_tree::Tree;

    use super::*;
    use crate::closure::testing;

    fn conf(tree: &Tree<Vec<u8>>) -> Conf {
        read(&mut Files::new(tree)).expect("memory is readable")
    }

    #[test]
    fn lines_are_parsed_as_by_ldconfig() {
        let directory = |line| match parse(line) {
            Some(Line::Directory(directory)) => Some(directory),
            _ => None,
        };
        assert_eq!(directory(b"  /opt/lib # the rest"), Some(&b"/opt/lib"[..]));
        assert_eq!(directory(b"/opt/with space/lib\t"), Some(&b"/opt/with space/lib"[..]));
        assert_eq!(directory(b"/opt/lib=libc6"), Some(&b"/opt/lib"[..]));
        assert_eq!(directory(b"includes/lib"), Some(&b"includes/lib"[..]));
        assert_eq!(parse(b"hwcap 1 nosegneg"), None);
        assert_eq!(parse(b" # include /x"), None);
        assert_eq!(parse(b"include a/*.conf\t/b"), Some(Line::Include(vec![b"a/*.conf", b"/b"])));
        assert_eq!(without_trailing_slashes(b"//"), b"/");
        assert_eq!(without_trailing_slashes(b"/a//"), b"/a");
    }

    #[test]
    fn included_files_are_read_in_order_and_through_links() {
        let tree = testing::tree(&[
            ("/etc/ld.so.conf", "/first/\ninclude ld.so.conf.d/*.conf\n/last\n/first\nrelative\n"),
            ("/etc/ld.so.conf.d", "-> ../usr/share/conf"),
            ("/usr/share/conf/b.conf", "/b"),
            ("/usr/share/conf/a.conf", "/a"),
            ("/usr/share/conf/.hidden.conf", "/hidden"),
            ("/usr/share/conf/c.other", "/other"),
        ]);
        let conf = conf(&tree);
        let directories: Vec<_> =
            conf.directories.iter().map(|path| path.escape_ascii().to_string()).collect();
        assert_eq!(directories, ["/first", "/a", "/b", "/last"]);
        assert_eq!(conf.warnings, ["/etc/ld.so.conf: relative is not an absolute path"]);
    }

    #[test]
    fn include_loops_are_limited() {
        let tree = testing::tree(&[("/etc/ld.so.conf", "/a\ninclude /etc/ld.so.conf\ninclude *.conf")]);
        let conf = conf(&tree);
        assert_eq!(conf.directories, [b"/a"]);
        assert_eq!(
            conf.warnings,
            [
                "/etc/ld.so.conf: skipped, since it is included 17 files deep; is it a loop?",
                "ld.so.conf includes more than 4096 files; the others are skipped",
            ]
        );
    }

    #[test]
    fn a_missing_file_is_an_empty_configuration() {
        assert_eq!(conf(&testing::tree(&[("/etc/passwd", "")])), Conf::default());
    }
}
