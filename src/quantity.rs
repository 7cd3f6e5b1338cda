//! Numbers with units, as on the command line.

/// Parses a number of bytes: `4096`, `512K`, `64M`, `10G`, `1T`, each unit 1024 of the one before;
/// `64MiB` is the same.
///
/// # Errors
/// A message if it is not such a number, or more than 2⁶⁴−1 bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.strip_suffix("iB").unwrap_or(unit) {
        "" if !unit.is_empty() => return Err(bad_bytes(text)),
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(bad_bytes(text)),
    };
    let number: u64 = number.parse().map_err(|_| bad_bytes(text))?;
    let limit = u64::MAX >> shift;
    if number > limit {
        return Err(format!("\"{text}\" is more than {} bytes", u64::MAX));
    }
    Ok(number << shift)
}

fn bad_bytes(text: &str) -> String {
    format!("\"{text}\" is not a number of bytes such as 4096, 512K, 64M, 10G or 1T")
}

/// Parses a whole number of percent, with or without its sign.
///
/// # Errors
/// A message if it is not such a number, or more than `limit`.
pub(crate) fn percent(text: &str, limit: u8) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.parse::<u8>() {
        Ok(percent) if percent <= limit => Ok(percent),
        _ => Err(format!("\"{text}\" is not a whole number of percent from 0 to {limit}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_bytes_are_parsed() {
        for (text, value) in
            [("0", 0), ("4096", 4096), ("1K", 1024), ("3MiB", 3 << 20), ("16777215T", 16_777_215 << 40)]
        {
            assert_eq!(bytes(text), Ok(value), "{text}");
        }
        for text in
            ["", "M", "-1", "1.5G", "1X", "1MB", "10iB", "16777216T", "99999999999999999999", " 1", "1 M"]
        {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percentages_are_parsed() {
        assert_eq!(percent("50%", 50), Ok(50));
        assert_eq!(percent("0", 50), Ok(0));
        for text in ["51", "300", "%", "-1", "1.5", ""] {
            assert!(percent(text, 50).is_err(), "{text}");
        }
    }
}
