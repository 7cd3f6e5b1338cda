//! Long paths in messages.

use crate::Shown;

/// The number of bytes shown of the start and of the end of a long path.
const SHOWN: usize = 80;

/// Returns an escaped path for a message: the whole path, or its start and its end with `…` between
/// them if it is longer than 160 bytes.
#[must_use]
pub fn shortened(path: &[u8]) -> String {
    if path.len() <= 2 * SHOWN {
        return Shown(path).to_string();
    }
    let (start, end) = (&path[..SHOWN], &path[path.len() - SHOWN..]);
    format!("{}…{}", Shown(start), Shown(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_paths_lose_their_middle() {
        assert_eq!(shortened(b"/a\nb"), "/a\\nb");
        let path = "/d".repeat(80);
        assert_eq!(shortened(path.as_bytes()), path);
        let long = format!("/first{}/last", "/d".repeat(80));
        let shown = shortened(long.as_bytes());
        assert!(shown.starts_with("/first/d") && shown.contains("/d…d/") || shown.contains("…/d"), "{shown}");
        assert!(shown.ends_with("/d/last") && shown.chars().count() == 161, "{shown}");
    }
}
