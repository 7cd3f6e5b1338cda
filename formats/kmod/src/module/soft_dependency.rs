//! The value of `softdep`: `pre: a b post: c`.

/// Modules that are loaded before and after another one if they are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftDependencies {
    /// The names or aliases to load before it, as they are.
    pub pre: Vec<Vec<u8>>,
    /// The names or aliases to load after it, as they are.
    pub post: Vec<Vec<u8>>,
}

impl SoftDependencies {
    /// Reads the words behind `pre:` and `post:`. Words in front of both count for nothing, as in
    /// kmod.
    #[must_use]
    pub fn parse(value: &[u8]) -> Self {
        let (mut all, mut is_post) = (Self::default(), None);
        for word in value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            match (word, is_post) {
                (b"pre:", _) => is_post = Some(false),
                (b"post:", _) => is_post = Some(true),
                (_, Some(false)) => all.pre.push(word.to_vec()),
                (_, Some(true)) => all.post.push(word.to_vec()),
                (_, None) => {}
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_behind_pre_and_post_only() {
        let found = SoftDependencies::parse(b"gcm pre: a  b\tpost: c pre: d");
        assert_eq!(found.pre, [b"a", b"b", b"d"]);
        assert_eq!(found.post, [b"c"]);
        assert_eq!(SoftDependencies::parse(b"gcm ccm"), SoftDependencies::default());
    }
}
