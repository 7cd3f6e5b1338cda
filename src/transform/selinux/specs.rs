//! The specifications of all files, and the choice of the one for a path.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::compiled::{Compiled, Limits};
use image_tree::FileType;

use super::line::Line;
use super::pattern::{Pattern, PatternError};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::shown;

/// The maximum number of specifications in all files together. Each takes some hundred bytes, and
/// Debian's and Fedora's policies have a fortieth of them.
const MAX_SPECS: usize = 1 << 18;

/// The maximum number of bytes of a pattern that is shown in a message.
const SHOWN: usize = 160;

/// All specifications, indexed by path.
///
/// As in libselinux, exact paths precede patterns, and the last one of each wins, in the order in
/// which files are read. The indices only save time: patterns are found by the prefix of their
/// matches, and compiled when first tried.
#[derive(Debug, Default)]
pub(super) struct Specs {
    files: Vec<PathBuf>,
    all: Vec<Spec>,
    /// The specifications of single paths, in order.
    exact: HashMap<Vec<u8>, Vec<usize>>,
    /// The specifications of patterns by the prefix of their matches, in order.
    by_prefix: HashMap<Vec<u8>, Vec<usize>>,
    /// The lengths of the keys of `by_prefix`, in ascending order.
    prefix_lens: Vec<usize>,
}

#[derive(Debug)]
struct Spec {
    file: usize,
    line: usize,
    /// The pattern as written.
    text: String,
    file_type: Option<FileType>,
    /// The context; `None` for `<<none>>`.
    context: Option<String>,
}

/// The state shared by searches for several paths.
pub(super) struct Search<'i> {
    compiled: Compiled,
    candidates: Vec<usize>,
    interrupt: &'i Interrupt,
}

impl<'i> Search<'i> {
    pub(super) fn new(interrupt: &'i Interrupt) -> Self {
        Self { compiled: Compiled::new(Limits::DEFAULT), candidates: Vec::new(), interrupt }
    }
}

/// The result for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'s> {
    /// The context of the file.
    Context(&'s str),
    /// `<<none>>`: the file is left unchanged.
    Unchanged,
    /// No specification matches.
    NoMatch,
}

impl Specs {
    /// Appends the lines of a file to the specifications.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] with file and line if a line is not a valid specification, or
    /// exceeds the limit.
    pub(super) fn add(&mut self, file: &Path, text: &[u8]) -> Result<()> {
        let index = self.files.len();
        self.files.push(file.to_owned());
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let refuse =
                |what: String| Error::at(ErrorKind::BadInput, file, format!("line {number}: {what}"));
            let Some(line) = Line::parse(line).map_err(|error| refuse(error.to_string()))? else { continue };
            let about = |what: &dyn std::fmt::Display| refuse(with_pattern(line.pattern, what));
            let pattern = Pattern::parse(line.pattern).map_err(|error| about(&error))?;
            let id = self.all.len();
            if id >= MAX_SPECS {
                return Err(about(&format!(
                    "it and the lines before it are more than {MAX_SPECS} specifications"
                )));
            }
            let (table, key) = match pattern {
                Pattern::Exact(path) => (&mut self.exact, path),
                Pattern::Regex { prefix, .. } => (&mut self.by_prefix, prefix),
            };
            table.entry(key).or_default().push(id);
            self.all.push(Spec {
                file: index,
                line: number,
                text: line.pattern.to_owned(),
                file_type: line.file_type,
                context: line.context.map(str::to_owned),
            });
        }
        self.prefix_lens = self.by_prefix.keys().map(Vec::len).collect();
        self.prefix_lens.sort_unstable();
        self.prefix_lens.dedup();
        Ok(())
    }

    /// Returns the specification for a file. A `search` must only be used with one set of
    /// specifications.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] with file and line if a pattern is too large to compile;
    /// [`Interrupted`](ErrorKind::Interrupted) after a signal.
    pub(super) fn lookup(
        &self,
        path: &[u8],
        file_type: FileType,
        search: &mut Search<'_>,
    ) -> Result<Found<'_>> {
        let Search { compiled, candidates, interrupt } = search;
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
        interrupt.check()?;
        for id in candidates.iter().rev() {
            let Some(spec) = self.all.get(*id).filter(|spec| fits(spec)) else { continue };
            let matches = compiled.is_match(*id, || spec.source(interrupt), path).map_err(|why| {
                let what = format!("line {}: {}", spec.line, with_pattern(&spec.text, &why));
                interrupt.check().err().unwrap_or(Error::at(ErrorKind::BadInput, self.file_of(spec), what))
            })?;
            if matches {
                return Ok(spec.found());
            }
        }
        Ok(Found::NoMatch)
    }

    fn file_of(&self, spec: &Spec) -> &Path {
        self.files.get(spec.file).map(PathBuf::as_path).unwrap_or(Path::new(""))
    }

    /// Returns sentences about lines of one file that give the same pattern different contexts.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut seen: BTreeMap<(usize, &str), Vec<Latest<'_>>> = BTreeMap::new();
        let mut found = Vec::new();
        for spec in &self.all {
            let earlier = seen.entry((spec.file, &spec.text)).or_default();
            let other = earlier.iter().filter_map(|latest| latest.contradicting(spec));
            if let Some(other) = other.max_by_key(|other| other.line) {
                found.push(format!(
                    "{}: lines {} and {} give {} different contexts; the later one is used",
                    shown::path(self.file_of(spec)),
                    other.line,
                    spec.line,
                    spec.text
                ));
            }
            Latest::record(earlier, spec);
        }
        found
    }
}

