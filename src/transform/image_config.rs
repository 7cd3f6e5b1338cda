//! The settings of containers, as a file of the tree: an image has them in its configuration, where
//! a guest cannot read them.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;

use image_tree::{Inode, Kind, Metadata, Timestamp, Tree, shortened};
use serde_json::{Map, Value};

use super::edit::fields::checked_path;
use super::edit::parent_of;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, Report as Logged};

/// The path of the file without another choice.
pub const PATH: &str = "/etc/rootcast/config.json";

/// The settings that the file has, those of OCI's image specification. Others depend on the program
/// that wrote the image: one image would make several trees.
const KEYS: [&str; 9] =
    ["Cmd", "Entrypoint", "Env", "ExposedPorts", "Labels", "StopSignal", "User", "Volumes", "WorkingDir"];

/// The place of the settings in a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The usual one.
    #[default]
    Usual,
    /// This path.
    Path(Vec<u8>),
    /// None: they are not in the tree.
    Nowhere,
}

impl Place {
    /// Parses a path, or `none`. A file of that name is `./none`.
    ///
    /// # Errors
    /// Returns a message on the fault, which follows the text.
    pub fn parse(text: &OsStr) -> std::result::Result<Self, String> {
        match text.as_bytes() {
            b"none" => Ok(Self::Nowhere),
            path => checked_path(path.to_vec()).map(Self::Path),
        }
    }

    /// The path; none if the settings are not in the tree.
    fn path(&self) -> Option<&[u8]> {
        match self {
            Self::Usual => Some(PATH.as_bytes()),
            Self::Path(path) => Some(path),
            Self::Nowhere => None,
        }
    }
}

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The object `config` of each image among the sources, in order.
    pub settings: &'a [&'a Value],
    /// The place of the file.
    pub place: &'a Place,
    /// The time of the file, and of directories that are created for it.
    pub time: Timestamp,
}

/// The effect of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// There is no file: the last image has none, or they are not to be in the tree.
    Nothing,
    /// They were written.
    Written {
        /// The path.
        path: String,
        /// True if another file had this path.
        replaced: bool,
        /// The number of images before the last one with other settings.
        others: usize,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no settings of containers are written"),
            Self::Written { path, replaced, others } => {
                write!(f, "{path} has the settings of containers")?;
                if *others > 0 {
                    write!(f, " of the last image, and not those of {others} before it")?;
                }
                if *replaced {
                    write!(f, ", in the place of a file of the sources; --image-config names another path")?;
                }
                Ok(())
            }
        }
    }
}

impl Logged for Report {
    fn log(&self, log: &Log) {
        match self {
            Self::Written { replaced, others, .. } if *replaced || *others > 0 => log.warn(self),
            Self::Written { .. } => log.detail(self),
            Self::Nothing => {}
        }
    }
}

/// Writes the settings of the last image as JSON with sorted keys, owned by root, unless it has
/// none.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if there is a directory at the path, or no directory above it;
/// [`Usage`](ErrorKind::Usage) if a path was chosen and there is no image.
pub fn apply<C: From<Vec<u8>>>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<Report> {
    let Options { settings, place, time } = *options;
    if settings.is_empty() && matches!(place, Place::Path(_)) {
        let what = "--image-config is for images of containers, and no source is one";
        return Err(Error::new(ErrorKind::Usage, what));
    }
    let Some(path) = place.path() else { return Ok(Report::Nothing) };
    let settings: Vec<Map<String, Value>> = settings.iter().map(|settings| usual(settings)).collect();
    let Some((last, before)) = settings.split_last().filter(|(last, _)| !last.is_empty()) else {
        return Ok(Report::Nothing);
    };
    let others = before.iter().filter(|other| !other.is_empty() && *other != last).count();
    let shown = shortened(path);
    let failed = |why: String| Error::new(ErrorKind::BadInput, format!("--image-config {shown}: {why}"));
    let metadata = |mode| Metadata { mtime: time, ..Metadata::new(mode) };
    let mut text = serde_json::to_vec(last).map_err(|error| failed(error.to_string()))?;
    text.push(b'\n');
    let (parent, name) = parent_of(tree, path, &metadata(0o755)).map_err(failed)?;
    let existing = tree.lookup(parent, name.as_bytes());
    if existing.is_some_and(|id| tree.entries(id).is_some()) {
        return Err(failed("it is a directory; name a file in it".to_owned()));
    }
    tree.remove(parent, name.as_bytes());
    let inode = Inode { metadata: metadata(0o644), kind: Kind::Regular(C::from(text)) };
    tree.insert(parent, name, inode).map_err(|error| failed(error.to_string()))?;
    Ok(Report::Written { path: shown, replaced: existing.is_some(), others })
}

