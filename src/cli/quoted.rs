//! Arguments in messages about the command line.
//!
//! clap and its value parsers quote arguments unchanged. A message that quotes one with control
//! characters is generated again from escaped arguments.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use image_tree::Shown;

/// Returns the error of parsing these arguments with a message that is safe on a terminal.
pub(super) fn escape<T>(
    error: clap::Error,
    arguments: &[OsString],
    parse: impl Fn(&[OsString]) -> Result<T, clap::Error>,
) -> clap::Error {
    if !error.use_stderr() {
        return error;
    }
    // Messages without a context are our own, which escape what they quote.
    if error.context().next().is_none() {
        return plain(&error);
    }
    let is_plain = |argument: &OsString| Shown::is_plain(argument.as_bytes());
    if arguments.iter().all(is_plain) {
        return error;
    }
    let escaped: Vec<OsString> = arguments
        .iter()
        .map(|argument| match is_plain(argument) {
            true => argument.clone(),
            false => Shown(argument.as_bytes()).to_string().into(),
        })
        .collect();
    match parse(&escaped) {
        Err(again) if again.kind() == error.kind() && again.use_stderr() => plain(&again),
        // Escaped arguments may have another meaning. Then the message stays on one line.
        _ => {
            let line = text_of(&error).trim_end().replace('\n', "\\n");
            clap::Error::raw(error.kind(), Shown::message(&line) + "\n")
        }
    }
}

/// Returns the same error without colours, which a raw message does not have.
fn plain(error: &clap::Error) -> clap::Error {
    clap::Error::raw(error.kind(), Shown::message(&text_of(error)))
}

fn text_of(error: &clap::Error) -> String {
    error.render().to_string().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn message(arguments: &[&str]) -> String {
        let arguments = arguments.iter().map(Into::into);
        parse(arguments).map_or_else(|error| error.render().to_string(), |request| format!("{request:?}"))
    }

    #[test]
    fn arguments_in_messages_are_escaped() {
        let evil = "evil\x1b[31m\nrootcast: warning: forged";
        for arguments in [
            &["rootcast", evil][..],
            &["rootcast", "tree", "source", "--owner", &format!("map:{evil}")],
            &["rootcast", "tree", "source", "--hardlinks", evil],
            &["rootcast", "tree", "source", "--mkdir", evil],
            &["rootcast", "tree", "source", &format!("--{evil}")],
            &["rootcast", "tree", "source", &format!("--max-size={evil}")],
            &["rootcast", "tree", "source", "--recipe", evil],
            &["rootcast", "image", "source", "-o", "out", "--size", evil],
            &["rootcast", "closure", "source", "--keep", &format!("/x[{evil}")],
        ] {
            let message = message(arguments);
            assert!(message.contains("evil\\x1b[31m\\nrootcast: warning: forged"), "{message}");
            let lines = message.split('\n');
            let mut forged = lines.filter(|line| line.starts_with("rootcast: ") || line.contains('\x1b'));
            assert_eq!(forged.next(), None, "{message}");
        }
    }

    #[test]
    fn plain_arguments_are_unchanged() {
        let message = message(&["rootcast", "tree", "source", "--hardlinks", "été"]);
        assert!(message.contains("'été'"), "{message}");
    }
}