/// The latest lines with one pattern and file type: only these can be the latest that contradicts a
/// later one.
struct Latest<'s> {
    last: &'s Spec,
    /// The last one with another context than `last`.
    other: Option<&'s Spec>,
}

impl<'s> Latest<'s> {
    /// Records a line. There is at most one entry for each file type, and one for all types.
    fn record(all: &mut Vec<Self>, spec: &'s Spec) {
        match all.iter_mut().find(|latest| latest.last.file_type == spec.file_type) {
            None => all.push(Self { last: spec, other: None }),
            Some(latest) => {
                if latest.last.context != spec.context {
                    latest.other = Some(latest.last);
                }
                latest.last = spec;
            }
        }
    }

    fn contradicting(&self, spec: &Spec) -> Option<&'s Spec> {
        [Some(self.last), self.other].into_iter().flatten().find(|earlier| earlier.contradicts(spec))
    }
}

/// Returns the end of a sentence about a pattern, which is truncated if it is too long.
fn with_pattern(pattern: &str, what: &dyn std::fmt::Display) -> String {
    match pattern.get(..SHOWN) {
        Some(start) if pattern.len() > SHOWN => format!("pattern {start}…: {what}"),
        _ => format!("pattern {pattern}: {what}"),
    }
}

impl Spec {
    /// Returns the pattern in the engine's syntax. Checks for a signal first, since compiling takes
    /// time.
    fn source(&self, interrupt: &Interrupt) -> std::result::Result<String, String> {
        interrupt.check().map_err(|error| error.to_string())?;
        match Pattern::parse(&self.text) {
            Ok(Pattern::Regex { source, .. }) => Ok(source),
            Ok(Pattern::Exact(_)) => Err("it is a path".to_owned()),
            Err(error @ PatternError { .. }) => Err(error.to_string()),
        }
    }

