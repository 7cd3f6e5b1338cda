//! The configuration of modprobe: the files of `modprobe.d`, and the indices of the same syntax.

mod lines;

use crate::fnmatch::fnmatch;
use crate::module::SoftDependencies;
use crate::name::{normalize_alias, with_underscores};
use lines::{lines, rest, word};

/// The directories of configuration, the one that counts most first. A file hides those of its name
/// in later ones.
pub const CONFIG_DIRECTORIES: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

/// The configuration of modprobe, in the order of its lines.
///
/// modprobe reads the files ending in `.conf` of [`CONFIG_DIRECTORIES`] and `modules.softdep` and
/// `modules.weakdep` of the version together in the order of their names; [`Config::add`] in this
/// order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// `alias PATTERN MODULE`
    pub aliases: Vec<ConfigAlias>,
    /// `softdep PATTERN pre: NAME… post: NAME…`
    pub softdeps: Vec<ConfigSoftdep>,
    /// `weakdep PATTERN NAME…`
    pub weakdeps: Vec<ConfigWeakdep>,
    /// `options NAME TEXT`
    pub options: Vec<ConfigText>,
    /// `blacklist NAME`
    pub blacklist: Vec<Vec<u8>>,
    /// `install PATTERN COMMAND`
    pub install: Vec<ConfigText>,
    /// `remove PATTERN COMMAND`
    pub remove: Vec<ConfigText>,
}

/// A line `alias`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigAlias {
    /// The pattern of names that stand for the module.
    pub pattern: Vec<u8>,
    /// The name of the module.
    pub module: Vec<u8>,
}

/// A line `softdep`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSoftdep {
    /// The pattern of the names of modules.
    pub pattern: Vec<u8>,
    /// The modules to load before and after.
    pub dependencies: SoftDependencies,
}

/// A line `weakdep`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWeakdep {
    /// The pattern of the names of modules.
    pub pattern: Vec<u8>,
    /// The names or aliases of modules that it may load, as they are.
    pub names: Vec<Vec<u8>>,
}

/// A line `options`, `install` or `remove`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigText {
    /// The name of a module, or, of commands, a pattern.
    pub name: Vec<u8>,
    /// The rest of the line: options or a command.
    pub text: Vec<u8>,
}

/// A line that modprobe ignores with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredLine {
    /// The number of the line, from 1.
    pub line: usize,
    /// Its first word.
    pub word: Vec<u8>,
}

impl Config {
    /// Adds the lines of a file, and returns those that are not valid.
    pub fn add(&mut self, text: &[u8]) -> Vec<IgnoredLine> {
        let mut ignored = Vec::new();
        for (number, line) in lines(text) {
            if line.first() == Some(&b'#') {
                continue;
            }
            let mut words = &line[..];
            let Some(command) = word(&mut words) else { continue };
            if self.add_line(command, words).is_none() {
                ignored.push(IgnoredLine { line: number, word: command.to_vec() });
            }
        }
        ignored
    }

    /// Adds a line; `None` if it is not valid.
    fn add_line(&mut self, command: &[u8], mut words: &[u8]) -> Option<()> {
        let name = normalize_alias(word(&mut words)?)?;
        match command {
            b"alias" => {
                let module = normalize_alias(word(&mut words)?)?;
                self.aliases.push(ConfigAlias { pattern: name, module });
            }
            b"blacklist" => self.blacklist.push(name),
            b"options" => {
                let text = rest(words)?.iter().map(|byte| if *byte == b'\t' { b' ' } else { *byte });
                self.options.push(ConfigText { name, text: text.collect() });
            }
            b"install" => self.install.push(ConfigText { name, text: rest(words)?.to_vec() }),
            b"remove" => self.remove.push(ConfigText { name, text: rest(words)?.to_vec() }),
            b"softdep" => {
                let dependencies = SoftDependencies::parse(rest(words)?);
                self.softdeps.push(ConfigSoftdep { pattern: name, dependencies });
            }
            b"weakdep" => {
                let names = rest(words)?.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                let names = names.map(<[u8]>::to_vec).collect();
                self.weakdeps.push(ConfigWeakdep { pattern: name, names });
            }
            _ => return None,
        }
        Some(())
    }

