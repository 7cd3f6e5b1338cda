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
no_kernel=no
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
f(){
  add_drivers=a
}
nofscks=yes
ro_mnt=yes
prefix=/run
my_dracutmodules=base
omit_dracutmodules=\"systemd dbus other\"
open=\"x
";
    let expected = [
        "0:1: nothing of this machine is read: name what the guest needs",
        "0:2: colour is not known",
        "0:3: \"if [ -e /x ]; then\" is not an assignment, and is not run",
        "0:4: add_drivers is assigned under a condition",
        "0:6: add_drivers is assigned a value that bash computes",
        "0:7: \"rm -rf /\" is not an assignment, and is not run",
        "0:8: a command with A in its environment is not run",
        "0:9: list is assigned an array",
        "0:10: the module =x of dracut is not known",
        "0:10: the module network of dracut is not known",
        "0:12: the modules of the directory drivers/usb are to be named",
        "0:13: bzip2 is not a codec: none, gzip, zstd, lz4 or xz",
        "0:14: \"f(){\" is not an assignment, and is not run",
        "0:15: add_drivers is assigned under a condition",
        "0:17: the checkers of filesystems that the recipe keeps are in it",
        "0:18: ro on the kernel's command line mounts the root read-only",
        "0:19: files have the paths of the tree",
        "0:20: my_dracutmodules is not known",
        "0:21: the module other of dracut is not known",
        "0:21: the recipe has what systemd of dracut has",
        "0:22: open is assigned a value whose quotation mark is not closed",
    ];
    let (recipe, notes) = parts(&[text]);
    assert_eq!(notes, expected);
    assert_eq!(recipe, "recipe = \"systemd-initrd\"\n");
}

#[test]
fn parts_of_a_script_end_where_bash_ends_them() {
    let text = "\
cat > /x <<EOF
add_drivers+=\" text \"
if
EOF
cat <<-'end of it' # if
\tomit_drivers+=\" text \"
\tend of it
echo if you use do and case
if a; then add_drivers+=\" b \"; fi
for x in 1; do
  case $x in
    1) drivers=c ;;
  esac
done < list
if b
then
  :
else
  drivers=d
fi # of b
echo $((1<<2))
drivers=\"kept\"
";
    let (recipe, notes) = parts(&[text]);
    assert_eq!(recipe, "keep-module = \"kept\"\nrecipe = \"systemd-initrd\"\n");
    let lines: Vec<&str> = notes.iter().map(|note| note.split(':').nth(1).unwrap_or_default()).collect();
    assert_eq!(lines, ["1", "5", "8", "9", "10", "11", "12", "14", "15", "17", "19", "21"], "{notes:#?}");
}

#[test]
fn levels_of_codecs_are_imported() {
    for (compress, expected) in [
        ("lz4 -l -9", "compress = \"lz4:9\"\n"),
        ("lz4 -99", "compress = \"lz4\"\n"),
        ("zstd -q -15", "compress = \"zstd:15\"\n"),
        ("cat -9", "compress = \"none\"\n"),
    ] {
        let recipe = parts(&[&format!("compress=\"{compress}\"\n")]).0;
        assert_eq!(recipe, format!("{expected}recipe = \"systemd-initrd\"\n"));
    }
}

#[test]
fn without_a_kernel_no_modules_are_kept() {
    let (recipe, notes) = parts(&["drivers=a\nforce_drivers=b\nno_kernel=yes\ndracutmodules=systemd\n"]);
    assert_eq!(recipe, "recipe = \"kata-dracut\"\n");
    let expected = [1, 2].map(|line| format!("0:{line}: no_kernel=yes leaves out modules of the kernel"));
    assert_eq!(notes, expected);
}

#[test]
fn every_protection_of_the_root_has_its_recipe() {
    for (modules, expected) in [
        ("systemd crypt", "recipe = \"systemd-initrd-luks\"\n"),
        ("systemd-veritysetup", "recipe = \"systemd-initrd-verity\"\n"),
        (
            "systemd-cryptsetup systemd-veritysetup",
            "recipe = [\n    \"systemd-initrd-luks\",\n    \"systemd-initrd-verity\",\n]\n",
        ),
        ("rootfs-block", "recipe = \"systemd-initrd\"\n"),
        ("busybox", "recipe = \"busybox\"\n"),
        ("kernel-modules", "recipe = \"empty\"\n"),
    ] {
        let (recipe, notes) = parts(&[&format!("dracutmodules='{modules}'\n")]);
        assert!(recipe.contains(expected), "{modules}: {recipe}");
        assert_eq!(notes, [""; 0]);
    }
}

#[test]
fn many_words_take_linear_time() {
    let words: String = (0..100_000).map(|number| format!(" m{number}")).collect();
    let text = format!("drivers='{words}'\ndracutmodules='{words}'\nomit_dracutmodules='{words}'\n");
    assert_eq!(imported(&[&text]).notes.len(), 100_000);
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
