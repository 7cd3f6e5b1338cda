//! Compiled patterns of file_contexts, within a common memory budget.
//!
//! Real policies have some thousand patterns of a few dozen bytes. A pattern of twenty bytes can
//! take megabytes when compiled, as `(.{1000}|b)*` does, and a policy may be as hostile as its
//! tree. So compiled patterns count against [`Limits::compiled`], and a pattern that exceeds it is
//! an error. Search caches, which only save time, are dropped if they exceed
//! [`Limits::cached`].

use regex_automata::meta::{BuildError, Cache, Config, Regex};
use regex_automata::util::syntax;

/// Memory limits for patterns, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// The automaton of one compiled pattern.
    pub(super) one: usize,
    /// All compiled patterns together.
    pub(super) compiled: usize,
    /// The search caches of all patterns together.
    pub(super) cached: usize,
}

impl Limits {
    /// 4 MiB for one pattern, 128 MiB for all, and 64 MiB for search caches. The 3,053 patterns of
    /// Debian's policy take 9 MB, and 8 MB of caches once each was tried.
    pub(super) const DEFAULT: Self = Self { one: 4 << 20, compiled: 128 << 20, cached: 64 << 20 };
}

/// The maximum size of the search cache of one pattern in bytes: most are tried on few paths.
const CACHE_OF_ONE: usize = 1 << 18;

/// The patterns that were tried so far, by the index of their specification.
#[derive(Debug)]
pub(super) struct Compiled {
    limits: Limits,
    patterns: Vec<Option<Box<Pattern>>>,
    /// The size of all compiled patterns in bytes.
    compiled: usize,
    /// The size of the caches of all patterns in bytes.
    cached: usize,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    cache: Option<Cache>,
}

impl Compiled {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, patterns: Vec::new(), compiled: 0, cached: 0 }
    }

    /// Returns true if a path matches pattern `id`. `source` returns its text, and is called when
    /// the pattern is tried for the first time.
    ///
    /// # Errors
    /// Returns the end of a sentence about the pattern: the limit that it exceeds.
    pub(super) fn is_match(
        &mut self,
        id: usize,
        source: impl FnOnce() -> Result<String, String>,
        path: &[u8],
    ) -> Result<bool, String> {
        if self.patterns.len() <= id {
            self.patterns.resize_with(id + 1, || None);
        }
        let slot = &mut self.patterns[id];
        let pattern = match slot {
            Some(pattern) => pattern,
            None => {
                let regex = compile(&source()?, self.limits.one)?;
                self.compiled += regex.memory_usage();
                if self.compiled > self.limits.compiled {
                    return Err(format!(
                        "it and the patterns tried before it take more than {} bytes when compiled; repeat less in \
                         each by number",
                        self.limits.compiled
                    ));
                }
                slot.insert(Box::new(Pattern { regex, cache: None }))
            }
        };
        let before = pattern.cache.as_ref().map_or(0, Cache::memory_usage);
        let cache = pattern.cache.get_or_insert_with(|| pattern.regex.create_cache());
        let matches = pattern.regex.search_half_with(cache, &regex_automata::Input::new(path).earliest(true));
        // A cache may have shrunk: it is emptied when it is full.
        self.cached = (self.cached + cache.memory_usage()).saturating_sub(before);
        if self.cached > self.limits.cached {
            self.clear_caches();
        }
        Ok(matches.is_some())
    }

    fn clear_caches(&mut self) {
        self.patterns.iter_mut().flatten().for_each(|pattern| pattern.cache = None);
        self.cached = 0;
    }
}

fn compile(source: &str, limit: usize) -> Result<Regex, String> {
    let config =
        Config::new().utf8_empty(false).nfa_size_limit(Some(limit)).hybrid_cache_capacity(CACHE_OF_ONE);
    let syntax = syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true);
    let built = Regex::builder().configure(config).syntax(syntax).build(source);
    built.map_err(|error: BuildError| match (error.size_limit(), error.syntax_error()) {
        (Some(limit), _) => format!("it takes more than {limit} bytes when compiled"),
        (None, Some(error)) => error.to_string(),
        (None, None) => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: String) -> impl FnOnce() -> Result<String, String> {
        move || Ok(text)
    }

    /// Returns distinct patterns, each of some 100 KiB when compiled.
    fn large(id: usize) -> String {
        format!("^/(?:.{{1000}}|b{id})*$")
    }

    #[test]
    fn all_patterns_share_one_budget() {
        let mut compiled = Compiled::new(Limits { compiled: 1 << 20, ..Limits::DEFAULT });
        let refused = (0..1000).find_map(|id| compiled.is_match(id, source(large(id)), b"/x").err());
        let refused = refused.expect("a thousand of them are too much");
        assert!(refused.contains("take more than 1048576 bytes when compiled"), "{refused}");
        let count = compiled.patterns.iter().flatten().count();
        assert!((2..200).contains(&count), "{count} patterns fit");
        assert!(compiled.patterns.iter().flatten().all(|pattern| pattern.regex.memory_usage() < 1 << 20));
        // The compiled pattern is still in memory.
        assert_eq!(compiled.is_match(0, || Err("compiled again".to_owned()), b"/b0b0"), Ok(true));
    }

    #[test]
    fn caches_of_searches_are_cleared_in_time() {
        let limits = Limits { cached: 1 << 20, ..Limits::DEFAULT };
        let mut compiled = Compiled::new(limits);
        let paths: Vec<Vec<u8>> =
            (0..50).map(|seed: u32| (0..200).map(|at: u32| b'a' + (seed * at % 7) as u8).collect()).collect();
        let mut most = 0;
        for id in 0..40 {
            // A search caches a state for each combination of the last twelve bytes.
            let text = format!("^.*[ab{id}].{{12}}$");
            for path in &paths {
                let found = compiled.is_match(id, source(text.clone()), path).expect("it is small");
                let expected = matches!(path[path.len() - 13], b'a' | b'b');
                assert_eq!(found, expected, "{text} {}", path.escape_ascii());
                most = most.max(compiled.cached);
            }
        }
        let held: usize =
            compiled.patterns.iter().flatten().flat_map(|one| &one.cache).map(Cache::memory_usage).sum();
        assert_eq!(held, compiled.cached, "every byte is counted");
        assert!(most > 100_000 && most <= limits.cached, "{most} bytes");
    }
}