    fn found(&self) -> Found<'_> {
        self.context.as_deref().map_or(Found::Unchanged, Found::Context)
    }

    fn contradicts(&self, other: &Self) -> bool {
        let overlap =
            self.file_type.is_none() || other.file_type.is_none() || self.file_type == other.file_type;
        overlap && self.context != other.context
    }
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
        let interrupt = Interrupt::never();
        let found = specs.lookup(path.as_bytes(), file_type, &mut Search::new(&interrupt));
        let found = found.expect("small patterns");
        match found {
            Found::Context(context) => context.to_owned(),
            Found::Unchanged => "<<none>>".to_owned(),
            Found::NoMatch => "-".to_owned(),
        }
    }

    #[test]
    fn exact_paths_and_later_patterns_take_precedence() {
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
    fn exact_paths_of_another_type_do_not_match() {
        let specs = specs(&["/x -d u:r:directory\n/.* u:r:any\n"]);
        assert_eq!(look(&specs, "/x", FileType::Directory), "u:r:directory");
        assert_eq!(look(&specs, "/x", FileType::Regular), "u:r:any");
    }

    #[test]
    fn errors_name_the_file_and_line() {
        let error = |text: &str| {
            let mut specs = Specs::default();
            specs.add(Path::new("fc"), text.as_bytes()).expect_err(text).to_string()
        };
        assert_eq!(error("# no\n\n/a( u:r:t\n"), "fc: line 3: pattern /a(: at byte 3: a ( is not closed");
        let specs = specs(&["/((a{1000}){1000}){1000} u:r:t"]);
        let interrupt = Interrupt::never();
        let mut search = Search::new(&interrupt);
        let error = specs.lookup(b"/a", FileType::Regular, &mut search).expect_err("it is huge");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let message = error.to_string();
        assert!(message.starts_with("file0: line 1: pattern /((a{1000}"), "{message}");
        assert!(message.ends_with("it takes more than 4194304 bytes when compiled"), "{message}");
    }

    #[test]
    fn contradictions_are_reported() {
        let specs = specs(&[
            "/a u:r:x\n/a u:r:x\n/b -- u:r:x\n/b -d u:r:y\n/c -- u:r:x\n/c u:r:y\n",
            "/a u:r:other_file\n",
        ]);
        assert_eq!(
            specs.contradictions(),
            ["file0: lines 5 and 6 give /c different contexts; the later one is used"]
        );
    }

    #[test]
    fn contradictions_name_the_latest_line() {
        let specs = specs(&["/a u:r:x\n/a u:r:y\n/a u:r:y\n/a -- u:r:y\n/a -d u:r:x\n/a u:r:z\n"]);
        let lines: Vec<String> = specs.contradictions().iter().map(|text| text[13..20].to_owned()).collect();
        assert_eq!(lines, ["1 and 2", "1 and 3", "1 and 4", "3 and 5", "5 and 6"]);
    }

    #[test]
    fn repeated_patterns_take_linear_time() {
        let text = "/a -- u:r:x\n".repeat(MAX_SPECS);
        let specs = specs(&[&text]);
        assert_eq!(specs.contradictions(), Vec::<String>::new());
        let mut more = Specs::default();
        let error = more.add(Path::new("fc"), format!("{text}/b u:r:y\n").as_bytes()).expect_err("too many");
        let end = "line 262145: pattern /b: it and the lines before it are more than 262144 specifications";
        assert_eq!(error.to_string(), format!("fc: {end}"));
    }

    #[test]
    fn compiled_patterns_have_a_memory_limit() {
        let lines: Vec<String> =
            (0..20_000).map(|line| format!("/.{{0,1000}}N{line}(.{{1000}}|b)*  u:r:t:s0\n")).collect();
        let specs = specs(&[&lines.concat()]);
        let interrupt = Interrupt::never();
        let mut search = Search::new(&interrupt);
        search.compiled = Compiled::new(Limits { compiled: 4 << 20, ..Limits::DEFAULT });
        let error = specs.lookup(b"/usr/bin", FileType::Directory, &mut search).expect_err("too large");
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert!(text.starts_with("file0: line 19") && text.contains(": pattern /.{0,1000}N19"), "{text}");
        assert!(text.contains("take more than 4194304 bytes when compiled"), "{text}");
        interrupt.set(15);
        let error = specs.lookup(b"/usr/bin", FileType::Directory, &mut search).expect_err("a signal came");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}
