//! The interpreter of a script: the `#!` line as the kernel reads it, and the program that `env`
//! runs.
//!
//! The kernel takes the name after `#!` up to a space or tab as a path, and the rest of the line,
//! without the whitespace at both ends, as one argument. It reads only the first 256 bytes of the
//! file: a longer argument is truncated, a longer path is rejected. A file in a format unknown to
//! the kernel is only run by shells, so it is not a script here. Formats of `binfmt_misc` depend on
//! the running kernel and are ignored.

use std::collections::VecDeque;

use thiserror::Error;

use crate::closure::Kind;
use crate::closure::dependency::{Dependencies, PATH, Target};

/// The number of bytes of a file that the kernel reads for `#!`.
pub const MAX_START: usize = 256;

/// The maximum number of scripts in a chain of interpreters before the program: with a sixth, the
/// kernel returns `ELOOP`.
pub const MAX_SCRIPTS: usize = 5;

/// The search path if `PATH` is not set: `execvp` of glibc.
const PATH_UNSET: [&[u8]; 2] = [b"/bin", b"/usr/bin"];

/// A `#!` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shebang {
    /// The path of the program, as written.
    pub interpreter: Vec<u8>,
    /// The rest of the line.
    pub argument: Option<Vec<u8>>,
}

/// The reason why the kernel would reject a script.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ShebangError {
    /// The text after `#!` is empty.
    #[error("its #! line names no interpreter")]
    Empty,
    /// The path is truncated.
    #[error(
        "the interpreter in its #! line does not end within the first 256 bytes, which are all the kernel reads"
    )]
    Truncated,
}

