//! Long paths in messages.

use crate::Shown;

/// The number of bytes that a message shows of a long path's start, and of its end.
const SHOWN: usize = 80;

/// A path for a message, escaped: all of it, or its start and its end with `…` between them when it is longer than 160
/// bytes.
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
