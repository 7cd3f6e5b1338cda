//! The rules of systemd.preset(5).

use image_tree::Shown;
use image_tree::glob::FlatGlob;

use super::super::site::Site;
use super::super::specifiers::words;
use crate::closure::config::unit::install::{instance, template_of};
use crate::error::{Error, ErrorKind, Result};

/// The maximum number of rules, each of which is compared with each unit.
const MAX_RULES: usize = 20_000;

/// The decision of a rule about a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Enable,
    /// These instances of a template are enabled, and not its default one.
    EnableInstances(Vec<Vec<u8>>),
    Disable,
}

/// All rules; the first that matches a unit decides.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: Vec<u8>,
    /// `None` if the pattern is not one, and stands for itself.
    glob: Option<FlatGlob>,
    is_enable: bool,
    instances: Vec<Vec<u8>>,
}

impl Rules {
    /// Reads the files of a tree. Lines that are not of the format are reported.
    ///
    /// # Errors
    /// If a file cannot be read, or there are too many rules.
    pub(super) fn read(site: &mut Site<'_>) -> Result<Self> {
        let mut rules = Self::default();
        for path in site.configuration("systemd/system-preset", ".preset") {
            let text = site.text(&path)?.unwrap_or_default();
            for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
                let line = line.trim_ascii();
                if matches!(line.first(), None | Some(b'#' | b';')) {
                    continue;
                }
                match Rule::parse(line) {
                    Ok(rule) => rules.0.push(rule),
                    Err(why) => site.problem(format!("{}:{}: {why}", Shown(&path), number + 1)),
                }
            }
            if rules.0.len() > MAX_RULES {
                let message = format!("--configure presets: there are more than {MAX_RULES} rules");
                return Err(Error::new(ErrorKind::BadInput, message));
            }
        }
        Ok(rules)
    }

    /// Returns what is to be done with a unit: it is enabled if no rule matches it.
    pub(super) fn decide(&self, unit: &[u8]) -> Decision {
        self.0.iter().find_map(|rule| rule.decide(unit)).unwrap_or(Decision::Enable)
    }
}

impl Rule {
    fn parse(line: &[u8]) -> Result<Self, String> {
        let (key, rest) = match line.iter().position(u8::is_ascii_whitespace) {
            Some(end) => (&line[..end], line[end..].trim_ascii()),
            None => (line, &b""[..]),
        };
        let is_enable = match key {
            b"enable" => true,
            b"disable" => false,
            other => return Err(format!("\"{}\" is neither enable nor disable", Shown(other))),
        };
        if rest.is_empty() {
            return Err("a rule has the name of a unit".to_owned());
        }
        let (mut pattern, mut instances) = (rest.to_vec(), Vec::new());
        if is_enable && rest.contains(&b' ') | rest.contains(&b'\t') {
            let mut all = words(&escaped(rest))?.into_iter();
            pattern = all.next().unwrap_or_default();
            instances = all.collect();
            if instances.iter().any(|name| instance(&pattern, name).is_none()) {
                return Err(format!("\"{}\" has instances and is not a template", Shown(&pattern)));
            }
        }
        let glob = FlatGlob::parse(&escaped(&pattern)).ok();
        Ok(Self { pattern, glob, is_enable, instances })
    }

    fn decide(&self, unit: &[u8]) -> Option<Decision> {
        if !self.instances.is_empty() {
            if self.pattern == unit {
                let names = self.instances.iter().filter_map(|name| instance(unit, name));
                return Some(Decision::EnableInstances(names.collect()));
            }
            let of = template_of(unit)
                .filter(|(template, name)| *template == self.pattern && self.instances.contains(name));
            return of.map(|_| Decision::Enable);
        }
        let matches = match &self.glob {
            Some(glob) => glob.matches(unit),
            None => self.pattern == unit,
        };
        let decision = if self.is_enable { Decision::Enable } else { Decision::Disable };
        matches.then_some(decision)
    }
}

/// Returns a pattern in which backslashes, which names of units have, stand for themselves.
fn escaped(pattern: &[u8]) -> Vec<u8> {
    pattern.iter().flat_map(|byte| if *byte == b'\\' { vec![b'\\', b'\\'] } else { vec![*byte] }).collect()
}
