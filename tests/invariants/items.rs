//! The modules of one file: their items, imports and paths.

use super::lexer::{self, Token};

/// A module, whether it has a file of its own or not.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The names from the crate's root to it.
    pub(super) path: Vec<String>,
    /// Its code is compiled for tests only.
    pub(super) test: bool,
    /// The names that it defines.
    pub(super) items: Vec<String>,
    /// The modules that it declares in files of their own, and those that only tests have.
    pub(super) children: Vec<(String, bool)>,
    pub(super) imports: Vec<Import>,
    /// The paths of at least two names in its code.
    pub(super) paths: Vec<(Vec<String>, usize)>,
    /// The single words of its code that may be names of items.
    pub(super) words: Vec<String>,
}

/// One name that `use` brings into a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// The name in the module, or `*`.
    pub(super) name: String,
    /// Others see it, so that it is a declaration.
    pub(super) public: bool,
    pub(super) line: usize,
}

/// Words before the name of an item.
const KEYWORDS: [&str; 9] =
    ["struct", "enum", "union", "trait", "type", "const", "static", "fn", "macro_rules"];

/// Returns the module at `path`, whose code is `code`, and the modules inside it.
pub(super) fn modules(path: &[String], test: bool, code: &str) -> Vec<Module> {
    let tokens = lexer::tokens(code);
    let test = test || is_test_attribute(&tokens, 2) && tokens.get(1).is_some_and(|token| token.text == "!");
    let mut found = Vec::new();
    module(path, test, &tokens, &mut found);
    found
}

fn module(path: &[String], test: bool, tokens: &[Token], found: &mut Vec<Module>) {
    let mut module = Module { path: path.to_vec(), test, ..Module::default() };
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let (mut at, mut depth) = (0, 0_usize);
    let mut inner = Vec::new();
    while at < tokens.len() {
        let skipped = is_test_attribute(tokens, at + 1);
        if text(at) == "#" && skipped && !test {
            let end = item_end(tokens, at);
            inner.push((path.to_vec(), true, at + attribute(tokens, at), end));
            at = end;
            continue;
        }
        match text(at) {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "mod" if is_name(text(at + 1)) && text(at + 2) == ";" => {
                module.children.push((text(at + 1).to_owned(), test));
                at += 2;
            }
            "mod" if is_name(text(at + 1)) && text(at + 2) == "{" => {
                let end = item_end(tokens, at);
                let inside = [path, &[text(at + 1).to_owned()]].concat();
                inner.push((inside, test, at + 3, end - 1));
                at = end;
                continue;
            }
            "use" if text(at + 1) != "<" => {
                let public = at > 0 && ["pub", ")"].contains(&text(at - 1));
                let end = item_end(tokens, at) - 1;
                imports(&tokens[at + 1..end], Vec::new(), public, &mut module.imports);
                at = end;
            }
            word if KEYWORDS.contains(&word) && depth == 0 => {
                let name = if text(at + 1) == "!" { at + 2 } else { at + 1 };
                if is_name(text(name)) && !KEYWORDS.contains(&text(name)) {
                    module.items.push(text(name).to_owned());
                    at = name;
                }
            }
            _ => at += name(tokens, at, &mut module),
        }
        at += 1;
    }
    found.push(module);
    for (path, test, start, end) in inner {
        self::module(&path, test, &tokens[start..end], found);
    }
}

/// Takes up the path or word that begins at `at`, and returns the number of tokens after the first.
fn name(tokens: &[Token], at: usize, module: &mut Module) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let before = if at == 0 { "" } else { text(at - 1) };
    let in_path = before == ":" && at > 1 && text(at - 2) == ":";
    if !is_name(text(at)) || before == "." || in_path {
        return 0;
    }
    let (mut path, mut end) = (vec![text(at).to_owned()], at);
    while text(end + 1) == ":" && text(end + 2) == ":" && is_name(text(end + 3)) {
        end += 3;
        path.push(text(end).to_owned());
    }
    if path.len() > 1 {
        module.paths.push((path, tokens[at].line));
    } else if text(at + 1) != ":" || text(at + 2) == ":" {
        module.words.append(&mut path);
    }
    end - at
}

