//! The files of an entry in a tree.

use image_tree::glob::{Glob, NameGlob};
use image_tree::path::{base_name, join, parent};
use image_tree::resolve::resolve_in_root;
use image_tree::{Directories, InodeId};

use crate::closure::dependency::Target;

/// The directories of libraries if no dynamic linker is known that has a list of them.
const LIBRARY_DIRECTORIES: [&[u8]; 3] = [b"/lib", b"/usr/lib", b"/usr/local/lib"];

/// The values of placeholders.
pub(super) struct Place<'a> {
    /// `{prefix}`: the parent of the directory of the program or library.
    pub(super) prefix: &'a [u8],
    /// `{V}`: the version in its name; empty if there is none. `{v}` is the same without dots.
    pub(super) version: &'a [u8],
    /// `{lib}`: any of the directories of libraries; empty if they are not known.
    pub(super) library_directories: &'a [Vec<u8>],
}

/// A component of a path.
enum Component {
    Name(Vec<u8>),
    Pattern(NameGlob),
    /// `**` at the end: a directory with its whole content.
    Whole,
}

/// The directory that a path starts from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Root,
    Prefix,
    Library,
}

fn start(text: &str) -> Option<(Start, &str)> {
    let starts = [("{lib}/", Start::Library), ("{prefix}/", Start::Prefix), ("/", Start::Root)];
    starts.iter().find_map(|(prefix, start)| Some((*start, text.strip_prefix(prefix)?)))
}

/// Returns an error if a text is not the path of files: absolute or after `{lib}` or `{prefix}`, with
/// patterns for names, `{V}` and `{v}`, and `**` only at the end.
pub(super) fn check(text: &str) -> Result<(), String> {
    let Some((_, rest)) = start(text) else {
        return Err("it does not start with /, {lib}/ or {prefix}/".to_owned());
    };
    let rest = rest.replace("{V}", "1").replace("{v}", "1");
    if rest.contains(['{', '}']) {
        return Err("the placeholders are {V}, {v}, and at the start {lib} and {prefix}".to_owned());
    }
    let names: Vec<&str> = rest.split('/').collect();
    for (index, name) in names.iter().enumerate() {
        match *name {
            "" | "." | ".." => return Err("it has an empty name, . or ..".to_owned()),
            "**" if index + 1 < names.len() => return Err("** is only possible at the end".to_owned()),
            "**" => {}
            name if Glob::is_pattern(name.as_bytes()) => _ = NameGlob::parse(name.as_bytes())?,
            _ => {}
        }
    }
    Ok(())
}

/// Returns the components of a path, `None` if it needs a version and there is none.
fn components(text: &str, place: &Place<'_>) -> Option<Vec<Component>> {
    // A version consists of digits and dots, which are not special in patterns.
    let version = str::from_utf8(place.version).ok()?;
    if version.is_empty() && (text.contains("{V}") || text.contains("{v}")) {
        return None;
    }
    let text = text.replace("{V}", version).replace("{v}", &version.replace('.', ""));
    let names = text.split('/').filter(|name| !name.is_empty());
    let component = |name: &str| match name {
        "**" => Some(Component::Whole),
        name if Glob::is_pattern(name.as_bytes()) => {
            NameGlob::parse(name.as_bytes()).ok().map(Component::Pattern)
        }
        name => Some(Component::Name(name.as_bytes().to_vec())),
    };
    names.map(component).collect()
}

/// Returns the directories that a path starts from, each once, and its components.
fn parse<T: Directories>(tree: &T, text: &str, place: &Place<'_>) -> Option<(Vec<Vec<u8>>, Vec<Component>)> {
    let (start, rest) = start(text)?;
    let components = components(rest, place)?;
    let starts = match start {
        Start::Root => vec![b"/".to_vec()],
        Start::Prefix => vec![place.prefix.to_vec()],
        Start::Library => {
            let known = place.library_directories;
            let usual = LIBRARY_DIRECTORIES.iter().map(|path| path.to_vec());
            let all = if known.is_empty() { usual.collect() } else { known.to_vec() };
            // `/lib` and `/usr/lib` are often the same directory.
            let mut seen: Vec<InodeId> = Vec::new();
            let is_new = |path: &Vec<u8>| match resolve_in_root(tree, path) {
                Some(id) if !seen.contains(&id) => {
                    seen.push(id);
                    true
                }
                _ => false,
            };
            all.into_iter().filter(is_new).collect()
        }
    };
    Some((starts, components))
}