/// Returns the settings that the file has. Programs write those that are not set as null, as an
/// empty value, or not at all.
fn usual(settings: &Value) -> Map<String, Value> {
    let is_set = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    let found = KEYS.iter().filter_map(|key| Some(((*key).to_owned(), settings.get(key)?.clone())));
    found.filter(|(_, value)| is_set(value)).collect()
}

#[cfg(test)]
mod tests {
    use image_tree::dump;
    use serde_json::json;

    use super::*;

    fn tree(text: &str) -> Tree<Vec<u8>> {
        let text = format!("/ 0 40755 2 0 0 0 0.0 - - -\n{text}");
        dump::parse(text.as_bytes(), |_| Ok::<_, std::io::Error>(Vec::new())).expect("a dump")
    }

    fn apply(tree: &mut Tree<Vec<u8>>, settings: &[&Value], path: &str) -> Result<Report> {
        let time = Timestamp::from_seconds(7);
        let place = Place::Path(path.into());
        super::apply(tree, &Options { settings, place: &place, time })
    }

    #[test]
    fn settings_are_a_file_with_sorted_keys() {
        let mut tree = tree("");
        let settings = json!({
            "User": "www", "Hostname": "", "Entrypoint": null, "Volumes": {}, "Image": "sha256:0",
            "Cmd": ["/init", "a"], "WorkingDir": "", "Labels": { "b": "2", "a": "1" },
        });
        let report = apply(&mut tree, &[&settings], PATH).expect("there is room");
        assert_eq!(report, Report::Written { path: PATH.to_owned(), replaced: false, others: 0 });
        let file = tree.get(tree.resolve_no_symlinks(PATH.as_bytes()).expect("it was added"));
        let text = b"{\"Cmd\":[\"/init\",\"a\"],\"Labels\":{\"a\":\"1\",\"b\":\"2\"},\"User\":\"www\"}\n";
        assert_eq!(file.kind, Kind::Regular(text.to_vec()));
        let expected = Metadata { mtime: Timestamp::from_seconds(7), ..Metadata::new(0o644) };
        assert_eq!(file.metadata, expected);
        let above = tree.get(tree.resolve_no_symlinks(b"/etc/rootcast").expect("it was added"));
        assert_eq!(above.metadata, Metadata { mode: 0o755, ..expected });
    }

    #[test]
    fn the_last_image_counts_and_one_without_settings_has_no_file() {
        let (one, two, none) = (json!({ "Cmd": ["1"] }), json!({ "Cmd": ["2"] }), json!({ "User": "" }));
        let mut tree = tree("/c 0 120777 1 0 0 0 0.0 none - -\n");
        for nothing in [&[&one, &none][..], &[&Value::Null]] {
            assert_eq!(apply(&mut tree, nothing, "c").expect("nothing to do"), Report::Nothing);
        }
        let report = apply(&mut tree, &[&one, &two, &none, &two], "c").expect("there is room");
        assert_eq!(report, Report::Written { path: "c".to_owned(), replaced: true, others: 1 });
        let file = tree.get(tree.resolve_no_symlinks(b"/c").expect("it was added"));
        assert_eq!(file.kind, Kind::Regular(b"{\"Cmd\":[\"2\"]}\n".to_vec()));
    }

    #[test]
    fn a_path_needs_an_image() {
        let error = apply(&mut tree(""), &[], "/c").expect_err("no source is an image");
        assert_eq!(error.kind(), ErrorKind::Usage);
        let (mut tree, time) = (tree(""), Timestamp::EPOCH);
        for place in [&Place::Usual, &Place::Nowhere] {
            let report = super::apply(&mut tree, &Options { settings: &[], place, time });
            assert_eq!(report.expect("nothing to do"), Report::Nothing);
        }
        let settings = json!({ "User": "www" });
        let options = Options { settings: &[&settings], place: &Place::Nowhere, time };
        assert_eq!(super::apply(&mut tree, &options).expect("nothing to do"), Report::Nothing);
        assert_eq!(tree.inode_count(), 1);
    }

    #[test]
    fn a_directory_is_not_replaced() {
        let mut tree = tree("/d 0 40755 2 0 0 0 0.0 - - -\n/f 0 100644 1 0 0 0 0.0 - - -\n");
        let settings = json!({ "User": "www" });
        for (path, words) in [("/d", "is a directory"), ("/f/x", "/f is not a directory"), ("/", "root")] {
            let error = apply(&mut tree, &[&settings], path).expect_err(path).to_string();
            assert!(error.contains(words) && error.contains("--image-config"), "{error}");
        }
    }
}
