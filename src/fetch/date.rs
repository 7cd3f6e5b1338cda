//! Dates of HTTP and of release files: `Sat, 28 Nov 2026 08:25:00 GMT`.

/// Returns the seconds since 1970 of a date. The name of the day may be left out; the zone is GMT,
/// UTC, Z or an offset such as +0100.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.split_once(',').map_or(text, |(_, date)| date);
    let mut words = text.split_ascii_whitespace();
    let day: u32 = number(words.next()?, 1..=2)?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let year: u32 = number(words.next()?, 4..=4)?;
    let mut time = words.next()?.split(':');
    let (hours, minutes) = (number(time.next()?, 1..=2)?, number(time.next()?, 2..=2)?);
    let seconds = time.next().map_or(Some(0), |seconds| number(seconds, 2..=2))?;
    let zone = zone(words.next()?)?;
    if words.next().is_some()
        || time.next().is_some()
        || year < 1970
        || hours > 23
        || minutes > 59
        || seconds > 60
    {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    Some(days * 86400 + i64::from(hours * 3600 + minutes * 60 + seconds) - zone)
}

/// Returns a time in seconds since 1970 as text, such as `2026-11-28 08:25:00 UTC`.
pub(crate) fn shown(seconds: i64) -> String {
    let (mut days, of_day) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    // Days since the 1st of March of the year 0: leap days are at the end of years then.
    days += 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_years + of_years / 4 - of_years / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + of_years + next_year;
    let (hours, minutes, seconds) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02} UTC")
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let valid = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| text.parse().ok()).flatten()
}

/// Returns the seconds that a zone is east of Greenwich.
fn zone(text: &str) -> Option<i64> {
    if ["GMT", "UTC", "Z"].iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Some(0);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let digits = number(digits, 4..=4)?;
    Some(sign * i64::from(digits / 100 * 3600 + digits % 100 * 60))
}

/// Returns the number of days from 1970 to a day; `month` counts from 0.
fn days_since_1970(year: u32, month: usize, day: u32) -> Option<i64> {
    let is_leap =
        |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let february = if is_leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if day == 0 || day > *lengths.get(month)? {
        return None;
    }
    let leap_days = |before: u32| (before - 1) / 4 - (before - 1) / 100 + (before - 1) / 400;
    let years = (year - 1970) * 365 + leap_days(year) - leap_days(1970);
    Some(i64::from(years + lengths[..month].iter().sum::<u32>() + day - 1))
}

#[cfg(test)]
mod tests {
    use super::{parse, shown};

    #[test]
    fn times_are_shown_as_dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_795_854_300, "2026-11-28 08:25:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(shown(seconds), text);
        }
    }

    #[test]
    fn dates_are_seconds_since_1970() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sat, 28 Nov 2026 08:25:00 UTC", 1_795_854_300),
            ("28 nov 2026 08:25:00 +0130", 1_795_848_900),
            ("Sat, 28 Nov 2026 8:25 -0100", 1_795_857_900),
            ("Thu, 29 Feb 2024 23:59:60 Z", 1_709_251_200),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "Thu, 29 Feb 2023 00:00:00 GMT",
            "Thu, 29 Feb 2100 00:00:00 GMT",
            "Sat, 28 Nov 2026 08:25:00",
            "Sat, 28 Nov 2026 08:25:00 CET",
            "Sat, 28 Nov 2026 24:25:00 GMT",
            "Sat, 28 Nov 2026 08:60:00 GMT",
            "Sat, 0 Nov 2026 08:00:00 GMT",
            "Sat, 28 Foo 2026 08:00:00 GMT",
            "Sat, 28 Nov 26 08:00:00 GMT",
            "Sat, 28 Nov 2026 08:00:00 GMT x",
            "Sat, 28 Nov 2026 +8:00:00 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
