//! Files and functions stay short enough to be read at once.

use super::items;
use super::lexer::{self, Token};

const FOLDERS: [&str; 5] = ["src", "formats", "tests", "benches", "fuzz"];
const MAX_FILE: usize = 500;
const MAX_FUNCTION: usize = 70;

#[test]
fn files_have_at_most_500_lines() {
    let mut long = Vec::new();
    for path in super::rust_files(&FOLDERS) {
        let lines = super::read(&path).expect("code is UTF-8").lines().count();
        if lines > MAX_FILE {
            long.push(format!("{} has {lines} lines", super::relative(&path)));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn functions_have_at_most_70_lines() {
    let (mut long, mut count, mut longest) = (Vec::new(), 0, (0, String::new()));
    for path in super::rust_files(&FOLDERS) {
        let text = super::read(&path).expect("code is UTF-8");
        for (name, line, lines) in functions(&lexer::tokens(&text)) {
            let place = format!("{}:{line}: {name} has {lines} lines", super::relative(&path));
            longest = longest.max((lines, place.clone()));
            count += 1;
            if lines > MAX_FUNCTION {
                long.push(place);
            }
        }
    }
    assert!(count > 2000, "only {count} functions were found");
    assert!(long.is_empty(), "{}", long.join("\n"));
    println!("the longest of {count} functions: {}", longest.1);
}

/// Returns the name, the first line and the number of lines of each function with a body.
fn functions(tokens: &[Token]) -> Vec<(&str, usize, usize)> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let name = pair[1].text.as_str();
        if pair[0].text != "fn" || !name.starts_with(|first: char| first.is_alphabetic() || first == '_') {
            continue;
        }
        let last = &tokens[items::item_end(tokens, at) - 1];
        if last.text == "}" {
            found.push((name, pair[0].line, last.line - pair[0].line + 1));
        }
    }
    found
}

#[test]
fn lines_of_a_function_are_counted_with_its_signature() {
    let code = "trait T { fn none(&self); }\nfn one() -> [u8; 2] {\n    // }\n    x(\"}\", || {});\n\
                }\nimpl T { fn two(\n) { } }";
    assert_eq!(functions(&lexer::tokens(code)), [("one", 2, 4), ("two", 6, 2)]);
}
