//! The label of a filesystem.

use crate::error::LabelError;

/// `volume_name`: at most 15 bytes without NUL. Kernels before 6.15 refuse a sixteenth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label([u8; 16]);

impl Label {
    /// The maximum length in bytes.
    pub const MAX: usize = 15;

    /// Creates a label from `bytes` after checking them. An empty label means none.
    ///
    /// # Errors
    /// Returns an error if there are more than 15 bytes, or one is NUL.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, LabelError> {
        let bytes = bytes.as_ref();
        if bytes.len() > Self::MAX || bytes.contains(&0) {
            return Err(LabelError(bytes.to_vec()));
        }
        let mut label = [0; 16];
        label[..bytes.len()].copy_from_slice(bytes);
        Ok(Self(label))
    }

    /// Returns the label, padded with NUL.
    #[must_use]
    pub fn padded(&self) -> [u8; 16] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_leave_room_for_a_nul() {
        assert_eq!(Label::new("123456789012345").map(|label| label.padded()), Ok(*b"123456789012345\0"));
        let error = Label::new("1234567890123456").expect_err("16 bytes");
        assert_eq!(
            error.to_string(),
            "label \"1234567890123456\" has 16 bytes; a label of EROFS is at most 15 bytes without NUL"
        );
        assert!(Label::new(b"a\0b").is_err());
    }
}
