//! Choices with names, as on the command line.

use thiserror::Error;

/// A type whose values are choices with names.
pub trait Named: Copy + 'static {
    /// The kind of choice, with its article.
    const KIND: &'static str;
    /// All values that have a name.
    const ALL: &'static [Self];

    /// The name.
    fn name(self) -> &'static str;
}

/// The error for a word that is not the name of a choice.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("\"{}\" is not {kind}; the valid values are {choices}", .word.escape_debug())]
pub struct UnknownName {
    word: String,
    kind: &'static str,
    choices: String,
}

/// Returns the choice with that name.
///
/// # Errors
/// If there is none; the message lists all names.
pub fn parse<T: Named>(word: &str) -> Result<T, UnknownName> {
    let found = T::ALL.iter().copied().find(|choice| choice.name() == word);
    found.ok_or_else(|| {
        let names: Vec<_> = T::ALL.iter().map(|choice| choice.name()).collect();
        let choices = match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
            _ => names.concat(),
        };
        UnknownName { word: word.to_owned(), kind: T::KIND, choices }
    })
}

/// Gives the values of an enum their names: [`Named`], `FromStr` and `Display`.
macro_rules! named {
    ($type:ty, $kind:literal, [$($value:ident => $name:literal),+ $(,)?]) => {
        impl $crate::named::Named for $type {
            const KIND: &'static str = $kind;
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name),+
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::named::UnknownName;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                $crate::named::parse(word)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::named::Named::name(*self))
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Colour {
        Red,
        Green,
        Blue,
    }

    named!(Colour, "a colour", [Red => "red", Green => "green", Blue => "blue"]);

    #[test]
    fn choices_are_parsed_by_their_names() {
        for colour in Colour::ALL {
            assert_eq!(colour.to_string().parse(), Ok(*colour));
        }
        let error = "Red\n".parse::<Colour>().expect_err("names are exact");
        assert_eq!(error.to_string(), "\"Red\\n\" is not a colour; the valid values are red, green and blue");
    }
}
