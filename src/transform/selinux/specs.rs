//! The specifications of all files together, and which of them is a path's.

use std::collections::{BTreeMap, HashMap, btree_map};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

use super::line::{FileType, Line};
use super::pattern::Pattern;
use crate::error::{Error, ErrorKind, Result};

/// How much memory one compiled pattern may take.
const MAX_COMPILED: usize = 4 << 20;

/// All specifications, found by path.
///
/// libselinux takes exact paths before patterns, and of each the one that came last; which of several files it came from
/// counts as later the later the file is read. The tables here are only speed: patterns are found by how their matches
/// begin, and compiled when first tried.
#[derive(Debug, Default)]
pub(super) struct Specs {
    files: Vec<PathBuf>,
    all: Vec<Spec>,
    /// The specifications of one path, in order.
    exact: HashMap<Vec<u8>, Vec<usize>>,
    /// The specifications of patterns whose matches begin so, in order.
    by_prefix: HashMap<Vec<u8>, Vec<usize>>,
    /// The lengths of the keys of `by_prefix`, rising.
    prefix_lens: Vec<usize>,
}

#[derive(Debug)]
struct Spec {
    file: usize,
    line: usize,
    /// The pattern as it is written.
    text: String,
    file_type: Option<FileType>,
    /// None is `<<none>>`.
    context: Option<String>,
    regex: Option<LazyRegex>,
}

#[derive(Debug)]
struct LazyRegex {
    source: String,
    compiled: OnceLock<std::result::Result<Regex, String>>,
}

/// What the specifications say of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'s> {
    /// This context.
    Context(&'s str),
    /// `<<none>>`: the file is to be left alone.
    LeftAlone,
    /// None speaks of it.
    Nothing,
}

impl Specs {
    /// Adds the lines of a file behind those that are there.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] with file and line, when a line is no specification.
    pub(super) fn add(&mut self, file: &Path, text: &[u8]) -> Result<()> {
        let index = self.files.len();
        self.files.push(file.to_owned());
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let refuse =
                |what: String| Error::at(ErrorKind::BadInput, file, format!("line {number}: {what}"));
            let Some(line) = Line::parse(line).map_err(|error| refuse(error.to_string()))? else { continue };
            let pattern = Pattern::parse(line.pattern)
                .map_err(|error| refuse(format!("pattern {}: {error}", line.pattern)))?;
            let id = self.all.len();
            let (table, key, regex) = match pattern {
                Pattern::Exact(path) => (&mut self.exact, path, None),
                Pattern::Regex { prefix, source } => {
                    (&mut self.by_prefix, prefix, Some(LazyRegex { source, compiled: OnceLock::new() }))
                }
            };
            table.entry(key).or_default().push(id);
            self.all.push(Spec {
                file: index,
                line: number,
                text: line.pattern.to_owned(),
                file_type: line.file_type,
                context: line.context.map(str::to_owned),
                regex,
            });
        }
        self.prefix_lens = self.by_prefix.keys().map(Vec::len).collect();
        self.prefix_lens.sort_unstable();
        self.prefix_lens.dedup();
        Ok(())
    }

    /// What the specifications say of a file. `candidates` is room for work that callers keep.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] with file and line, when a pattern is too large to be compiled.
    pub(super) fn lookup(
        &self,
        path: &[u8],
        file_type: FileType,
        candidates: &mut Vec<usize>,
    ) -> Result<Found<'_>> {
        let fits = |spec: &Spec| spec.file_type.is_none_or(|only| only == file_type);
        let exact = self.exact.get(path).into_iter().flatten().rev().filter_map(|id| self.all.get(*id));
        if let Some(spec) = exact.into_iter().find(|spec| fits(spec)) {
            return Ok(spec.found());
        }
        candidates.clear();
        for len in self.prefix_lens.iter().take_while(|len| **len <= path.len()) {
            let ids = path.get(..*len).and_then(|prefix| self.by_prefix.get(prefix));
            candidates.extend(ids.into_iter().flatten());
        }
        candidates.sort_unstable();
        for spec in candidates.iter().rev().filter_map(|id| self.all.get(*id)).filter(|spec| fits(spec)) {
            if self.matches(spec, path)? {
                return Ok(spec.found());
            }
        }
        Ok(Found::Nothing)
    }

    fn matches(&self, spec: &Spec, path: &[u8]) -> Result<bool> {
        let Some(lazy) = &spec.regex else { return Ok(false) };
        match lazy.compiled.get_or_init(|| compile(&lazy.source)) {
            Ok(regex) => Ok(regex.is_match(path)),
            Err(why) => Err(Error::at(
                ErrorKind::BadInput,
                self.file_of(spec),
                format!("line {}: pattern {}: {why}", spec.line, spec.text),
            )),
        }
    }

    fn file_of(&self, spec: &Spec) -> &Path {
        self.files.get(spec.file).map(PathBuf::as_path).unwrap_or(Path::new(""))
    }

    /// Pairs of lines of one file that give the same pattern different contexts, as sentences.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut seen: BTreeMap<(usize, &str), Vec<&Spec>> = BTreeMap::new();
        let mut found = Vec::new();
        for spec in &self.all {
            match seen.entry((spec.file, &spec.text)) {
                btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(vec![spec]);
                }
                btree_map::Entry::Occupied(mut occupied) => {
                    let earlier = occupied.get().iter().rev().find(|earlier| earlier.contradicts(spec));
                    if let Some(earlier) = earlier {
                        found.push(format!(
                            "{}: lines {} and {} give {} different contexts; the later one is used",
                            self.file_of(spec).display(),
                            earlier.line,
                            spec.line,
                            spec.text
                        ));
                    }
                    occupied.get_mut().push(spec);
                }
            }
        }
        found
    }
}

