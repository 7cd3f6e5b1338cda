//! Numbers of bytes in text.

use std::fmt;

/// A number of bytes, shown exactly and, from 10 KiB on, also in binary units.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        write!(f, "{} bytes", self.0)?;
        if self.0 < 10 << 10 {
            return Ok(());
        }
        let Some((unit, shift)) = UNITS.into_iter().find(|(_, shift)| self.0 >> shift > 0) else {
            return Ok(());
        };
        // Tenths, rounded down, in integer arithmetic.
        let tenths = (u128::from(self.0) * 10) >> shift;
        write!(f, " ({}.{} {unit})", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_and_rounded_down_in_binary_units() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10240 bytes (10.0 KiB)"),
            ((1 << 20) - 1, "1048575 bytes (1023.9 KiB)"),
            (1_610_612_736, "1610612736 bytes (1.5 GiB)"),
            (u64::MAX, "18446744073709551615 bytes (16777215.9 TiB)"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
