//! The flags that stand for variables of dracut.conf(5).

use std::collections::BTreeSet;

use super::draft::{Draft, Variables, Word};
use super::modules::{self, Module};

/// The function of a variable: it gets the variable's words.
type Map = fn(&str, &[Word], &mut Draft);

/// The variables that become flags.
const VARIABLES: [(&str, Map); 29] = [
    ("add_drivers", drivers),
    ("compress", compress),
    ("do_hardlink", |_, words, draft| {
        if is_yes(words) {
            draft.add("hardlinks", "content");
        }
    }),
    ("do_strip", |_, words, draft| not_yes(words, draft, "nothing is stripped")),
    ("aggressive_strip", |_, words, draft| not_yes(words, draft, "nothing is stripped")),
    ("drivers", drivers),
    ("drivers_dir", |_, words, draft| {
        not_given(words, draft, "name the directory of modules on the command line")
    }),
    ("early_microcode", |_, words, draft| {
        if is_yes(words) {
            draft.add("microcode", "");
        }
    }),
    ("filesystems", drivers),
    ("force_drivers", |name, words, draft| {
        drivers(name, words, draft);
        words.iter().for_each(|word| draft.add("modules-load", module_name(&word.text)));
    }),
    ("fscks", |_, words, draft| {
        words.iter().for_each(|word| draft.add("keep-optional", program(&word.text).remove(0)));
    }),
    ("hostonly", |_, words, draft| not_yes(words, draft, HOST)),
    ("hostonly_cmdline", |_, words, draft| not_yes(words, draft, HOST)),
    ("hostonly_default_device", |_, words, draft| not_yes(words, draft, HOST)),
    ("hostonly_mode", |_, words, draft| not_given(words, draft, HOST)),
    ("install_items", |_, words, draft| {
        words.iter().for_each(|word| match &program(&word.text)[..] {
            [path] => draft.add("keep", path.clone()),
            paths => draft.add("keep-first", paths.join(",")),
        });
    }),
    ("install_optional_items", |_, words, draft| {
        let paths = words.iter().flat_map(|word| program(&word.text));
        paths.for_each(|path| draft.add("keep-optional", path));
    }),
    ("kernel_cmdline", |_, words, draft| {
        not_given(words, draft, "an initramfs has no command line: give it to the boot loader");
    }),
    ("lvmconf", |_, words, draft| {
        if is_yes(words) {
            draft.add("keep-optional", "/etc/lvm/lvm.conf");
        }
    }),
    ("mdadmconf", |_, words, draft| {
        if is_yes(words) {
            draft.add("keep-optional", "/etc/mdadm.conf");
            draft.add("keep-optional", "/etc/mdadm/mdadm.conf");
        }
    }),
    ("no_kernel", |_, _, _| {}),
    ("nofscks", |_, words, draft| {
        not_yes(words, draft, "the checkers of filesystems that the recipe keeps are in it");
    }),
    ("omit_drivers", |_, words, draft| {
        for word in words {
            let name = module_name(&word.text).replace(['-', '_'], "[-_]");
            for directory in ["/lib", "/usr/lib"] {
                draft.edits.push(("exclude", format!("{directory}/modules/**/{name}.ko*")));
            }
        }
    }),
    ("prefix", |_, words, draft| not_given(words, draft, "files have the paths of the tree")),
    ("reproducible", |_, words, draft| {
        for word in words.iter().filter(|word| word.text == "no") {
            draft.note(word, "an initramfs is always reproducible");
        }
    }),
    ("ro_mnt", |_, words, draft| {
        not_yes(words, draft, "ro on the kernel's command line mounts the root read-only");
    }),
    ("squash_compress", |_, words, draft| not_given(words, draft, "an initramfs holds no squashfs")),
    ("uefi", |_, words, draft| not_yes(words, draft, "a unified kernel image is not made")),
    ("use_fstab", |_, words, draft| not_yes(words, draft, HOST)),
];

/// The variables that change nothing in an initramfs of rootcast, such as those of messages and of
/// the way to the same result.
const WITHOUT_EFFECT: [&str; 14] = [
    "enhanced_cpio",
    "fileloglvl",
    "hostonly_nics",
    "initrdname",
    "kmsgloglvl",
    "logfile",
    "loginstall",
    "noprefix",
    "parallel",
    "persistent_policy",
    "show_modules",
    "stdloglvl",
    "sysloglvl",
    "tmpdir",
];

/// The variables with names of dracut's modules.
const MODULES: [&str; 4] =
    ["add_dracutmodules", "dracutmodules", "force_add_dracutmodules", "omit_dracutmodules"];

/// The variables that name modules of the kernel to install.
const DRIVERS: [&str; 4] = ["add_drivers", "drivers", "filesystems", "force_drivers"];

