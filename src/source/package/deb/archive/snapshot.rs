//! Times of snapshot archives.

use crate::error::{Error, ErrorKind, Result};

/// The part of a URL that stands for the time of a snapshot.
pub(super) const PLACEHOLDER: &str = "@SNAPSHOTID@";

/// Parses a time such as `20251101T000000Z`, and returns it in seconds since 1970.
///
/// # Errors
/// [`Usage`](ErrorKind::Usage) if it is not one.
pub(super) fn seconds(text: &str) -> Result<i64> {
    parse(text).ok_or_else(|| {
        let text = text.escape_debug();
        Error::new(ErrorKind::Usage, format!("--snapshot \"{text}\": a time is as in 20251101T000000Z"))
    })
}

fn parse(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z')?;
    let (date, time) = digits.split_once('T')?;
    let is_valid = date.len() == 8 && time.len() == 6;
    if !is_valid || !(date.bytes().chain(time.bytes())).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |text: &str| text.parse::<i64>().ok();
    let (year, month, day) = (number(&date[..4])?, number(&date[4..6])?, number(&date[6..])?);
    let (hour, minute, second) = (number(&time[..2])?, number(&time[2..4])?, number(&time[4..])?);
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970 by years that begin in March, so that leap days are last.
    let shifted = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + (month * 306 + 5) / 10 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_since_1970() {
        for (text, expected) in
            [("19700101T000000Z", 0), ("20000229T120001Z", 951_825_601), ("20251101T000000Z", 1_761_955_200)]
        {
            assert_eq!(seconds(text).expect(text), expected);
        }
        for text in
            ["", "2025", "20251301T000000Z", "20251101T000000", "2025110aT000000Z", "20251101T250000Z"]
        {
            let error = seconds(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Usage);
        }
    }
}
