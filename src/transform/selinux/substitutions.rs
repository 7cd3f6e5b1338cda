//! `file_contexts.subs` and `file_contexts.subs_dist`: directories that are labelled like others.

use super::line::is_space;

/// The substitutions of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Substitutions(Vec<(Vec<u8>, Vec<u8>)>);

/// The maximum number of lines in a file, each of which is tried on every path.
const MAX_LINES: usize = 4096;

impl Substitutions {
    /// Parses lines of a path and its substitute. Lines without two fields are ignored, as by
    /// libselinux.
    ///
    /// # Errors
    /// Returns a sentence if there are too many lines.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let pair = |line: &[u8]| {
            let mut fields = line.split(|byte| is_space(*byte)).filter(|field| !field.is_empty());
            let (from, to) = (fields.next()?, fields.next()?);
            (!from.starts_with(b"#")).then(|| (from.to_vec(), to.to_vec()))
        };
        let pairs: Vec<_> = text.split(|byte| *byte == b'\n').filter_map(pair).take(MAX_LINES + 1).collect();
        if pairs.len() > MAX_LINES {
            return Err(format!("it has more than {MAX_LINES} substitutions"));
        }
        Ok(Self(pairs))
    }

    /// Returns the substitute of a path, if a line is for it or one of its parents. The last such
    /// line wins.
    pub(super) fn apply(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.iter().rev().find_map(|(from, to)| {
            let rest = path.strip_prefix(from.as_slice())?;
            match rest {
                [] => Some(to.clone()),
                [b'/', behind @ ..] => {
                    let rest = if to == b"/" { behind } else { rest };
                    Some([to, rest].concat())
                }
                _ => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_matching_line_is_applied() {
        let text =
            b"# /x /y\n/run /var/run\n/srv/root /\n /lib64\t/usr/lib extra\n/lone\n/run/lock /var/lock\n";
        let substitutions = Substitutions::parse(text).expect("a few lines");
        for (path, expected) in [
            ("/run", Some("/var/run")),
            ("/run/a/b", Some("/var/run/a/b")),
            ("/runner", None),
            ("/run/lock/x", Some("/var/lock/x")),
            ("/srv/root", Some("/")),
            ("/srv/root/etc", Some("/etc")),
            ("/lib64/x.so", Some("/usr/lib/x.so")),
            ("/lone", None),
            ("/x", None),
        ] {
            let found =
                substitutions.apply(path.as_bytes()).map(|path| String::from_utf8_lossy(&path).into_owned());
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn the_number_of_lines_is_limited() {
        let lines = |count| "/a /b\n".repeat(count);
        assert!(Substitutions::parse(lines(4096).as_bytes()).is_ok());
        let error = Substitutions::parse(lines(4097).as_bytes()).expect_err("one too many");
        assert_eq!(error, "it has more than 4096 substitutions");
    }
}
