//! The time in which metadata counts.

use std::path::Path;

use super::policy::{CLOCK_SKEW, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::date;
use crate::shown;

/// Checks the values of the fields `Date` and `Valid-Until` of a release file against `now`, in
/// seconds since 1970. `name` is the URL or path of the file for errors.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if the date is in the future, is missing or malformed, or if the
/// file has expired.
pub fn check_validity(date: Option<&str>, valid_until: Option<&str>, name: &Path, now: i64) -> Result<()> {
    let refused = |why: String| Error::at(ErrorKind::BadInput, name, why);
    let parsed = |field: &str, text: &str| {
        let text_shown = shown::name(text.as_ref());
        date::parse(text)
            .map(Time)
            .ok_or_else(|| refused(format!("its {field} is not a date: \"{text_shown}\"")))
    };
    let date = date.ok_or_else(|| refused("has no Date".to_owned()))?;
    let made = parsed("Date", date)?;
    if made.0 > now.saturating_add(CLOCK_SKEW) {
        return Err(refused(format!("is of {made}, in the future (it is {}): set the clock", Time(now))));
    }
    let Some(text) = valid_until else { return Ok(()) };
    let end = parsed("Valid-Until", text)?;
    if end.0 < now {
        return Err(refused(format!(
            "expired at {end} (it is {}): the mirror is out of date, or somebody holds newer metadata back",
            Time(now)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_counts_from_its_date_until_it_expires() {
        const DATE: &str = "Sat, 28 Nov 2026 08:25:00 UTC";
        const END: &str = "Sat, 05 Dec 2026 08:25:00 UTC";
        const NOW: i64 = 1_795_854_300;
        const WEEK: i64 = 7 * 24 * 60 * 60;
        let check = |date, end, now| check_validity(date, end, Path::new("InRelease"), now);
        for now in [NOW - CLOCK_SKEW, NOW, NOW + WEEK] {
            check(Some(DATE), Some(END), now).expect("it counts");
        }
        check(Some(DATE), None, NOW + 1000 * WEEK).expect("it does not expire");
        for (date, end, now, why) in [
            (Some(DATE), Some(END), NOW - CLOCK_SKEW - 1, "is of 2026-11-28 08:25:00 UTC, in the future"),
            (
                Some(DATE),
                Some(END),
                NOW + WEEK + 1,
                "expired at 2026-12-05 08:25:00 UTC (it is 2026-12-05 08:25:01 UTC)",
            ),
            (None, Some(END), NOW, "has no Date"),
            (Some("today"), None, NOW, "its Date is not a date: \"today\""),
            (Some(DATE), Some("soon"), NOW, "its Valid-Until is not a date: \"soon\""),
        ] {
            let error = check(date, end, now).expect_err(why);
            assert_eq!(error.kind(), ErrorKind::BadInput);
            assert!(error.to_string().starts_with(&format!("InRelease: {why}")), "{error}");
        }
    }
}
