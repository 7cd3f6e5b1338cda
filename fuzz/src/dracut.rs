//! The configuration of dracut, which is imported as a recipe.

use rootcast::recipe::dracut::{File, import};
use rootcast::recipe::file;

use crate::{Choices, Outcome};

const NAMES: [&str; 14] = [
    "drivers",
    "add_drivers",
    "omit_drivers",
    "force_drivers",
    "dracutmodules",
    "add_dracutmodules",
    "omit_dracutmodules",
    "install_items",
    "install_optional_items",
    "compress",
    "hostonly",
    "early_microcode",
    "kernel_cmdline",
    "unknown",
];

const VALUES: [&str; 20] = [
    "\" 9p 9pnet_virtio \"",
    "' a '\"b\"\\ c",
    "no",
    "yes",
    "\"systemd dbus udev-rules syslog\"",
    "crypt",
    "base",
    "\"zstd -19 -T0\"",
    "cat",
    "/etc/passwd",
    "sh",
    "=drivers/usb",
    "\"$(uname -r)\"",
    "`x`",
    "$x",
    "(a b)",
    "\"open",
    "a\\\nb",
    "a # comment",
    "",
];

const OTHERS: [&str; 8] = ["# comment", "if true; then", "fi", "f() {", "}", "rm -rf /", "A=b c", ";;"];

/// Imports arbitrary text as one file and as two; the result is a recipe.
pub fn check(text: &[u8]) -> Outcome {
    let file = |text: &[u8]| File { name: "dracut.conf".to_owned(), text: text.to_vec() };
    let (first, second) = text.split_at(text.len() / 2);
    for files in [vec![file(text)], vec![file(first), file(second)]] {
        let imported = import(&files);
        file::parse(&imported.recipe).unwrap_or_else(|error| panic!("{error}: {}", imported.recipe));
        for note in imported.notes {
            let lines = files[note.file].text.split(|byte| *byte == b'\n').count();
            assert!((1..=lines).contains(&note.line) && !note.what.is_empty(), "{note:?}");
        }
    }
    Outcome::Checked
}

/// Creates a configuration of valid lines, mostly.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let mut text = String::new();
    for _ in 0..choices.up_to(9) {
        if choices.wrong() {
            text += choices.one_of(&OTHERS);
        } else {
            let operator = if choices.rarely(2) { "=" } else { "+=" };
            text = format!("{text}{}{operator}{}", choices.one_of(&NAMES), choices.one_of(&VALUES));
        }
        text.push('\n');
    }
    text.into_bytes()
}
