//! rpm's boolean dependencies: `(a or b)`, `(a if b else c)` and so on.

use crate::closure::packages::model::{Capability, Requirement};

/// The maximum depth of parentheses.
const MAX_DEPTH: usize = 32;

/// Parses a boolean dependency. Returns `None` if it is malformed.
///
/// `a with b` and `a without b` require a package that provides `a`; what else it provides only
/// selects between several packages.
pub(super) fn parse(text: &[u8]) -> Option<Requirement> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let found = parser.operand(0)?;
    (parser.at == parser.tokens.len()).then_some(found)
}

/// Splits into parentheses and words. A word may contain balanced parentheses, as
/// `libc.so.6(GLIBC_2.34)(64bit)` does.
fn tokens(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match first {
            b' ' | b'\t' => rest = after,
            b'(' | b')' => {
                tokens.push(&rest[..1]);
                rest = after;
            }
            _ => {
                let end = word_len(rest)?;
                tokens.push(&rest[..end]);
                rest = &rest[end..];
            }
        }
    }
    Some(tokens)
}

fn word_len(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b' ' | b'\t' if depth == 0 => return Some(at),
            b')' if depth == 0 => return Some(at),
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
    }
    (depth == 0).then_some(text.len())
}

struct Parser<'t> {
    tokens: Vec<&'t [u8]>,
    at: usize,
}

impl<'t> Parser<'t> {
    fn next(&mut self) -> Option<&'t [u8]> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    fn next_if(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Option<&'t [u8]> {
        let token = self.tokens.get(self.at).filter(|token| wanted(token))?;
        self.at += 1;
        Some(token)
    }

    /// Parses a name with its version, or an expression in parentheses.
    fn operand(&mut self, depth: usize) -> Option<Requirement> {
        let token = self.next()?;
        match token {
            b"(" if depth < MAX_DEPTH => {
                let found = self.expression(depth + 1)?;
                self.next_if(|token| token == b")")?;
                Some(found)
            }
            b"(" | b")" => None,
            name => {
                let mut capability = Capability::new(name);
                let comparison = |token: &[u8]| token.iter().all(|byte| b"<>=".contains(byte));
                if let Some(comparison) = self.next_if(comparison) {
                    let version = self.next_if(|token| !matches!(token, b"(" | b")"))?;
                    capability.version = (comparison == b"=").then(|| version.to_vec());
                }
                Some(Requirement::Package(capability))
            }
        }
    }

    /// Parses operands with operators between them. All operators of an expression are the same but
    /// for `else`.
    fn expression(&mut self, depth: usize) -> Option<Requirement> {
        let first = self.operand(depth)?;
        let Some(operator) = self.next_if(|token| token != b")") else { return Some(first) };
        let second = self.operand(depth)?;
        match operator {
            b"if" | b"unless" => {
                let (first, condition) = (Some(Box::new(first)), Box::new(second));
                let other = match self.next_if(|token| token == b"else") {
                    Some(_) => Some(Box::new(self.operand(depth)?)),
                    None => None,
                };
                let (then, otherwise) = if operator == b"if" { (first, other) } else { (other, first) };
                Some(Requirement::If { condition, then, otherwise })
            }
            b"with" | b"without" => {
                while self.next_if(|token| token == operator).is_some() {
                    self.operand(depth)?;
                }
                Some(first)
            }
            b"and" | b"or" => {
                let mut all = vec![first, second];
                while self.next_if(|token| token == operator).is_some() {
                    all.push(self.operand(depth)?);
                }
                Some(if operator == b"or" { Requirement::Any(all) } else { Requirement::All(all) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(requirement: &Requirement) -> String {
        let list = |all: &[Requirement], between: &str| {
            format!("[{}]", all.iter().map(shown).collect::<Vec<_>>().join(between))
        };
        let optional = |one: &Option<Box<Requirement>>| one.as_deref().map_or("-".to_owned(), shown);
        match requirement {
            Requirement::Package(Capability { name, version, .. }) => {
                let version = version.as_ref().map(|version| format!("={}", version.escape_ascii()));
                format!("{}{}", name.escape_ascii(), version.unwrap_or_default())
            }
            Requirement::Any(all) => list(all, "|"),
            Requirement::All(all) => list(all, "&"),
            Requirement::If { condition, then, otherwise } => {
                format!("({}?{}:{})", shown(condition), optional(then), optional(otherwise))
            }
        }
    }

    #[test]
    fn boolean_dependencies() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text.as_bytes()).as_ref().map_or("none".to_owned(), shown), expected, "{text}");
        };
        check("(util-linux-core or util-linux)", "[util-linux-core|util-linux]");
        check("(a and b >= 2 and c = 3)", "[a&b&c=3]");
        check(
            "(glibc-gconv-extra(x86-64) = 2.38-1 if redhat-rpm-config)",
            "(redhat-rpm-config?glibc-gconv-extra(x86-64)=2.38-1:-)",
        );
        check("(a if (b or c) else d)", "([b|c]?a:d)");
        check("(a unless b else c)", "(b?c:a)");
        check("((a with b) or libc.so.6(GLIBC_2.34)(64bit))", "[a|libc.so.6(GLIBC_2.34)(64bit)]");
        check("(a without b)", "a");
        check("(a)", "a");
        for malformed in
            ["(a or", "(a or b", "(a b)", "a)", "(a or b and c)", "()", "(a >= )", "(x(y or z)", "(a nor b)"]
        {
            check(malformed, "none");
        }
        check(&format!("{}a{}", "(".repeat(33), ")".repeat(33)), "none");
        check(&format!("{}a{}", "(".repeat(32), ")".repeat(32)), "a");
    }
}
