//! The words and signs of Rust code, without comments and the contents of literals.

/// One word, number, sign or literal. A literal has the text `"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// The line of its first character, from 1.
    pub(super) line: usize,
}

/// Returns the tokens of a file that compiles.
pub(super) fn tokens(code: &str) -> Vec<Token> {
    let characters: Vec<char> = code.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < characters.len() {
        let (end, text) = token(&characters, at);
        found.extend(text.map(|text| Token { text, line }));
        line += characters[at..end].iter().filter(|character| **character == '\n').count();
        at = end;
    }
    found
}

/// Returns the end of what begins at `at`, and its text if it is a token.
fn token(characters: &[char], at: usize) -> (usize, Option<String>) {
    let rest = &characters[at..];
    let literal = Some("\"".to_owned());
    match rest {
        ['/', '/', ..] => (at + position(rest, |character| character == '\n'), None),
        ['/', '*', ..] => (at + block_comment(rest), None),
        ['"', ..] => (at + quoted(rest, '"'), literal),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => (at + quoted(rest, '\''), literal),
        ['\'', ..] => (at + 1 + word(&rest[1..]), None),
        [first, ..] if is_word(*first) => {
            let end = word(rest);
            let prefix: String = rest[..end].iter().collect();
            match rest.get(end) {
                Some('"') if ["b", "c"].contains(&prefix.as_str()) => {
                    (at + end + quoted(&rest[end..], '"'), literal)
                }
                Some('\'') if prefix == "b" => (at + end + quoted(&rest[end..], '\''), literal),
                Some('"' | '#') if ["r", "br", "cr"].contains(&prefix.as_str()) => {
                    (at + end + raw(&rest[end..]), literal)
                }
                _ => (at + end, Some(prefix)),
            }
        }
        [first, ..] => (at + 1, (!first.is_whitespace()).then(|| first.to_string())),
        [] => (at, None),
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn word(characters: &[char]) -> usize {
    position(characters, |character| !is_word(character))
}

/// Returns the index of the first character that `ends` accepts, or the length.
fn position(characters: &[char], ends: impl Fn(char) -> bool) -> usize {
    characters.iter().position(|character| ends(*character)).unwrap_or(characters.len())
}

/// Returns the length of a comment with those in it.
fn block_comment(characters: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < characters.len() {
        match characters[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Returns the length of a literal with its quotes.
fn quoted(characters: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < characters.len() && characters[at] != quote {
        at += if characters[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(characters.len())
}

/// Returns the length of a raw literal after its prefix.
fn raw(characters: &[char]) -> usize {
    let signs = position(characters, |character| character != '#');
    if characters.get(signs) != Some(&'"') {
        return signs;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', signs)).collect();
    let contents = &characters[signs + 1..];
    let length = contents.windows(end.len()).position(|window| window == end).unwrap_or(contents.len());
    signs + 1 + length + end.len()
}

#[test]
fn comments_and_literals_are_left_out() {
    let code = "use a::b; // c::d\n/* e /* f */ g */ let x = ('\\'', 'h', b'i', \"j\\\"k\", r#\"l\"m\"#);\n\
                fn n<'o>() {}";
    let words: Vec<(String, usize)> = tokens(code)
        .into_iter()
        .filter(|token| token.text.chars().all(is_word))
        .map(|token| (token.text, token.line))
        .collect();
    let words: Vec<(&str, usize)> = words.iter().map(|(text, line)| (text.as_str(), *line)).collect();
    assert_eq!(words, [("use", 1), ("a", 1), ("b", 1), ("let", 2), ("x", 2), ("fn", 3), ("n", 3)]);
    assert_eq!(tokens(code).iter().filter(|token| token.text == "\"").count(), 5);
}
