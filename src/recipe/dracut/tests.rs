use super::{File, Imported, import};
use crate::recipe::file;

fn imported(texts: &[&str]) -> Imported {
    let file = |text: &&str| File { name: String::new(), text: text.as_bytes().to_vec() };
    let imported = import(&texts.iter().map(file).collect::<Vec<_>>());
    file::parse(&imported.recipe).expect("it is a recipe");
    imported
}

/// Returns the recipe without its first line, and the notes.
fn parts(texts: &[&str]) -> (String, Vec<String>) {
    let Imported { recipe, notes } = imported(texts);
    let notes = notes.iter().map(|note| format!("{}:{}: {}", note.file, note.line, note.what));
    (recipe.lines().skip(1).map(|line| format!("{line}\n")).collect(), notes.collect())
}

#[test]
fn the_configuration_of_kata_is_imported() {
    let main = "\
# comment
hostonly=\"no\"
hostonly_cmdline='no'
no_kernel=yes
dracutmodules=\"kernel-modules udev-rules syslog systemd dbus\" # five
drivers=\"9p 9pnet\\
 9pnet_virtio\"
";
    let expected = "\
keep-first = \"/usr/sbin/rsyslogd,/usr/sbin/syslogd,/usr/sbin/syslog-ng\"
keep-module = [
    \"9p\",
    \"9pnet\",
    \"9pnet_virtio\",
]
keep-unit = [
    \"systemd-udevd.service\",
    \"dbus.service\",
    \"dbus.socket\",
]
recipe = \"kata-dracut\"
";
    assert_eq!(parts(&[main]), (expected.to_owned(), Vec::new()));
}

#[test]
fn later_assignments_replace_or_add() {
    let first =
        "add_drivers+=\" a.ko \"\nforce_drivers+=' b'\ncompress=\"zstd -15 -T0\"; early_microcode=yes\n";
    let second = "add_drivers+=\" kernel/drivers/c.ko.xz \"\nomit_drivers+=\"x_y\"\ncompress=cat\n";
    let third =
        "install_items+=\" /etc/a tool \"\ninstall_optional_items+=\"/etc/b\"\nomit_dracutmodules+=dash";
    let fourth = "add_dracutmodules+=\" crypt dash \"\n";
    let (recipe, notes) = parts(&[first, second, third, fourth]);
    let expected = "\
compress = \"none\"
keep = \"/etc/a\"
keep-first = \"/usr/sbin/tool,/usr/bin/tool,/sbin/tool,/bin/tool\"
keep-module = [
    \"a\",
    \"c\",
    \"b\",
]
keep-optional = \"/etc/b\"
microcode = \"\"
modules-load = \"b\"
recipe = \"systemd-initrd-luks\"
edits = [
    { exclude = \"/lib/modules/**/x[-_]y.ko*\" },
    { exclude = \"/usr/lib/modules/**/x[-_]y.ko*\" },
]
";
    assert_eq!((recipe, notes), (expected.to_owned(), Vec::new()));
    assert!(imported(&["compress='zstd -15'"]).recipe.contains("compress = \"zstd:15\"\n"));
}

#[test]
fn everything_else_is_reported_with_its_line() {
    let text = "\
hostonly=yes
colour=red
if [ -e /x ]; then
  add_drivers+=\" hidden \"
fi
add_drivers+=\" $(lsmod) \"
rm -rf /
A=b command
list=(a b)
add_dracutmodules+=\" network =x
base\"
drivers+=\" =drivers/usb \"
compress=bzip2
open=\"x
";
    let expected = [
        "0:1: nothing of this machine is read: name what the guest needs",
        "0:2: colour is not known",
        "0:3: \"if [ -e /x ]; then\" is not an assignment, and is not run",
        "0:4: add_drivers is assigned under a condition",
        "0:5: \"fi\" is not an assignment, and is not run",
        "0:6: add_drivers is assigned a value that bash computes",
        "0:7: \"rm -rf /\" is not an assignment, and is not run",
        "0:8: a command with A in its environment is not run",
        "0:9: list is assigned an array",
        "0:10: the module =x of dracut is not known",
        "0:10: the module network of dracut is not known",
        "0:12: the modules of the directory drivers/usb are to be named",
        "0:13: bzip2 is not a codec: none, gzip, zstd, lz4 or xz",
        "0:14: open is assigned a value whose quotation mark is not closed",
    ];
    let (recipe, notes) = parts(&[text]);
    assert_eq!(notes, expected);
    assert_eq!(recipe, "recipe = \"systemd-initrd\"\n");
}

#[test]
fn quotation_follows_bash() {
    let words = |text: &str| {
        let recipe = imported(&[text]).recipe;
        let keep = recipe.lines().find_map(|line| line.strip_prefix("keep-optional = ")).map(str::to_owned);
        keep.filter(|keep| keep != "[").unwrap_or(recipe)
    };
    for (text, expected) in [
        (r#"install_optional_items=/a\ "/b"'/c'"#, "/a /b/c"),
        (r#"install_optional_items="/\$\x""#, r"/$\x"),
        (r"install_optional_items='/\x'", r"/\x"),
        ("install_optional_items=/a#b # c", "/a#b"),
    ] {
        let expected: Vec<String> = expected.split(' ').map(file::quoted).collect();
        let found = words(text);
        match &expected[..] {
            [one] => assert_eq!(found, *one, "{text}"),
            several => assert!(several.iter().all(|one| found.contains(one.as_str())), "{found}"),
        }
    }
}
