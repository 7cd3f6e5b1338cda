//! The lines of scripts that install an alternative.

use std::collections::BTreeSet;

use image_tree::Shown;

use super::super::specifiers::words;

/// `update-alternatives --install LINK NAME PATH PRIORITY [--slave LINK NAME PATH]…`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Install {
    pub(super) link: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) priority: i32,
    pub(super) slaves: Vec<Slave>,
}

/// A link that follows another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slave {
    pub(super) link: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) path: Vec<u8>,
}

/// The lines of a script.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) installs: Vec<Install>,
    /// Lines with variables, or of another form.
    pub(super) unknown: Vec<String>,
}

/// Finds the lines of a script that install alternatives.
pub(super) fn lines(script: &[u8]) -> Lines {
    let mut lines = Lines::default();
    let mut whole: Vec<u8> = Vec::new();
    for line in script.split(|byte| *byte == b'\n') {
        if let Some(continued) = line.strip_suffix(b"\\") {
            whole.extend(continued);
            whole.push(b' ');
            continue;
        }
        whole.extend(line);
        lines.add(whole.trim_ascii());
        whole.clear();
    }
    lines.add(whole.trim_ascii());
    lines
}

impl Lines {
    fn add(&mut self, line: &[u8]) {
        let Some(arguments) = line.strip_prefix(b"update-alternatives") else { return };
        // A comment ends the line, an operator the command.
        let words = words(arguments).unwrap_or_default();
        let is_end = |word: &Vec<u8>| {
            word.starts_with(b"#") || matches!(&word[..], b"||" | b"&&" | b";") || word.contains(&b'>')
        };
        let mut words: Vec<Vec<u8>> = words.into_iter().take_while(|word| !is_end(word)).collect();
        if let Some(last) = words.last_mut()
            && last.ends_with(b";")
        {
            last.pop();
        }
        words.retain(|word| !matches!(&word[..], b"--quiet" | b"--force"));
        if words.first().is_none_or(|word| word != b"--install") {
            return;
        }
        match Install::parse(&words[1..]) {
            Some(install) => self.installs.push(install),
            None => self.unknown.push(Shown(line).to_string()),
        }
    }
}

impl Install {
    /// Parses the arguments after `--install`; `None` if they are not literal or not of the form.
    fn parse(words: &[Vec<u8>]) -> Option<Self> {
        if words.iter().flatten().any(|byte| matches!(byte, b'$' | b'`' | b'*' | b'?')) {
            return None;
        }
        let [link, name, path, priority, rest @ ..] = words else { return None };
        let priority = str::from_utf8(priority).ok()?.parse().ok()?;
        let (slaves, []) = rest.as_chunks::<4>() else { return None };
        let slave = |[flag, link, name, path]: &[Vec<u8>; 4]| {
            let slave = Slave { link: link.clone(), name: name.clone(), path: path.clone() };
            (flag == b"--slave").then_some(slave)
        };
        let slaves = slaves.iter().map(slave).collect::<Option<Vec<_>>>()?;
        Some(Self { link: link.clone(), name: name.clone(), path: path.clone(), priority, slaves })
    }

    /// The links with their names.
    pub(super) fn links(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let slaves = self.slaves.iter().map(|slave| (&slave.link[..], &slave.name[..]));
        [(&self.link[..], &self.name[..])].into_iter().chain(slaves)
    }

    /// Checks names and paths.
    ///
    /// # Errors
    /// Returns the reason why they cannot be in the database.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        let mut links = BTreeSet::new();
        for (link, name) in self.links() {
            if name.is_empty() || name.iter().any(|byte| *byte == b'/' || byte.is_ascii_whitespace()) {
                return Err(format!("\"{}\" is not the name of an alternative", Shown(name)));
            }
            if matches!(name, b"." | b"..") || !names.insert(name) || !links.insert(link) {
                return Err(format!("{} with the link {} occurs twice", Shown(name), Shown(link)));
            }
        }
        let paths = self.slaves.iter().map(|slave| &slave.path).chain([&self.path]);
        for path in paths.map(Vec::as_slice).chain(links) {
            let is_plain = path.starts_with(b"/")
                && !path.contains(&b'\n')
                && !image_tree::path::components(path).any(|name| matches!(name, b"." | b".."));
            if !is_plain {
                return Err(format!("\"{}\" is not an absolute path", Shown(path)));
            }
        }
        let slaves = self.slaves.iter().map(|slave| (&slave.link, &slave.path));
        if let Some((link, _)) = slaves.chain([(&self.link, &self.path)]).find(|(link, path)| link == path) {
            return Err(format!("{} leads to itself", Shown(link)));
        }
        Ok(())
    }
}