impl Spec {
    fn found(&self) -> Found<'_> {
        self.context.as_deref().map_or(Found::LeftAlone, Found::Context)
    }

    fn contradicts(&self, other: &Self) -> bool {
        let overlap =
            self.file_type.is_none() || other.file_type.is_none() || self.file_type == other.file_type;
        overlap && self.context != other.context
    }
}

fn compile(source: &str) -> std::result::Result<Regex, String> {
    let mut builder = RegexBuilder::new(source);
    builder.unicode(false).dot_matches_new_line(true).size_limit(MAX_COMPILED);
    // What a search remembers: most patterns are tried on a few paths.
    builder.dfa_size_limit(1 << 18);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => format!("it takes more than {limit} bytes when compiled"),
        error => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs(files: &[&str]) -> Specs {
        let mut specs = Specs::default();
        for (index, text) in files.iter().enumerate() {
            specs.add(Path::new(&format!("file{index}")), text.as_bytes()).expect("valid specifications");
        }
        specs
    }

    fn look(specs: &Specs, path: &str, file_type: FileType) -> String {
        let found = specs.lookup(path.as_bytes(), file_type, &mut Vec::new()).expect("small patterns");
        match found {
            Found::Context(context) => context.to_owned(),
            Found::LeftAlone => "<<none>>".to_owned(),
            Found::Nothing => "-".to_owned(),
        }
    }

    #[test]
    fn the_last_that_matches_wins_and_exact_paths_before_all() {
        let specs = specs(&[
            "/a/exact u:r:exact\n/a(/.*)? u:r:wide\n/a/b.* u:r:narrow\n/a/b.* -d u:r:directory\n/a/bx.* <<none>>\n",
            "/a/bxx.* -- u:r:later_file\n/ u:r:root\n",
        ]);
        for (path, file_type, context) in [
            ("/a/exact", FileType::Regular, "u:r:exact"),
            ("/a", FileType::Directory, "u:r:wide"),
            ("/a/c", FileType::Fifo, "u:r:wide"),
            ("/a/b", FileType::Regular, "u:r:narrow"),
            ("/a/b", FileType::Directory, "u:r:directory"),
            ("/a/bx", FileType::Directory, "<<none>>"),
            ("/a/bxx", FileType::Regular, "u:r:later_file"),
            ("/a/bxx", FileType::Socket, "<<none>>"),
            ("/ab", FileType::Regular, "-"),
            ("/", FileType::Directory, "u:r:root"),
        ] {
            assert_eq!(look(&specs, path, file_type), context, "{path} {file_type:?}");
        }
    }

    #[test]
    fn an_exact_path_of_another_type_leaves_it_to_patterns() {
        let specs = specs(&["/x -d u:r:directory\n/.* u:r:any\n"]);
        assert_eq!(look(&specs, "/x", FileType::Directory), "u:r:directory");
        assert_eq!(look(&specs, "/x", FileType::Regular), "u:r:any");
    }

    #[test]
    fn errors_name_file_and_line() {
        let error = |text: &str| {
            let mut specs = Specs::default();
            specs.add(Path::new("fc"), text.as_bytes()).expect_err(text).to_string()
        };
        assert_eq!(error("# no\n\n/a( u:r:t\n"), "fc: line 3: pattern /a(: at byte 3: a ( is not closed");
        let specs = specs(&["/((a{1000}){1000}){1000} u:r:t"]);
        let error = specs.lookup(b"/a", FileType::Regular, &mut Vec::new()).expect_err("it is huge");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let message = error.to_string();
        assert!(message.starts_with("file0: line 1: pattern /((a{1000}"), "{message}");
        assert!(message.ends_with("it takes more than 4194304 bytes when compiled"), "{message}");
    }

    #[test]
    fn contradictions_are_found() {
        let specs = specs(&[
            "/a u:r:x\n/a u:r:x\n/b -- u:r:x\n/b -d u:r:y\n/c -- u:r:x\n/c u:r:y\n",
            "/a u:r:other_file\n",
        ]);
        assert_eq!(
            specs.contradictions(),
            ["file0: lines 5 and 6 give /c different contexts; the later one is used"]
        );
    }
}