/// Reads the tree of a `use` declaration.
fn imports(tokens: &[Token], mut path: Vec<String>, public: bool, found: &mut Vec<Import>) {
    let mut alias = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            ":" => {}
            "{" => {
                for part in parts(&tokens[at + 1..tokens.len() - 1]) {
                    imports(part, path.clone(), public, found);
                }
                return;
            }
            "as" => {
                alias = tokens.get(at + 1).map(|token| token.text.clone());
                break;
            }
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
    }
    let name = alias.or_else(|| path.last().cloned());
    let (Some(name), Some(first)) = (name, tokens.first()) else { return };
    found.push(Import { path, name, public, line: first.line });
}

/// Returns what the commas outside of braces separate.
fn parts(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_i32;
    tokens
        .split(|token| {
            depth += match token.text.as_str() {
                "{" => 1,
                "}" => -1,
                _ => 0,
            };
            token.text == "," && depth == 0
        })
        .filter(|part| !part.is_empty())
        .collect()
}

fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
}

/// Returns true if `[cfg(test)]`, or a condition with `test` that is not negated, begins at `at`.
fn is_test_attribute(tokens: &[Token], at: usize) -> bool {
    let words: Vec<&str> =
        tokens.iter().skip(at).map(|token| token.text.as_str()).take_while(|text| *text != "]").collect();
    words.starts_with(&["[", "cfg", "("]) && words.contains(&"test") && !words.contains(&"not")
        || words == ["[", "test"]
}

/// Returns the number of tokens of the attributes at `at`.
fn attribute(tokens: &[Token], at: usize) -> usize {
    let mut end = at;
    while tokens.get(end).is_some_and(|token| token.text == "#") {
        end = closing(tokens, end, "[", "]");
    }
    end - at
}

/// Returns the end of the item that begins at `at` with its attributes.
pub(super) fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut end = at + attribute(tokens, at);
    while let Some(token) = tokens.get(end) {
        match token.text.as_str() {
            ";" => return end + 1,
            "{" => {
                end = closing(tokens, end, "{", "}");
                // `use a::{b};` ends with both.
                return end + usize::from(tokens.get(end).is_some_and(|token| token.text == ";"));
            }
            "(" => end = closing(tokens, end, "(", ")"),
            "[" => end = closing(tokens, end, "[", "]"),
            _ => end += 1,
        }
    }
    tokens.len()
}

/// Returns the end of what the first `open` from `at` on begins.
fn closing(tokens: &[Token], at: usize, open: &str, close: &str) -> usize {
    let mut depth = 0_usize;
    for (end, token) in tokens.iter().enumerate().skip(at) {
        if token.text == open {
            depth += 1;
        } else if token.text == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return end + 1;
            }
        }
    }
    tokens.len()
}

#[test]
fn nested_imports_are_read_with_their_names() {
    let code = "pub(crate) use super::{a::{self, B as C}, d::*};\nfn f() { use crate::E; }";
    let found = modules(&[], false, code);
    let show = |import: &Import| format!("{} {} {}", import.path.join("::"), import.name, import.public);
    let imports: Vec<String> = found[0].imports.iter().map(show).collect();
    assert_eq!(imports, ["super::a a true", "super::a::B C true", "super::d::* * true", "crate::E E false"]);
}

#[test]
fn test_code_is_marked() {
    let code = "fn f() { x::y(); }\n#[cfg(test)]\nmod tests { use super::*; fn g() { z::w(); } }\n\
                #[cfg(test)]\nmod more;\n#[cfg(not(test))]\nuse a::b;\n\
                #[cfg(test)]\npub(crate) use more::{c, d};\n";
    let found = modules(&[], false, code);
    let paths: Vec<(bool, usize)> = found.iter().map(|module| (module.test, module.paths.len())).collect();
    assert_eq!(found[0].imports.len(), 1);
    assert_eq!(paths.iter().filter(|(test, paths)| !test && *paths > 0).count(), 1);
    assert!(found.iter().any(|module| module.test && module.path == ["tests"] && module.paths.len() == 1));
    assert!(found.iter().any(|module| module.children == [("more".to_owned(), true)]));
}