impl Shebang {
    /// Parses the start of a file; only its first [`MAX_START`] bytes are used. Returns `None` if
    /// it does not start with `#!`.
    ///
    /// # Errors
    /// Returns an error if the kernel would return `ENOEXEC`.
    pub fn parse(start: &[u8]) -> Result<Option<Self>, ShebangError> {
        let Some(rest) = start.strip_prefix(b"#!") else { return Ok(None) };
        // The last byte of the kernel's buffer is not used, unless it ends the line.
        let window = &rest[..rest.len().min(MAX_START - 2)];
        let (line, is_whole) = match window.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&window[..end], true),
            None if rest.len() < MAX_START - 2 => (window, true),
            None => (&window[..MAX_START - 3], false),
        };
        let line = trim(line);
        let is_end = |byte: &u8| is_blank(*byte) || *byte == 0;
        let skipped = window.iter().take_while(|byte| is_blank(**byte)).count();
        // The byte after the window may end the path, but is not used otherwise.
        if !is_whole && !line.is_empty() && !window[skipped..].iter().any(is_end) {
            return Err(ShebangError::Truncated);
        }
        let end = line.iter().position(is_end);
        let (interpreter, rest) = line.split_at(end.unwrap_or(line.len()));
        if interpreter.is_empty() {
            return Err(ShebangError::Empty);
        }
        // A NUL after the path means that there is no argument; within the argument it ends it.
        let argument = if rest.first() == Some(&0) { b"" } else { trim(rest) };
        let argument = argument.split(|byte| *byte == 0).next().unwrap_or_default();
        let argument = (!argument.is_empty()).then(|| argument.to_vec());
        Ok(Some(Self { interpreter: interpreter.to_vec(), argument }))
    }

    /// Returns the interpreter, and the program that `env` runs if it is the interpreter.
    #[must_use]
    pub fn dependencies(&self) -> Dependencies {
        let mut dependencies = Dependencies::default();
        let interpreter = &self.interpreter;
        if !interpreter.starts_with(b"/") {
            dependencies.unknown.push(format!(
                "its interpreter \"{}\" is not an absolute path, so the directory it is started in decides",
                interpreter.escape_ascii()
            ));
            return dependencies;
        }
        let is = format!("is the interpreter of \"#!{}\"", self.line().escape_ascii());
        dependencies.add(Target::File(vec![interpreter.clone()]), Kind::Script, true, is);
        if let (true, Some(argument)) = (interpreter.ends_with(b"/env"), &self.argument) {
            let program = match program_of_env(argument) {
                Ok(program) => program,
                Err(problem) => {
                    dependencies.unknown.push(format!("\"#!{}\" {problem}", self.line().escape_ascii()));
                    return dependencies;
                }
            };
            let directories: Vec<&[u8]> = program.directories.iter().map(|path| &path[..]).collect();
            let is = format!("is what env runs for \"#!{}\"", self.line().escape_ascii());
            if program.name.starts_with(b"/") || !program.name.contains(&b'/') {
                dependencies.add(Target::program(&program.name, &directories), Kind::Script, true, is);
            } else {
                dependencies.unknown.push(format!(
                    "\"#!{}\" starts a program at a relative path, so the directory it is started in decides",
                    self.line().escape_ascii()
                ));
            }
        }
        dependencies
    }

    fn line(&self) -> Vec<u8> {
        match &self.argument {
            Some(argument) => [&self.interpreter[..], b" ", argument].concat(),
            None => self.interpreter.clone(),
        }
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Strips spaces and tabs at both ends.
fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_blank(*byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_blank(*byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

struct Program {
    name: Vec<u8>,
    directories: Vec<Vec<u8>>,
}

/// A word of `env`'s command line.
struct Word {
    text: Vec<u8>,
    /// True if it contains a variable.
    is_variable: bool,
}

/// Returns the program that `env` runs for the single argument that the kernel passes.
fn program_of_env(argument: &[u8]) -> Result<Program, String> {
    const ITSELF: &str = "makes env run the script itself again";
    let mut words = VecDeque::from([Word { text: argument.to_vec(), is_variable: false }]);
    let mut directories: Vec<Vec<u8>> = PATH.iter().map(|path| path.to_vec()).collect();
    let unset = || PATH_UNSET.iter().map(|path| path.to_vec()).collect();
    options(&mut words, |option| {
        if option.is_none_or(|variable| variable == b"PATH") {
            directories = unset();
        }
    })?;
    loop {
        let word = words.pop_front().ok_or(ITSELF)?;
        match word.text.iter().position(|byte| *byte == b'=') {
            Some(equals) if word.text.starts_with(b"PATH=") => {
                if word.is_variable {
                    return Err("sets PATH from a variable, which is known only at run time".into());
                }
                let list = word.text[equals + 1..].split(|byte| *byte == b':');
                directories = list.filter(|path| path.starts_with(b"/")).map(<[u8]>::to_vec).collect();
            }
            Some(_) => {}
            None if word.is_variable => {
                return Err("runs what a variable says, which is known only at run time".into());
            }
            None => return Ok(Program { name: word.text, directories }),
        }
    }
}

/// Removes the options from the words, and replaces `-S` by the words of its string. `unset` is
/// called with each variable that is removed from the environment, and with `None` if all are.
fn options(words: &mut VecDeque<Word>, mut unset: impl FnMut(Option<&[u8]>)) -> Result<(), String> {
    const NO_VALUE: &str = "has an option of env without its value";
    while let Some(word) = words.front() {
        if !word.text.starts_with(b"-") {
            return Ok(());
        }
        let word = words.pop_front().expect("it was looked at").text;
        let equals = word.iter().position(|byte| *byte == b'=').unwrap_or(word.len());
        let (name, value) = (&word[..equals], word.get(equals + 1..));
        let value_or_next = |words: &mut VecDeque<Word>| match value {
            Some(value) => Ok(value.to_vec()),
            None => words.pop_front().map(|word| word.text).ok_or(NO_VALUE),
        };
        match name {
            b"--" => return Ok(()),
            b"-" | b"--ignore-environment" => unset(None),
            b"--unset" => unset(Some(&value_or_next(words)?)),
            b"--chdir" | b"--argv0" => drop(value_or_next(words)?),
            b"--split-string" => {
                let string = value_or_next(words)?;
                put_in_front(words, split(&string)?);
            }
            b"--debug"
            | b"--null"
            | b"--default-signal"
            | b"--ignore-signal"
            | b"--block-signal"
            | b"--list-signal-handling" => {}
            _ if word.starts_with(b"--") => {
                return Err(format!("has the option {} of env, which is not known", word.escape_ascii()));
            }
            _ => short_options(&word[1..], words, &mut unset)?,
        }
    }
    Ok(())
}

fn short_options(
    letters: &[u8],
    words: &mut VecDeque<Word>,
    unset: &mut impl FnMut(Option<&[u8]>),
) -> Result<(), String> {
    let mut letters = letters;
    while let [letter, rest @ ..] = letters {
        letters = rest;
        if let b'i' | b'0' | b'v' = letter {
            if *letter == b'i' {
                unset(None);
            }
            continue;
        }
        if !b"uCaS".contains(letter) {
            return Err(match letter {
                b' ' | b'\t' => "needs -S: env takes the whole rest of the line for one option".into(),
                _ => format!("has the option -{} of env, which is not known", letter.escape_ascii()),
            });
        }
        let value = if rest.is_empty() {
            words.pop_front().ok_or("has an option of env without its value")?.text
        } else {
            rest.to_vec()
        };
        match letter {
            b'u' => unset(Some(&value)),
            b'S' => put_in_front(words, split(&value)?),
            _ => {}
        }
        return Ok(());
    }
    Ok(())
}

fn put_in_front(words: &mut VecDeque<Word>, first: Vec<Word>) {
    for word in first.into_iter().rev() {
        words.push_front(word);
    }
}

/// Splits the string of `env -S` into words.
fn split(string: &[u8]) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote = None;
    let mut rest = string;
    while let [byte, after @ ..] = rest {
        rest = after;
        let is_new = word.is_none();
        let mut push = |byte: u8| {
            word.get_or_insert_with(|| Word { text: Vec::new(), is_variable: false }).text.push(byte);
        };
        match (*byte, quote) {
            (b'\\', Some(b'\'')) if !matches!(after.first(), Some(b'\\' | b'\'')) => push(b'\\'),
            (b'\\', _) => {
                let [escaped, after @ ..] = after else {
                    return Err("ends in a backslash, which env refuses".into());
                };
                rest = after;
                match (*escaped, quote) {
                    (b'c', None) => break,
                    (b'_', None) => words.extend(word.take()),
                    (b'_', Some(_)) => push(b' '),
                    (escaped, _) => push(unescaped(escaped)?),
                }
            }
            (byte @ (b'"' | b'\''), None) => {
                quote = Some(byte);
                word.get_or_insert_with(|| Word { text: Vec::new(), is_variable: false });
            }
            (byte, Some(open)) if byte == open => quote = None,
            (b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, None) => words.extend(word.take()),
            (b'#', None) if is_new => break,
            (b'$', open) if open != Some(b'\'') => {
                push(b'$');
                word.as_mut().expect("it has a byte").is_variable = true;
            }
            (byte, _) => push(byte),
        }
    }
    if quote.is_some() {
        return Err("has a quote without its end, which env refuses".into());
    }
    words.extend(word);
    Ok(words)
}

fn unescaped(byte: u8) -> Result<u8, String> {
    Ok(match byte {
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'"' | b'#' | b'$' | b'\'' | b'\\' => byte,
        _ => return Err(format!("has \\{}, which env refuses", byte.escape_ascii())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shebang(line: &[u8]) -> Result<Option<(String, Option<String>)>, ShebangError> {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let parsed = Shebang::parse(line)?;
        Ok(parsed.map(|found| (text(&found.interpreter), found.argument.as_deref().map(text))))
    }

    fn check(line: &[u8], interpreter: &str, argument: Option<&str>) {
        let expected = Some((interpreter.to_owned(), argument.map(str::to_owned)));
        assert_eq!(shebang(line), Ok(expected), "{}", line.escape_ascii());
    }

    #[test]
    fn shebang_lines_are_parsed_as_by_the_kernel() {
        check(b"#!/bin/sh\n", "/bin/sh", None);
        check(b"#!/bin/sh", "/bin/sh", None);
        check(b"#! \t /bin/echo  \t a b  \t \nfoo", "/bin/echo", Some("a b"));
        check(b"#!/bin/echo\0 a\n", "/bin/echo", None);
        check(b"#!/bin/echo a\0b\n", "/bin/echo", Some("a"));
        check(b"#!/bin/sh\r\n", "/bin/sh\\r", None);
        assert_eq!(shebang(b"#!\n"), Err(ShebangError::Empty));
        assert_eq!(shebang(b"#!   \nfoo"), Err(ShebangError::Empty));
        assert_eq!(shebang(&[b"#!".to_vec(), vec![b' '; 400]].concat()), Err(ShebangError::Empty));
        assert_eq!(shebang(b""), Ok(None));
        assert_eq!(shebang(b"\x7fELF"), Ok(None));
    }

    /// As observed with a kernel: it truncated the argument, so that `#!/bin/echo` printed 243
    /// letters.
    #[test]
    fn long_shebang_lines_are_truncated_as_by_the_kernel() {
        let argument = [&b"#!/bin/echo "[..], &[b'a'; 400], b"\n"].concat();
        check(&argument, "/bin/echo", Some(&"a".repeat(243)));
        let spaces = [&b"#!/bin/echo"[..], &[b' '; 400], b"x\n"].concat();
        check(&spaces, "/bin/echo", None);
        let path = |len: usize| [&b"#!"[..], &vec![b'/'; len - 2 - 8], b"bin/echo"].concat();
        let check_path = |file: &[u8], len: usize| {
            let found = Shebang::parse(file).map(|found| found.expect("a script").interpreter.len());
            assert_eq!(found, Ok(len - 2));
        };
        check_path(&[&path(254)[..], b" x\n"].concat(), 254);
        check_path(&[&path(255)[..], b"\n"].concat(), 255);
        check_path(&[&path(255)[..], b" x\n"].concat(), 255);
        check_path(&path(255), 255);
        assert_eq!(shebang(&[&path(256)[..], b"\n"].concat()), Err(ShebangError::Truncated));
        assert_eq!(shebang(&[&path(300)[..], b"\n"].concat()), Err(ShebangError::Truncated));
    }

    fn env(argument: &str) -> Result<(String, Vec<Vec<u8>>), String> {
        let program = program_of_env(argument.as_bytes())?;
        Ok((program.name.escape_ascii().to_string(), program.directories))
    }

    fn check_env(argument: &str, program: &str) {
        assert_eq!(env(argument).map(|(name, _)| name).as_deref(), Ok(program), "{argument}");
    }

    #[test]
    fn env_finds_the_program_behind_its_options() {
        check_env("python3", "python3");
        // Without -S this is one word, which makes env fail.
        check_env("python3 -u", "python3 -u");
        check_env("-S python3 -u", "python3");
        check_env("-Spython3 -u", "python3");
        check_env("-vS python3", "python3");
        check_env("-iS python3", "python3");
        check_env("--split-string=python3 -u", "python3");
        check_env("-S -i -u HOME --unset=X A=b C='d e' perl -w", "perl");
        check_env("-S 'my program'", "my program");
        check_env("-S a\\_b", "a");
        check_env("-S \"a\\_b\"", "a b");
        check_env("-S perl # -w", "perl");
        check_env("-S perl $X ${Y}", "perl");
        check_env("-S --chdir=/tmp -- sh", "sh");
    }

    #[test]
    fn path_of_env_is_searched() {
        let directories = |argument| env(argument).expect("it is found").1;
        assert_eq!(directories("-S PATH=/opt/bin:/x sh"), [b"/opt/bin".to_vec(), b"/x".to_vec()]);
        assert_eq!(directories("-S -i sh"), PATH_UNSET);
        assert_eq!(directories("-S -u PATH sh"), PATH_UNSET);
        assert_eq!(directories("-S -u HOME sh"), PATH);
    }

    #[test]
    fn invalid_arguments_of_env_are_errors() {
        for argument in ["-i sh", "-x", "A=b", "-S", "-S ''$X", "-S 'a", "-S a\\", "-S \\q", "--unset", "-i"]
        {
            assert!(env(argument).is_err(), "{argument}");
        }
    }

    #[test]
    fn scripts_depend_on_env_and_its_program() {
        let shebang = Shebang::parse(b"#!/usr/bin/env python3\n").expect("good").expect("a script");
        let dependencies = shebang.dependencies();
        let [interpreter, program] = &dependencies.known[..] else { panic!("two") };
        assert_eq!(interpreter.target, Target::File(vec![b"/usr/bin/env".to_vec()]));
        let Target::File(candidates) = &program.target else { panic!("a file") };
        assert_eq!(candidates.last().map(|path| &path[..]), Some(&b"/bin/python3"[..]));
        let relative = Shebang::parse(b"#!sh\n").expect("good").expect("a script").dependencies();
        assert_eq!((relative.known.len(), relative.unknown.len()), (0, 1));
    }
}
