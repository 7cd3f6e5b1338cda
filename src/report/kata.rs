//! The configuration of Kata's runtimes for an image.
//!
//! The runtimes in Go and in Rust read the same keys. The table is that of qemu; those of other
//! hypervisors have the same keys.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Returns the configuration for the image of a root, with the parameters of its hash tree, if it
/// has one.
///
/// # Errors
/// If the path is not UTF-8, which TOML requires, or the working directory is not known.
pub fn image(path: &Path, filesystem: &str, verity: Option<&str>) -> io::Result<String> {
    let pairs = [
        ("image", path_text(path)?),
        ("rootfs_type", filesystem.to_owned()),
        ("kernel_verity_params", verity.unwrap_or_default().to_owned()),
    ];
    Ok(table("[hypervisor.qemu]", &pairs))
}

/// Returns the configuration for an initramfs.
///
/// # Errors
/// As [`image`].
pub fn initrd(path: &Path) -> io::Result<String> {
    Ok(table("[hypervisor.qemu]", &[("initrd", path_text(path)?)]))
}

/// Returns the configuration for the image of a guest extension, with the parameters of its hash
/// tree; an image without one has empty parameters.
///
/// # Errors
/// As [`image`].
pub fn extension(name: &str, path: &Path, verity: Option<&str>) -> io::Result<String> {
    let pairs = [
        ("name", name.to_owned()),
        ("path", path_text(path)?),
        ("verity_params", verity.unwrap_or_default().to_owned()),
    ];
    Ok(table("[[hypervisor.qemu.guest_extension_images]]", &pairs))
}

/// The runtimes are started in other directories.
fn path_text(path: &Path) -> io::Result<String> {
    let path = std::path::absolute(path)?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8, as TOML requires"))
}

fn table(header: &str, pairs: &[(&str, String)]) -> String {
    let mut text = format!("{header}\n");
    for (key, value) in pairs {
        text += &format!("{key} = \"{}\"\n", escape(value));
    }
    text
}

/// Escapes a basic string of TOML.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        // OK to ignore: writing to a String cannot fail.
        let _ = match character {
            '"' | '\\' => write!(escaped, "\\{character}"),
            control if control.is_control() => write!(escaped, "\\u{:04X}", u32::from(control)),
            other => write!(escaped, "{other}"),
        };
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_a_parser_of_toml() {
        let hostile = Path::new("/a \"quoted\" \\ back\nslash\u{7f}\u{9f}é");
        let text = image(hostile, "ext4", Some("root_hash=00,salt=-")).expect("UTF-8");
        let parsed = text.parse::<toml_edit::Document<String>>().expect("TOML");
        let table = &parsed["hypervisor"]["qemu"];
        assert_eq!(table["image"].as_str(), hostile.to_str());
        assert_eq!(table["rootfs_type"].as_str(), Some("ext4"));
        assert_eq!(table["kernel_verity_params"].as_str(), Some("root_hash=00,salt=-"));
    }

    #[test]
    fn extensions_are_entries_of_an_array() {
        let text =
            [extension("coco", Path::new("/c.img"), None), extension("gpu", Path::new("/g.img"), Some("p"))];
        let text: String = text.into_iter().map(|text| text.expect("UTF-8")).collect();
        let parsed = text.parse::<toml_edit::Document<String>>().expect("TOML");
        let entries = parsed["hypervisor"]["qemu"]["guest_extension_images"].as_array_of_tables();
        let entry = |index| entries.and_then(|entries| entries.get(index)).expect("an entry");
        assert_eq!((entry(0)["name"].as_str(), entry(0)["verity_params"].as_str()), (Some("coco"), Some("")));
        assert_eq!(
            (entry(1)["path"].as_str(), entry(1)["verity_params"].as_str()),
            (Some("/g.img"), Some("p"))
        );
        assert_eq!(initrd(Path::new("/i")).expect("UTF-8"), "[hypervisor.qemu]\ninitrd = \"/i\"\n");
    }
}
