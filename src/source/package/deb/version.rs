//! Versions of Debian, and their order: epoch, upstream version and revision (deb-version(7)).

use std::cmp::Ordering;

/// The maximum length of a version in bytes. Those of distributions have less than 100.
const MAX_LEN: usize = 1 << 10;

/// Compares two versions as dpkg does. Any bytes have an order, also those that no version may have.
#[must_use]
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (a, b) = (Parts::of(a), Parts::of(b));
    compare_digits(a.epoch, b.epoch)
        .then_with(|| compare_part(a.upstream, b.upstream))
        .then_with(|| compare_part(a.revision, b.revision))
}

/// Returns true for a version that dpkg accepts.
#[must_use]
pub fn is_valid(version: &[u8]) -> bool {
    /// The largest epoch, that of a C `int`.
    const MAX_EPOCH: u64 = i32::MAX.unsigned_abs() as u64;
    if version.len() > MAX_LEN {
        return false;
    }
    let (epoch, rest) = match version.iter().position(|byte| *byte == b':') {
        Some(colon) => (Some(&version[..colon]), &version[colon + 1..]),
        None => (None, version),
    };
    let is_epoch = epoch.is_none_or(|epoch| {
        let number = str::from_utf8(epoch).ok().and_then(|text| text.parse::<u64>().ok());
        number.is_some_and(|number| number <= MAX_EPOCH) && epoch.iter().all(u8::is_ascii_digit)
    });
    let Parts { upstream, revision, .. } = Parts::of(version);
    let is_ended = !rest.ends_with(b"-");
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".+~".contains(byte);
    is_epoch
        && is_ended
        && upstream.first().is_some_and(u8::is_ascii_digit)
        && upstream.iter().all(|byte| allowed(byte) || b"-:".contains(byte))
        && revision.iter().all(allowed)
}

struct Parts<'v> {
    epoch: &'v [u8],
    upstream: &'v [u8],
    revision: &'v [u8],
}

impl<'v> Parts<'v> {
    fn of(version: &'v [u8]) -> Self {
        let (epoch, rest) = match version.iter().position(|byte| *byte == b':') {
            Some(colon) => (&version[..colon], &version[colon + 1..]),
            None => (&b""[..], version),
        };
        let (upstream, revision) = match rest.iter().rposition(|byte| *byte == b'-') {
            Some(dash) => (&rest[..dash], &rest[dash + 1..]),
            None => (rest, &b""[..]),
        };
        Self { epoch, upstream, revision }
    }
}

/// Compares parts that alternate between other characters and numbers.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        loop {
            let (first_a, first_b) = (a.first().copied(), b.first().copied());
            let is_text = |byte: Option<u8>| byte.is_some_and(|byte| !byte.is_ascii_digit());
            if !is_text(first_a) && !is_text(first_b) {
                break;
            }
            let order = weight(first_a).cmp(&weight(first_b));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[1..], &b[1..]);
        }
        let (digits_a, rest_a) = split_digits(a);
        let (digits_b, rest_b) = split_digits(b);
        let order = compare_digits(digits_a, digits_b);
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

/// Returns the weight of a character: a tilde is before the end, letters are before others.
fn weight(byte: Option<u8>) -> i16 {
    match byte {
        None | Some(b'0'..=b'9') => 0,
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_alphabetic() => i16::from(byte),
        Some(byte) => i16::from(byte) + 256,
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Compares numbers of any length, the absent one of which is 0.
fn compare_digits(a: &[u8], b: &[u8]) -> Ordering {
    let significant = |digits: &'_ [u8]| digits.iter().position(|byte| *byte != b'0').unwrap_or(digits.len());
    let (a, b) = (&a[significant(a)..], &b[significant(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_the_order_of_dpkg() {
        let ordered = [
            "0~~",
            "0~~a",
            "0~",
            "0",
            "0a",
            "0+",
            "1.0~rc1",
            "1.0-0~bpo1",
            "1.0",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1.1",
            "1.0a",
            "1.0.1",
            "1.2",
            "1.10",
            "1.0018",
            "00001:0",
            "2:0~",
            "10:0",
        ];
        for (index, a) in ordered.iter().enumerate() {
            for (other, b) in ordered.iter().enumerate() {
                let order = compare(a.as_bytes(), b.as_bytes());
                assert_eq!(order, index.cmp(&other), "{a} {b}");
            }
        }
        for (a, b) in [("1.0", "1.00"), ("1.0-0", "1.0"), ("0:1", "1"), ("1.0-", "1.0")] {
            assert_eq!(compare(a.as_bytes(), b.as_bytes()), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn invalid_versions_are_found() {
        for valid in ["1", "1:2.3-4", "1.0~rc1+dfsg-1.1~deb12u1", "1:2:3-4", "0-0", "9-1-2"] {
            assert!(is_valid(valid.as_bytes()), "{valid}");
        }
        let long = "1".repeat(MAX_LEN + 1);
        for invalid in ["", "a1", "1-", "-1", "x:1", ":1", "2147483648:1", "1 2", "1-2/3", "1\u{e9}", &long] {
            assert!(!is_valid(invalid.as_bytes()), "{invalid}");
        }
    }
}
