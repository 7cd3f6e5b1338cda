//! The directories of Python packages: `.pth` files, and virtual environments.

use image_tree::path::{base_name, join, parent};
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories};

use crate::closure::config::file::read;
use crate::closure::dependency::Target;
use crate::closure::error::{Error, Result};
use crate::closure::known::expand::{self, Place};

/// Returns a directory of packages with its whole content, and the paths that its `.pth` files add.
/// Sentences about files that cannot be followed are added to `unknown`.
pub(super) fn site<T: Directories<Content: Content>>(
    tree: &T,
    directory: &[u8],
    unknown: &mut Vec<String>,
) -> Result<Vec<Target>> {
    let Some(id) = resolve_in_root(tree, directory) else { return Ok(Vec::new()) };
    let Some(entries) = tree.entries(id) else { return Ok(Vec::new()) };
    let mut found = vec![Target::Directory(directory.to_vec())];
    let names = entries.keys().map(|name| name.as_bytes()).filter(|name| name.ends_with(b".pth"));
    for path in names.map(|name| join(directory, name)) {
        let text = match read(tree, &path) {
            Err(error @ Error::FileTooLong { .. }) => {
                unknown.push(error.to_string());
                continue;
            }
            text => text?.unwrap_or_default(),
        };
        for line in text.split(|byte| *byte == b'\n').filter_map(added) {
            let added = if line.starts_with(b"/") { line.to_vec() } else { join(directory, line) };
            match resolve_in_root(tree, &added) {
                Some(id) if id == image_tree::InodeId::ROOT => {
                    let path = path.escape_ascii();
                    unknown.push(format!("{path} adds / to the search path of Python, which is not kept"));
                }
                Some(id) if tree.is_directory(id) => found.push(Target::Directory(added)),
                Some(_) => found.push(Target::File(vec![added])),
                // Python skips paths that do not exist.
                None => {}
            }
        }
    }
    Ok(found)
}

/// Returns the path that a line of a `.pth` file adds. Lines that start with `import` are code.
fn added(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_end();
    let is_code = line.starts_with(b"import ") || line.starts_with(b"import\t");
    (!line.is_empty() && !line.starts_with(b"#") && !is_code && !line.contains(&0)).then_some(line)
}

/// Returns the files of a virtual environment, if the interpreter at this path is that of one.
pub(super) fn environment<T: Directories<Content: Content>>(
    tree: &T,
    interpreter: &[u8],
    unknown: &mut Vec<String>,
) -> Result<Vec<Target>> {
    let directory = parent(interpreter);
    let mut found = Vec::new();
    for above in [directory, parent(directory)] {
        let path = join(above, b"pyvenv.cfg");
        let Some(text) = read(tree, &path)? else { continue };
        found.push(Target::File(vec![path]));
        let place = Place { prefix: parent(directory), version: b"", library_directories: &[] };
        for site in ["{prefix}/lib/python*/site-packages", "{prefix}/lib64/python*/site-packages"] {
            for target in expand::find(tree, site, &place) {
                if let Target::File(paths) = target {
                    found.extend(self::site(tree, &paths[0], unknown)?);
                }
            }
        }
        // An environment whose interpreter is a copy uses the standard library of the original.
        let home = text.split(|byte| *byte == b'\n').find_map(|line| value(line, b"home"));
        let home = home.filter(|home| home.starts_with(b"/"));
        if let (Some(home), Some(version)) = (home, version(&text, interpreter)) {
            let library = [b"lib/python", &version[..]].concat();
            let library = join(parent(home), &library);
            let is_there = resolve_in_root(tree, &library).is_some_and(|id| tree.is_directory(id));
            found.extend(is_there.then_some(Target::Directory(library)));
        }
        break;
    }
    Ok(found)
}

/// Returns the value of a key in a line `key = value`.
fn value<'l>(line: &'l [u8], key: &[u8]) -> Option<&'l [u8]> {
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (line[..equals].trim_ascii(), line[equals + 1..].trim_ascii());
    name.eq_ignore_ascii_case(key).then_some(value)
}

/// Returns the version of an environment, as in `3.11`.
fn version(configuration: &[u8], interpreter: &[u8]) -> Option<Vec<u8>> {
    let lines = configuration.split(|byte| *byte == b'\n');
    let stated = lines.filter_map(|line| value(line, b"version").or_else(|| value(line, b"version_info")));
    let named = base_name(interpreter).strip_prefix(b"python");
    let mut versions = stated.chain(named).filter_map(|version| {
        let mut parts = version.split(|byte| *byte == b'.');
        let (major, minor) = (parts.next()?, parts.next()?);
        let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        (is_number(major) && is_number(minor)).then(|| [major, b".", minor].concat())
    });
    versions.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::testing::small_tree::tree;

    fn paths(targets: &[Target]) -> Vec<String> {
        let path = |target: &Target| match target {
            Target::File(paths) => paths[0].escape_ascii().to_string(),
            Target::Directory(path) => format!("{}/", path.escape_ascii()),
            other => panic!("{other:?}"),
        };
        targets.iter().map(path).collect()
    }

    #[test]
    fn pth_files_are_followed() {
        let tree = tree(
            &[
                ("/site/a.pth", "# comment\n\n../more\r\n/opt/x.zip\nimport os; os.system('x')\n/none\n/\n"),
                ("/site/b.txt", "/bin"),
                ("/more/m.py", ""),
                ("/opt/x.zip", ""),
                ("/bin/x", ""),
            ],
            &[],
        );
        let mut unknown = Vec::new();
        let found = site(&tree, b"/site", &mut unknown).expect("it can be read");
        assert_eq!(paths(&found), ["/site/", "/site/../more/", "/opt/x.zip"]);
        assert!(unknown.len() == 1 && unknown[0].starts_with("/site/a.pth adds /"), "{unknown:?}");
        assert_eq!(site(&tree, b"/none", &mut unknown).expect("nothing is read"), []);
    }

    #[test]
    fn environments_are_found_by_their_interpreter() {
        let tree = tree(
            &[
                ("/venv/pyvenv.cfg", "Home = /opt/py/bin\nversion = 3.11.2\n"),
                ("/venv/lib/python3.11/site-packages/a.pth", "/src\n"),
                ("/src/x.py", ""),
                ("/opt/py/lib/python3.11/os.py", ""),
            ],
            &[("/venv/bin/python3", "/opt/py/bin/python3.11")],
        );
        let mut unknown = Vec::new();
        let found = environment(&tree, b"/venv/bin/python3", &mut unknown).expect("it can be read");
        let expected =
            ["/venv/pyvenv.cfg", "/venv/lib/python3.11/site-packages/", "/src/", "/opt/py/lib/python3.11/"];
        assert_eq!(paths(&found), expected);
        assert_eq!(environment(&tree, b"/opt/py/bin/python3", &mut unknown).expect("nothing is read"), []);
        assert_eq!(unknown, [""; 0]);
    }
}
