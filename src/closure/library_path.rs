//! `LD_LIBRARY_PATH` of programs, which their environment states and no file of theirs.

use image_tree::glob::Glob;

/// The `LD_LIBRARY_PATH` with which a program is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryPath {
    /// The program.
    pub program: ProgramPattern,
    /// The directories, between colons.
    pub directories: Vec<u8>,
    /// True if it has to apply to a program that is kept.
    pub is_requested: bool,
}

/// A program, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramPattern {
    /// The program at a path, after its links are followed.
    Path(Vec<u8>),
    /// Every program whose path without links matches.
    Glob {
        /// The pattern as it was written.
        text: Vec<u8>,
        /// The pattern.
        glob: Glob,
    },
}

impl LibraryPath {
    /// Returns the library path of the program at a path.
    #[must_use]
    pub fn of_program(path: Vec<u8>, directories: Vec<u8>) -> Self {
        Self { program: ProgramPattern::Path(path), directories, is_requested: false }
    }

    /// Parses `PROGRAM=DIR:…`, which is requested.
    ///
    /// # Errors
    /// Returns an error if the program or the directories are missing, one of the directories is not
    /// absolute, or a pattern is malformed.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let shown = text.escape_ascii();
        let equals = text.iter().position(|byte| *byte == b'=');
        let (program, directories) = match equals {
            Some(at) if text.starts_with(b"/") => (&text[..at], &text[at + 1..]),
            _ => return Err(format!("\"{shown}\" is not the absolute path of a program, = and directories")),
        };
        let mut parts = directories.split(|byte| *byte == b':');
        if let Some(part) = parts.find(|part| !part.starts_with(b"/") && !part.starts_with(b"$")) {
            let part = part.escape_ascii();
            return Err(format!("\"{part}\" in \"{shown}\" is not an absolute path of a directory"));
        }
        let program = match Glob::is_pattern(program) {
            true => ProgramPattern::Glob { text: program.to_vec(), glob: Glob::parse(program)? },
            false => ProgramPattern::Path(program.to_vec()),
        };
        Ok(Self { program, directories: directories.to_vec(), is_requested: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_paths_have_a_program_and_absolute_directories() {
        let parsed = LibraryPath::parse(b"/opt/app=/opt/lib:$ORIGIN/lib").expect("it is one");
        assert_eq!(parsed.program, ProgramPattern::Path(b"/opt/app".to_vec()));
        assert_eq!(parsed.directories, b"/opt/lib:$ORIGIN/lib");
        let pattern = LibraryPath::parse(b"/opt/*=/opt/lib").expect("it is one").program;
        assert!(matches!(pattern, ProgramPattern::Glob { .. }));
        for wrong in ["", "/opt/app", "/opt/app=", "/opt/app=lib", "app=/lib", "/a=/b::/c", "/[=/b"] {
            assert!(LibraryPath::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
