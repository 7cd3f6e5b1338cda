//! The names of guest extensions of Kata.

use std::path::Path;

/// Checks the name of a guest extension, which becomes a part of kernel parameters, of a serial
/// number and of paths in the guest.
///
/// # Errors
/// A message with the characters that are permitted.
pub fn check_name(name: &str) -> Result<(), String> {
    /// The serial number of a virtio block device has 20 bytes, of which `extension-` are ten.
    const MAX: usize = 10;
    let is_permitted = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > MAX || !name.bytes().all(is_permitted) {
        return Err(format!(
            "{name:?} is not a name of a guest extension: 1 to {MAX} letters, digits, - and _, as it is a part of a \
             serial number"
        ));
    }
    Ok(())
}

/// Returns the name of the guest extension in the name of its image,
/// `kata-containers-NAME-extension.img`.
#[must_use]
pub fn extension_of(image: &Path) -> Option<String> {
    let name = image.file_stem()?.to_str()?.strip_suffix("-extension")?;
    let name = name.strip_prefix("kata-containers-").unwrap_or(name);
    check_name(name).ok().map(|()| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_have_the_names_of_their_images() {
        for (image, name) in [
            ("/opt/kata-containers-coco-extension.img", Some("coco")),
            ("gpu-extension.img", Some("gpu")),
            ("kata-containers.img", None),
            ("kata-containers--extension.img", None),
            ("a b-extension.img", None),
        ] {
            assert_eq!(extension_of(Path::new(image)).as_deref(), name, "{image}");
        }
        for name in ["", "elevenchars", "a.b", "a=b", "é"] {
            check_name(name).expect_err(name);
        }
    }
}
