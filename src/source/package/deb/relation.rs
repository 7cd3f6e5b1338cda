//! Relations between packages: the text of `Depends` and its kin.

use std::cmp::Ordering;

use super::version;

/// A relation of one field: alternatives, one of which is needed, or which are all refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'t> {
    /// The text of the whole group.
    pub text: &'t [u8],
    /// The alternatives, in order.
    pub alternatives: Vec<Relation<'t>>,
}

/// A package by name, with limits on its architecture and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation<'t> {
    /// The name with the architecture after its colon.
    full_name: &'t [u8],
    /// The name.
    pub name: &'t [u8],
    /// The architecture after a colon: `any`, `native`, or the name of one.
    pub architecture: Option<&'t [u8]>,
    /// The limit on the version.
    pub version: Option<(Operator, &'t [u8])>,
}

/// The comparison of a version with that of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Operator {
    /// Parses an operator; `<` and `>` are the old forms of `<=` and `>=`.
    fn parse(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"<<" => Self::Earlier,
            b"<=" | b"<" => Self::EarlierOrEqual,
            b"=" | b"==" => Self::Equal,
            b">=" | b">" => Self::LaterOrEqual,
            b">>" => Self::Later,
            _ => return None,
        })
    }

    /// Returns true if a version is in this relation to the one of the limit.
    #[must_use]
    pub fn accepts(self, found: &[u8], limit: &[u8]) -> bool {
        let order = version::compare(found, limit);
        match self {
            Self::Earlier => order == Ordering::Less,
            Self::EarlierOrEqual => order != Ordering::Greater,
            Self::Equal => order == Ordering::Equal,
            Self::LaterOrEqual => order != Ordering::Less,
            Self::Later => order == Ordering::Greater,
        }
    }
}

/// Parses the groups of a field, such as `a (>= 1) | b:any, c`. What is not a relation is skipped
/// together with its group's other alternatives being kept, as a package that nobody has.
pub fn groups(field: &[u8]) -> impl Iterator<Item = Group<'_>> {
    field.split(|byte| *byte == b',').filter_map(|text| {
        let text = text.trim_ascii();
        let alternatives: Vec<_> = text.split(|byte| *byte == b'|').filter_map(Relation::parse).collect();
        (!alternatives.is_empty()).then_some(Group { text, alternatives })
    })
}

impl<'t> Relation<'t> {
    /// Parses one alternative; `None` if it has no name.
    #[must_use]
    pub fn parse(text: &'t [u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'(' | b'[' | b'<');
        let end = text.iter().position(is_end).unwrap_or(text.len());
        let (full, rest) = text.split_at(end);
        let (name, architecture) = match full.iter().position(|byte| *byte == b':') {
            Some(colon) => (&full[..colon], Some(&full[colon + 1..])),
            None => (full, None),
        };
        if name.is_empty() {
            return None;
        }
        let version = rest.trim_ascii_start().strip_prefix(b"(").map(|inner| {
            let inner = inner.iter().position(|byte| *byte == b')').map_or(inner, |end| &inner[..end]);
            let inner = inner.trim_ascii();
            let end = inner.iter().position(|byte| !b"<>=".contains(byte)).unwrap_or(inner.len());
            let (operator, version) = inner.split_at(end);
            // A limit that cannot be read is one that nothing meets.
            (Operator::parse(operator).unwrap_or(Operator::Equal), version.trim_ascii())
        });
        Some(Self { full_name: full, name, architecture, version })
    }

    /// The name with the architecture after its colon.
    #[must_use]
    pub fn full_name(&self) -> &'t [u8] {
        self.full_name
    }

    /// Returns true if a package of this version is within the limit.
    #[must_use]
    pub fn accepts(&self, found: &[u8]) -> bool {
        self.version.is_none_or(|(operator, limit)| operator.accepts(found, limit))
    }

    /// Returns true if one that provides the name, with this version if it states one, is within the
    /// limit.
    #[must_use]
    pub fn accepts_provided(&self, provided: Option<&[u8]>) -> bool {
        match (self.version, provided) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((operator, limit)), Some(provided)) => operator.accepts(provided, limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_alternatives_with_limits() {
        let field = b"a (>= 1:2-3) | b:any(<<4),\n c , d:arm64 [amd64] <!x>, , e(= 5~), f ( > 6 )";
        let found: Vec<_> = groups(field).collect();
        assert_eq!(found.len(), 5);
        assert_eq!(found[0].text, b"a (>= 1:2-3) | b:any(<<4)");
        let [a, b] = found[0].alternatives[..] else { panic!("{found:?}") };
        assert_eq!((a.name, a.architecture), (&b"a"[..], None));
        assert_eq!(a.version, Some((Operator::LaterOrEqual, &b"1:2-3"[..])));
        assert_eq!((b.name, b.architecture), (&b"b"[..], Some(&b"any"[..])));
        assert_eq!(b.version, Some((Operator::Earlier, &b"4"[..])));
        assert_eq!(found[2].alternatives[0].architecture, Some(&b"arm64"[..]));
        assert_eq!(found[2].alternatives[0].version, None);
        assert_eq!(found[3].alternatives[0].version, Some((Operator::Equal, &b"5~"[..])));
        assert_eq!(found[4].alternatives[0].version, Some((Operator::LaterOrEqual, &b"6"[..])));
        assert_eq!(groups(b" ,|, :any").count(), 0);
    }

    #[test]
    fn limits_accept_versions() {
        let accepts = |text: &str, version: &str| {
            Relation::parse(text.as_bytes()).expect("a relation").accepts(version.as_bytes())
        };
        for (text, earlier, equal, later) in [
            ("a (<< 2)", true, false, false),
            ("a (<= 2)", true, true, false),
            ("a (= 2)", false, true, false),
            ("a (>= 2)", false, true, true),
            ("a (>> 2)", false, false, true),
            ("a", true, true, true),
            ("a (? 2)", false, false, false),
        ] {
            let found = ["1", "2", "3"].map(|version| accepts(text, version));
            assert_eq!(found, [earlier, equal, later], "{text}");
        }
        let versioned = Relation::parse(b"a (>= 2)").expect("a relation");
        assert!(!versioned.accepts_provided(None) && versioned.accepts_provided(Some(b"2")));
        assert!(Relation::parse(b"a").expect("a relation").accepts_provided(None));
    }
}
