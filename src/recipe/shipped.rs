//! The recipes that are part of the program.

/// A recipe that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// The name, which has no `/`.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

/// All shipped recipes, by name.
pub const SHIPPED: [Shipped; 6] = [
    Shipped { name: "busybox", text: include_str!("shipped/busybox.toml") },
    Shipped { name: "empty", text: include_str!("shipped/empty.toml") },
    Shipped { name: "kata-dracut", text: include_str!("shipped/kata-dracut.toml") },
    Shipped { name: "systemd-initrd", text: include_str!("shipped/systemd-initrd.toml") },
    Shipped { name: "systemd-initrd-luks", text: include_str!("shipped/systemd-initrd-luks.toml") },
    Shipped { name: "systemd-initrd-verity", text: include_str!("shipped/systemd-initrd-verity.toml") },
];

impl Shipped {
    /// Returns the recipe of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        SHIPPED.into_iter().find(|shipped| shipped.name == name)
    }

    /// The summary: the first line of the file, which is a comment.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}
