//! Arbitrary keys are found in the trie, and arbitrary bytes end every reader.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use kmod_index::{Catalog, Config, Entry, Index, Module, Signature, Sources, Texts, fnmatch, plan};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index as Place;
use proptest::test_runner::RngSeed;

use crate::object::{Format, Object};

/// Modules with these aliases.
fn indices(aliases: &[Vec<String>]) -> Vec<u8> {
    let entry = |(number, aliases): (usize, &Vec<String>)| {
        let mut module = Module::default();
        module.info.aliases = aliases.iter().map(|alias| alias.as_bytes().to_vec()).collect();
        Entry::new(format!("kernel/m{number:03}.ko").into_bytes(), module)
    };
    let modules: Vec<Entry> = aliases.iter().enumerate().map(entry).collect();
    let order: String = (0..modules.len()).map(|number| format!("kernel/m{number:03}.ko\n")).collect();
    let sources = Sources { modules: &modules, order: Some(order.as_bytes()), ..Sources::default() };
    plan(&sources).expect("they can be expressed").file("modules.alias.bin").expect("it is written").to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_key_is_found_with_its_values(aliases in vec(vec("[ab]{0,5}[*?]?[ab]{0,2}", 0..6), 0..8), name in "[ab]{0,6}") {
        let bytes = indices(&aliases);
        let index = Index::parse(&bytes).expect("it is valid");
        let mut expected: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        for (number, alias) in (0..).zip(&aliases).flat_map(|(number, list)| list.iter().map(move |alias| (number, alias))) {
            expected.entry(alias.clone().into_bytes()).or_default().push(number);
        }
        let mut found: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        let mut visit = |key: &[u8], value: kmod_index::Value<'_>| {
            assert_eq!(value.text, format!("m{:03}", value.priority).as_bytes());
            found.entry(key.to_vec()).or_default().push(value.priority);
            ControlFlow::Continue(())
        };
        index.for_each(&mut visit).expect("it is valid");
        prop_assert_eq!(&found, &expected);
        for (key, priorities) in &expected {
            let values = index.get(key).expect("it is valid");
            prop_assert_eq!(&values.iter().map(|value| value.priority).collect::<Vec<_>>(), priorities);
        }
        let mut matching: Vec<u32> = expected.iter().filter(|(key, _)| fnmatch(key, name.as_bytes())).flat_map(|(_, list)| list.clone()).collect();
        matching.sort_unstable();
        matching.dedup();
        let values = index.matching(name.as_bytes()).expect("it is valid");
        prop_assert_eq!(values.iter().map(|value| value.priority).collect::<Vec<_>>(), matching);
    }

    #[test]
    fn changed_indices_end_every_walk(
        aliases in vec(vec("[ab*]{0,4}", 0..4), 1..5),
        changes in vec((any::<Place>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = indices(&aliases);
        for (place, byte) in changes {
            let at = 8 + place.index(bytes.len() - 8);
            bytes[at] = byte;
        }
        let index = Index::parse(&bytes).expect("the header is valid");
        let _ = index.for_each(&mut |_, _| ControlFlow::Continue(()));
        let _ = index.get(b"abab");
        let _ = index.matching(b"abab");
    }

    #[test]
    fn changed_modules_are_read_or_refused(
        format in 0..4usize,
        changes in vec((any::<Place>(), any::<u8>()), 1..6),
        end in any::<Place>(),
        cut in any::<bool>(),
    ) {
        let object = Object {
            modinfo: vec!["alias=a", "depends=b,c"],
            exports: vec!["x"],
            strings: vec!["y"],
            undefined: vec!["z"],
            versions: vec!["w"],
        };
        let mut bytes = object.bytes(Format::ALL[format]);
        for (place, byte) in changes {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let _ = Module::parse(&bytes);
        let _ = Signature::find(&bytes);
    }

    #[test]
    fn arbitrary_texts_are_read(text in "([a-c:\\\\ #\n\t*-]|alias |softdep |pre:){0,60}", name in "[a-c-]{0,3}") {
        let mut config = Config::default();
        config.add(text.as_bytes());
        let text = text.as_bytes();
        let catalog = Catalog::from_texts(&Texts { dep: text, alias: text, symbols: text, builtin: text, builtin_modinfo: text });
        let _ = catalog.lookup(&config, name.as_bytes());
        let _ = catalog.load_order(&config, name.as_bytes());
    }
}
