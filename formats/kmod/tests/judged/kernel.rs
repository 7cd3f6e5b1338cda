//! The modules of a real kernel, all of them and parts.

use std::path::Path;

use kmod_index::{Catalog, Entry, Index, Texts};

use crate::version::{Version, cloud_kernel, modules};

const TEXTS: [&str; 3] = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];

/// Returns a version with these modules of a kernel.
pub(crate) fn version(kernel: &Path, modules: &[Entry]) -> Version {
    let version = Version::new();
    for entry in modules {
        let path = std::str::from_utf8(&entry.path).expect("paths of kernels are ASCII");
        version.link(path, &kernel.join(path));
    }
    for name in TEXTS {
        version.write(name, &std::fs::read(kernel.join(name)).expect("a kernel has it"));
    }
    version
}

#[test]
fn all_modules_give_the_indices_of_depmod() {
    let Some(kernel) = cloud_kernel() else { return };
    let modules = modules(&kernel);
    assert!(modules.len() > 1000);
    let version = version(&kernel, &modules);
    if !version.check(&modules) {
        return;
    }
    // Our reader finds every line of the text in the trie.
    let dep = version.read("modules.dep").expect("depmod wrote it");
    let (bytes, mut count) = (version.read("modules.dep.bin").expect("depmod wrote it"), 0);
    let index = Index::parse(&bytes).expect("it is valid");
    let catalog = Catalog::from_texts(&Texts { dep: &dep, ..Texts::default() });
    for (name, listed) in catalog.modules() {
        let found = index.get(name).expect("it is valid");
        assert!(found.len() == 1 && found[0].text.starts_with(&[&listed.path, &b":"[..]].concat()));
        count += 1;
    }
    assert_eq!(count, modules.len());
}

#[test]
fn subsets_give_the_indices_of_depmod() {
    let Some(kernel) = cloud_kernel() else { return };
    let mut modules = modules(&kernel);
    modules.sort_by(|a, b| a.path.cmp(&b.path));
    for part in 0..10 {
        // Subsets of different lengths, in which dependencies of some modules are missing.
        let step = 2 + part;
        let subset: Vec<Entry> = modules.iter().skip(part).step_by(step).cloned().collect();
        if !version(&kernel, &subset).check(&subset) {
            return;
        }
    }
}

/// `depends=` names the same modules as the symbols do.
#[test]
fn modules_themselves_name_the_dependencies_of_depmod() {
    let Some(kernel) = cloud_kernel() else { return };
    let modules = modules(&kernel);
    let from_modules = Catalog::from_modules(&modules, b"", b"").expect("there are few");
    let version = version(&kernel, &modules);
    let dep = version.planned(&modules)["modules.dep"].clone();
    let from_texts = Catalog::from_texts(&Texts { dep: &dep, ..Texts::default() });
    for ((name, ours), (_, listed)) in from_modules.modules().zip(from_texts.modules()) {
        let sorted = |names: &[Vec<u8>]| {
            let mut names = names.to_vec();
            names.sort();
            names
        };
        assert_eq!(sorted(&ours.dependencies), sorted(&listed.dependencies), "{}", name.escape_ascii());
    }
    assert_eq!(from_modules.modules().count(), from_texts.modules().count());
}
