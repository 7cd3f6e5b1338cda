//! Texts with signatures behind them (RFC 9580, 7).
//!
//! ```text
//! -----BEGIN PGP SIGNED MESSAGE-----
//! Hash: SHA512
//!
//! text, in which lines that begin with a dash have "- " before them
//! -----BEGIN PGP SIGNATURE-----
//! …
//! -----END PGP SIGNATURE-----
//! ```
//!
//! Anything that is not signed is refused: other headers than `Hash`, and bytes before or behind. The
//! text that is returned is the one which is signed, without blanks at the ends of lines.

/// The first and last lines of blocks.
const BEGIN_MESSAGE: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const BEGIN_SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END_SIGNATURE: &str = "-----END PGP SIGNATURE-----";

/// A text and its signatures, which are not verified yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cleartext<'b> {
    /// The text, whose lines end with LF.
    pub(super) text: String,
    /// The names of digests in `Hash` headers.
    pub(super) hashes: Vec<&'b str>,
    /// The block of signatures.
    pub(super) signatures: &'b str,
}

impl<'b> Cleartext<'b> {
    /// Parses a file. Errors are the ends of sentences about it.
    pub(super) fn parse(bytes: &'b [u8]) -> Result<Self, String> {
        let all = str::from_utf8(bytes)
            .map_err(|error| format!("is not UTF-8 from byte {} on", error.valid_up_to()))?;
        let mut lines = Lines { all, position: 0, number: 0 };
        if lines.next()? != Some(BEGIN_MESSAGE) {
            return Err(format!("does not begin with {BEGIN_MESSAGE}"));
        }
        let mut hashes = Vec::new();
        loop {
            match lines.next()? {
                None => return Err("ends within the headers of its text".to_owned()),
                Some("") => break,
                Some(line) => {
                    let names = line.strip_prefix("Hash: ").ok_or_else(|| {
                        format!("line {} is a header other than Hash, which is not signed", lines.number)
                    })?;
                    hashes.extend(names.split(',').map(str::trim));
                }
            }
        }
        let mut text = String::with_capacity(all.len());
        let start = loop {
            let start = lines.position;
            let Some(line) = lines.next()? else { return Err("ends before its signature".to_owned()) };
            if line == BEGIN_SIGNATURE {
                break start;
            }
            let line = match line.strip_prefix('-') {
                Some(escaped) => escaped
                    .strip_prefix(' ')
                    .ok_or_else(|| format!("line {} begins with a dash that is not escaped", lines.number))?,
                None => line,
            };
            text.push_str(line.trim_end_matches([' ', '\t']));
            text.push('\n');
        };
        loop {
            match lines.next()? {
                None => return Err(format!("ends without {END_SIGNATURE}")),
                Some(END_SIGNATURE) => break,
                Some(line) if line.starts_with("-----") => {
                    return Err(format!("line {} begins another block within the signature", lines.number));
                }
                Some(_) => {}
            }
        }
        let signatures = &all[start..lines.position];
        if !all[lines.position..].trim_ascii().is_empty() {
            return Err(format!(
                "has data behind the signature, from line {} on, which is not signed",
                lines.number + 1
            ));
        }
        Ok(Self { text, hashes, signatures })
    }

    /// Returns the bytes that are signed: lines end with CR and LF, except for the last one.
    pub(super) fn signed(&self) -> Vec<u8> {
        let text = self.text.strip_suffix('\n').unwrap_or(&self.text);
        text.replace('\n', "\r\n").into_bytes()
    }
}

/// The lines of a file, each without LF or CR and LF.
struct Lines<'b> {
    all: &'b str,
    position: usize,
    number: usize,
}

impl<'b> Lines<'b> {
    fn next(&mut self) -> Result<Option<&'b str>, String> {
        let rest = &self.all[self.position..];
        if rest.is_empty() {
            return Ok(None);
        }
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        self.position += end;
        self.number += 1;
        let line = rest[..end].strip_suffix('\n').unwrap_or(&rest[..end]);
        let line = line.strip_suffix('\r').unwrap_or(line);
        // Programs disagree on whether they end lines.
        match line.find(['\r', '\0', '\u{b}', '\u{c}']) {
            Some(_) => Err(format!("line {} has a control character", self.number)),
            None => Ok(Some(line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n";

    fn message(text: &str) -> String {
        format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}{SIGNATURE}")
    }

    #[test]
    fn the_signed_text_is_unescaped_and_has_no_blanks_at_ends_of_lines() {
        let message = message("a: b \t\n- -----x\n- - y\n\n z\u{e9}\n\n");
        let parsed = Cleartext::parse(message.as_bytes()).expect("well formed");
        assert_eq!(parsed.text, "a: b\n-----x\n- y\n\n z\u{e9}\n\n");
        assert_eq!(parsed.signed(), "a: b\r\n-----x\r\n- y\r\n\r\n z\u{e9}\r\n".as_bytes());
        assert_eq!((parsed.hashes, parsed.signatures), (vec!["SHA512"], SIGNATURE));
        let crlf = message.replace('\n', "\r\n");
        let other = Cleartext::parse(crlf.as_bytes()).expect("well formed");
        assert_eq!(other.text, parsed.text);
    }

    #[test]
    fn several_headers_name_digests() {
        let message = message("x\n").replace("Hash: SHA512", "Hash: SHA256, SHA1\nHash: SHA512");
        assert_eq!(
            Cleartext::parse(message.as_bytes()).expect("well formed").hashes,
            ["SHA256", "SHA1", "SHA512"]
        );
    }

    #[test]
    fn everything_that_is_not_signed_is_refused() {
        let whole = message("x\n");
        for (text, why) in [
            (format!("y\n{whole}"), "does not begin with"),
            (format!("\n{whole}"), "does not begin with"),
            (format!("{whole}y\n"), "has data behind the signature, from line 9 on"),
            (format!("{whole}{whole}"), "has data behind the signature"),
            (
                whole.replace("Hash: SHA512\n", "Hash: SHA512\nOrigin: Debian\n"),
                "line 3 is a header other than Hash",
            ),
            (whole.replace("Hash: SHA512\n\n", "Hash: SHA512\n \n"), "line 3 is a header other than Hash"),
            (whole.replace("x\n", "-x\n"), "line 4 begins with a dash that is not escaped"),
            (
                whole.replace("x\n", "-----END PGP SIGNATURE-----\n"),
                "line 4 begins with a dash that is not escaped",
            ),
            (whole.replace("x\n", "x\ry\n"), "line 4 has a control character"),
            (whole.replace("x\n", "x\0\n"), "line 4 has a control character"),
            (whole.replace("AAAA\n", SIGNATURE), "line 7 begins another block"),
            (whole.replace("-----END PGP SIGNATURE-----\n", ""), "ends without -----END"),
            (whole.replace("-----BEGIN PGP SIGNATURE-----\n", ""), "line 7 begins with a dash"),
            (whole.split("AAAA").next().unwrap_or_default().to_owned(), "ends without -----END"),
            ("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n".to_owned(), "ends within the headers"),
            ("-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n".to_owned(), "ends before its signature"),
        ] {
            let error = Cleartext::parse(text.as_bytes()).expect_err(&text);
            assert!(error.starts_with(why), "{text}\n{error}");
        }
        assert!(Cleartext::parse(b"\xff").expect_err("it is not UTF-8").contains("UTF-8"));
        for blanks in ["\n", " \n\t\n"] {
            Cleartext::parse(format!("{whole}{blanks}").as_bytes()).expect("blanks say nothing");
        }
    }
}