/// Returns the existing files of a path, in the order of the directories and names.
pub(super) fn find<T: Directories>(tree: &T, text: &str, place: &Place<'_>) -> Vec<Target> {
    let Some((mut paths, components)) = parse(tree, text, place) else { return Vec::new() };
    for component in &components {
        paths = match component {
            Component::Name(name) => paths.iter().map(|path| join(path, name)).collect(),
            Component::Pattern(pattern) => {
                paths.iter().flat_map(|path| matching(tree, path, pattern)).collect()
            }
            Component::Whole => {
                let is_directory =
                    |path: &Vec<u8>| resolve_in_root(tree, path).is_some_and(|id| tree.is_directory(id));
                return paths.into_iter().filter(is_directory).map(Target::Directory).collect();
            }
        };
    }
    paths.into_iter().filter_map(|path| existing(tree, path)).collect()
}

/// Returns the candidates of paths without patterns, whether or not they exist.
pub(super) fn candidates<T: Directories>(tree: &T, texts: &[String], place: &Place<'_>) -> Vec<Vec<u8>> {
    let mut candidates = Vec::new();
    for text in texts {
        let Some((starts, components)) = parse(tree, text, place) else { continue };
        let names = components.iter().map(|component| match component {
            Component::Name(name) => Some(&name[..]),
            Component::Pattern(_) | Component::Whole => None,
        });
        let Some(names) = names.collect::<Option<Vec<&[u8]>>>() else { continue };
        let paths = starts.iter().map(|start| join(start, &names.join(&b'/')));
        let new: Vec<Vec<u8>> = paths.filter(|path| !candidates.contains(path)).collect();
        candidates.extend(new);
    }
    candidates
}

fn matching<T: Directories>(tree: &T, directory: &[u8], pattern: &NameGlob) -> Vec<Vec<u8>> {
    let entries = resolve_in_root(tree, directory).and_then(|id| tree.entries(id));
    let names = entries.into_iter().flatten().map(|(name, _)| name.as_bytes());
    names.filter(|name| pattern.matches(name)).map(|name| join(directory, name)).collect()
}

/// Returns a file that exists, or a link whose target does not.
pub(super) fn existing<T: Directories>(tree: &T, path: Vec<u8>) -> Option<Target> {
    if resolve_in_root(tree, &path).is_some() {
        return Some(Target::File(vec![path]));
    }
    let directory = resolve_in_root(tree, parent(&path))?;
    tree.lookup(directory, base_name(&path)).map(|_| Target::Name(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::testing::small_tree::tree;

    #[test]
    fn files_are_found_by_placeholders_and_patterns() {
        let tree = tree(
            &[
                ("/usr/lib/a/x.so", ""),
                ("/usr/lib/a/y.so", ""),
                ("/usr/lib/a/z.txt", ""),
                ("/usr/lib/b/x.so", ""),
                ("/opt/[p]/lib/python3.11/os.py", ""),
                ("/usr/lib64/c", ""),
            ],
            &[("/lib", "usr/lib"), ("/etc/dead", "/run/x")],
        );
        let directories = [b"/lib".to_vec(), b"/usr/lib".to_vec(), b"/usr/lib64".to_vec()];
        let place = Place { prefix: b"/opt/[p]", version: b"3.11", library_directories: &directories };
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(check(text), Ok(()), "{text}");
            let found = find(&tree, text, &place).into_iter().map(|target| match target {
                Target::File(paths) => paths[0].escape_ascii().to_string(),
                Target::Name(path) => format!("{} ->", path.escape_ascii()),
                Target::Directory(path) => format!("{}/", path.escape_ascii()),
                other => panic!("{other:?}"),
            });
            assert_eq!(found.collect::<Vec<_>>(), expected, "{text}");
        };
        check("/usr/lib/*/x.so", &["/usr/lib/a/x.so", "/usr/lib/b/x.so"]);
        check("{lib}/a/*.so", &["/lib/a/x.so", "/lib/a/y.so"]);
        check("{lib}/a", &["/lib/a"]);
        check("{lib}/c", &["/usr/lib64/c"]);
        check("{prefix}/lib/python{V}/**", &["/opt/[p]/lib/python3.11/"]);
        check("/usr/lib/a/x.so/**", &[]);
        check("/usr/lib/none*/x", &[]);
        check("/etc/dead", &["/etc/dead ->"]);
        check("/etc/no", &[]);
        let none = Place { version: b"", library_directories: &[], ..place };
        assert_eq!(find(&tree, "{prefix}/lib/python{V}/**", &none), []);
        assert_eq!(find(&tree, "{lib}/b/x.so", &none), [Target::File(vec![b"/lib/b/x.so".to_vec()])]);
        let texts = ["/a/b", "{prefix}/python{v}.zip", "/lib/z", "{lib}/z"].map(str::to_owned);
        let expected = ["/a/b", "/opt/[p]/python311.zip", "/lib/z", "/usr/lib64/z"];
        assert_eq!(candidates(&tree, &texts, &place), expected.map(|path| path.as_bytes().to_vec()));
    }
}
