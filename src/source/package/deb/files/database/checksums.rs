//! MD5 of configuration files, and of all files of a package without a list of checksums: dpkg
//! compares files with them.

use std::path::Path;

use md5::{Digest as _, Md5};

use image_tree::Content as _;

use crate::blob::{Blob, read_chunks};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::source::package::deb::files::package::{Package, hex};

/// The checksums of one package.
pub(super) struct Checksums {
    /// The configuration files by path, in the order of the package.
    pub(super) conffiles: Vec<(Vec<u8>, String)>,
    /// The list of checksums, if the package has none.
    pub(super) generated: Option<Vec<u8>>,
}

impl Checksums {
    pub(super) fn of(package: &Package, interrupt: &Interrupt) -> Result<Self> {
        let paths = conffile_paths(
            &package.control.text("conffiles", Path::new(&package.control.name))?.unwrap_or_default(),
        );
        let mut conffiles = Vec::new();
        for path in &paths {
            if let Some(content) = package.contents.get(path) {
                conffiles.push((path.clone(), sum(content, interrupt)?));
            }
        }
        let mut generated = None;
        if !package.control.files.contains_key("md5sums") {
            let mut text = Vec::new();
            for path in package.files.iter().filter(|path| !package.excluded.contains(*path)) {
                if let Some(content) = package.contents.get(path) {
                    text.extend([sum(content, interrupt)?.as_bytes(), b"  ", &path[1..], b"\n"].concat());
                }
            }
            generated = Some(text);
        }
        Ok(Self { conffiles, generated })
    }
}

/// Returns the paths of configuration files, without those that a package only removes.
pub(in super::super) fn conffile_paths(text: &[u8]) -> Vec<Vec<u8>> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| line.starts_with(b"/")).map(<[u8]>::to_vec).collect()
}

fn sum(content: &Blob, interrupt: &Interrupt) -> Result<String> {
    let (mut digest, mut buffer) = (Md5::new(), Vec::new());
    read_chunks(content, 0..content.len(), &mut buffer, interrupt, |_, bytes| digest.update(bytes))?;
    Ok(hex(&digest.finalize()))
}