const HOST: &str = "nothing of this machine is read: name what the guest needs";

/// Adds the flags of all variables.
pub(super) fn map(variables: &Variables, draft: &mut Draft) {
    dracut_modules(variables, draft);
    let no_kernel = variables.get("no_kernel").is_some_and(|words| is_yes(words));
    for (name, words) in variables {
        if no_kernel && DRIVERS.contains(&name.as_str()) {
            not_given(words, draft, "no_kernel=yes leaves out modules of the kernel");
            continue;
        }
        match VARIABLES.iter().find(|(known, _)| known == name) {
            Some((_, map)) => map(name, words, draft),
            None if WITHOUT_EFFECT.contains(&name.as_str()) || MODULES.contains(&name.as_str()) => {}
            None => not_given(words, draft, &format!("{name} is not known")),
        }
    }
}

/// Adds the flags of the modules of dracut, and the recipe that has most of them.
fn dracut_modules(variables: &Variables, draft: &mut Draft) {
    let words = |name: &str| variables.get(name).map_or(&[][..], Vec::as_slice);
    let omitted = words("omit_dracutmodules");
    let omitted_names: BTreeSet<&str> = omitted.iter().map(|word| word.text.as_str()).collect();
    let is_omitted = |word: &&Word| omitted_names.contains(word.text.as_str());
    let added = ["add_dracutmodules", "force_add_dracutmodules"].into_iter().flat_map(words);
    let all: Vec<&Word> =
        words("dracutmodules").iter().chain(added).filter(|word| !is_omitted(word)).collect();
    let base: Vec<&str> = words("dracutmodules").iter().map(|word| word.text.as_str()).collect();
    let names: Vec<&str> = all.iter().map(|word| word.text.as_str()).collect();
    let is_whole = base.is_empty() || base == ["auto"] || base == ["all"];
    let whole: Vec<&str> = ["base"].into_iter().filter(|_| is_whole).chain(names).collect();
    let recipes = modules::recipes(&whole);
    recipes.iter().for_each(|recipe| draft.add("recipe", *recipe));
    for word in all {
        match modules::find(&word.text) {
            Some(Module::Included) => {}
            Some(Module::Flags(flags)) => flags.iter().for_each(|(flag, value)| draft.add(flag, *value)),
            None if matches!(word.text.as_str(), "auto" | "all") => {}
            None => draft.note(word, format!("the module {} of dracut is not known", word.text)),
        }
    }
    for word in omitted {
        if modules::find(&word.text).is_none() {
            draft.note(word, format!("the module {} of dracut is not known", word.text));
        } else if modules::is_in(&word.text, &recipes) {
            draft.note(word, format!("the recipe has what {} of dracut has", word.text));
        }
    }
}

fn drivers(_: &str, words: &[Word], draft: &mut Draft) {
    for word in words {
        match word.text.strip_prefix('=') {
            Some(directory) => {
                draft.note(word, format!("the modules of the directory {directory} are to be named"));
            }
            None => draft.add("keep-module", module_name(&word.text)),
        }
    }
}

/// Returns the name of a module that may be given by its path.
fn module_name(text: &str) -> String {
    let name = text.rsplit('/').next().unwrap_or_default();
    name.split(".ko").next().unwrap_or_default().to_owned()
}

/// Returns the path of a program, or the paths at which one without a directory may be.
fn program(name: &str) -> Vec<String> {
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(|directory| format!("{directory}/{name}")).into()
}

fn compress(_: &str, words: &[Word], draft: &mut Draft) {
    let Some(first) = words.first() else { return };
    let program = first.text.rsplit('/').next().unwrap_or_default();
    let codec = match program {
        "cat" => "none",
        "gzip" | "pigz" => "gzip",
        "xz" | "zstd" | "lz4" => program,
        _ => return draft.note(first, format!("{program} is not a codec: none, gzip, zstd, lz4 or xz")),
    };
    let level = |word: &Word| word.text.strip_prefix('-')?.parse::<u8>().ok();
    let is_valid = |level: &u8| codec != "none" && (codec != "lz4" || (1..=12).contains(level));
    match words.iter().find_map(level).filter(is_valid) {
        Some(level) => draft.add("compress", format!("{codec}:{level}")),
        None => draft.add("compress", codec),
    }
}

fn is_yes(words: &[Word]) -> bool {
    words.iter().any(|word| word.text == "yes")
}

/// Reports a variable that is not "no".
fn not_yes(words: &[Word], draft: &mut Draft, why: &str) {
    words.iter().filter(|word| word.text != "no").take(1).for_each(|word| draft.note(word, why));
}

/// Reports a variable that has a value.
fn not_given(words: &[Word], draft: &mut Draft, why: &str) {
    words.iter().take(1).for_each(|word| draft.note(word, why));
}