    /// The soft dependencies of a module: those of the first line whose pattern matches its name.
    #[must_use]
    pub fn soft_dependencies(&self, module: &[u8]) -> Option<&SoftDependencies> {
        let found = self.softdeps.iter().find(|line| fnmatch(&line.pattern, module));
        found.map(|line| &line.dependencies)
    }

    /// The names or aliases of the modules that a module may load: those of the first line whose
    /// pattern matches its name.
    #[must_use]
    pub fn weak_dependencies(&self, module: &[u8]) -> &[Vec<u8>] {
        let found = self.weakdeps.iter().find(|line| fnmatch(&line.pattern, module));
        found.map_or(&[], |line| &line.names)
    }

    /// The modules that a name or alias stands for.
    pub fn aliases_of<'c>(&'c self, name: &'c [u8]) -> impl Iterator<Item = &'c [u8]> {
        let matching = self.aliases.iter().filter(|line| fnmatch(&line.pattern, name));
        matching.map(|line| line.module.as_slice())
    }

    /// The options of a module, joined by blanks; `None` without any.
    #[must_use]
    pub fn options_of(&self, module: &[u8]) -> Option<Vec<u8>> {
        let lines: Vec<&[u8]> =
            self.options.iter().filter(|line| line.name == module).map(|line| line.text.as_slice()).collect();
        (!lines.is_empty()).then(|| lines.join(&b' '))
    }

    /// Returns true if modprobe does not load a module for an alias.
    #[must_use]
    pub fn is_blacklisted(&self, module: &[u8]) -> bool {
        self.blacklist.iter().any(|name| with_underscores(name) == module)
    }

    /// The command that modprobe runs in place of loading a module.
    #[must_use]
    pub fn install_command(&self, module: &[u8]) -> Option<&[u8]> {
        self.install.iter().find(|line| fnmatch(&line.name, module)).map(|line| line.text.as_slice())
    }

    /// The command that modprobe runs in place of removing a module.
    #[must_use]
    pub fn remove_command(&self, module: &[u8]) -> Option<&[u8]> {
        self.remove.iter().find(|line| fnmatch(&line.name, module)).map(|line| line.text.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_commands_are_read() {
        let mut config = Config::default();
        let text = b"# comment\n\nalias eth-* e1000\noptions e1000 a=1\tb=2\nblacklist pc-spkr\n\
                     install floppy /bin/false  x\nremove floppy /bin/true\n\
                     softdep a-b pre: c d post: e\nweakdep a-b f \\\n g\n  blacklist two\noptions e1000 c=3";
        assert_eq!(config.add(text), []);
        assert_eq!(config.aliases_of(b"eth_0").collect::<Vec<_>>(), [b"e1000"]);
        assert_eq!(config.options_of(b"e1000").as_deref(), Some(&b"a=1 b=2 c=3"[..]));
        assert_eq!(config.options_of(b"none"), None);
        assert!(config.is_blacklisted(b"pc_spkr") && config.is_blacklisted(b"two"));
        assert_eq!(config.install_command(b"floppy"), Some(&b"/bin/false  x"[..]));
        assert_eq!(config.remove_command(b"floppy"), Some(&b"/bin/true"[..]));
        let soft = config.soft_dependencies(b"a_b").expect("there is a line");
        assert_eq!(
            (soft.pre.as_slice(), soft.post.as_slice()),
            (&[b"c".to_vec(), b"d".to_vec()][..], &[b"e".to_vec()][..])
        );
        assert_eq!(config.weak_dependencies(b"a_b"), [b"f", b"g"]);
    }

    #[test]
    fn only_the_first_softdep_counts() {
        let mut config = Config::default();
        assert_eq!(config.add(b"softdep x pre: a\nsoftdep x pre: b\n"), []);
        assert_eq!(config.soft_dependencies(b"x").expect("there is one").pre, [b"a"]);
    }

    #[test]
    fn invalid_lines_are_returned_with_their_numbers() {
        let mut config = Config::default();
        let ignored = config.add(b"alias a\n\\\ninclude /etc\nfoo bar\noptions x\nalias [ b\nalias a b c\n");
        let found: Vec<(usize, &str)> =
            ignored.iter().map(|line| (line.line, std::str::from_utf8(&line.word).expect("ASCII"))).collect();
        assert_eq!(found, [(1, "alias"), (3, "include"), (4, "foo"), (5, "options"), (6, "alias")]);
        assert_eq!(config.aliases.len(), 1);
    }
}
