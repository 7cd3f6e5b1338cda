//! Kernel modules, their indices, and the configuration of modprobe.

use std::ops::ControlFlow;

use kmod_index::{
    Catalog, Config, Entry, Index, Module, ModuleInfo, Signature, Sources, Texts, has_debug_sections, plan,
    strip, with_underscores,
};

use crate::{Choices, Outcome};

/// Reads arbitrary bytes as a module. Indices of a valid one can be read.
pub fn check_module(bytes: &[u8]) -> Outcome {
    if let Ok(Some(signature)) = Signature::find(bytes) {
        assert!(signature.module_len + u64::from(signature.len) < bytes.len() as u64);
    }
    let module = match Module::parse(bytes) {
        Ok(module) => module,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Outcome::Refused;
        }
    };
    assert_eq!(ModuleInfo::parse(bytes).expect("it was parsed"), module.info);
    check_strip(bytes, &module);
    let modules = [Entry::new(b"kernel/m.ko".to_vec(), module)];
    let sources = Sources { modules: &modules, order: Some(b"kernel/m.ko\n"), ..Sources::default() };
    let indices = match plan(&sources) {
        Ok(indices) => indices,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Outcome::Refused;
        }
    };
    for (name, bytes) in
        indices.files.iter().filter(|(name, bytes)| name.ends_with(".bin") && !bytes.is_empty())
    {
        let index = Index::parse(bytes).expect(name);
        let mut visit = |key: &[u8], value: kmod_index::Value<'_>| {
            assert!(index.get(key).expect(name).contains(&value));
            ControlFlow::Continue(())
        };
        index.for_each(&mut visit).expect(name);
    }
    Outcome::Checked
}

/// Removes debug sections: the rest is as before, and has none.
fn check_strip(bytes: &[u8], module: &Module) {
    match strip(bytes) {
        Ok(None) => {}
        Ok(Some(stripped)) => {
            let rest = Module::parse(&stripped.bytes[..]).expect("it was valid");
            assert_eq!((&rest.info, &rest.needs), (&module.info, &module.needs));
            assert!(!has_debug_sections(&stripped.bytes[..]).expect("it was valid"));
            assert_eq!(strip(&stripped.bytes).expect("it was valid"), None);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Returns a module, sometimes with wrong bytes.
#[must_use]
pub fn module(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let (wide, big) = (choices.up_to(1) == 0, choices.up_to(1) == 1);
    let number = |number: usize, len: usize| {
        let mut bytes = (number as u64).to_le_bytes()[..len].to_vec();
        if big {
            bytes.reverse();
        }
        bytes
    };
    let (word, header_len, entry) = if wide { (8, 64, 64) } else { (4, 52, 40) };
    let sections = sections(&mut choices, wide, &number);
    let mut names = vec![0];
    let (mut data, mut headers) = (Vec::new(), vec![0; entry]);
    for (name, bytes) in &sections {
        let at = names.len();
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        let kind = if *name == ".symtab" { 2 } else { 1 };
        headers.extend(header(&number, word, entry, [at, kind, header_len + data.len(), bytes.len()]));
        data.extend_from_slice(bytes);
    }
    let at = names.len();
    names.extend_from_slice(b".shstrtab\0");
    headers.extend(header(&number, word, entry, [at, 3, header_len + data.len(), names.len()]));
    data.extend(names);
    let class = [if wide { 2 } else { 1 }, if big { 2 } else { 1 }, 1];
    let start = [&b"\x7fELF"[..], &class, &[0; 9]].concat();
    let kind = [number(1, 2), number(choices.one_of(&[62, 43, 183]), 2), number(1, 4)].concat();
    let places = [number(0, word), number(0, word), number(header_len + data.len(), word)].concat();
    let count = sections.len() + 2;
    let sizes = [header_len, 0, 0, entry, count, count - 1].map(|size| number(size, 2)).concat();
    let mut object = [start, kind, places, number(0, 4), sizes, data, headers].concat();
    if choices.rarely(4) {
        object.extend([&b"SIG\0\0\x02\0\0\0\0\0\0\0\0\x03"[..], b"~Module signature appended~\n"].concat());
    }
    while choices.wrong() {
        let at = choices.index(object.len());
        object[at] ^= 1 << choices.up_to(7);
    }
    object
}

fn header(
    number: &dyn Fn(usize, usize) -> Vec<u8>,
    word: usize,
    entry: usize,
    fields: [usize; 4],
) -> Vec<u8> {
    let [name, kind, offset, len] = fields;
    let start = [number(name, 4), number(kind, 4), number(0, word), number(0, word)].concat();
    let mut header = [start, number(offset, word), number(len, word)].concat();
    header.resize(entry, 0);
    header
}

fn sections(
    choices: &mut Choices<'_>,
    wide: bool,
    number: &dyn Fn(usize, usize) -> Vec<u8>,
) -> Vec<(&'static str, Vec<u8>)> {
    let (mut modinfo, mut strings) = (Vec::new(), Vec::new());
    let (mut symbols, mut names) = (vec![0; if wide { 24 } else { 16 }], vec![0]);
    while !choices.is_empty() && names.len() + modinfo.len() < 2000 {
        match choices.up_to(3) {
            0 => strings.extend(text(choices)),
            1 => {
                let key = choices.one_of(&[
                    "alias=",
                    "depends=",
                    "softdep=",
                    "weakdep=",
                    "firmware=",
                    "name=",
                    "x",
                ]);
                modinfo.extend(key.as_bytes().iter().copied().chain(text(choices)));
            }
            kind => {
                let (at, section) = (names.len(), number(if kind == 2 { 0 } else { 5 }, 2));
                if kind == 3 {
                    names.extend_from_slice(b"__crc_");
                }
                names.extend(text(choices));
                symbols.extend(match wide {
                    true => [number(at, 4), vec![0x10, 0], section, vec![0; 16]].concat(),
                    false => [number(at, 4), vec![0; 8], vec![0x10, 0], section].concat(),
                });
            }
        }
    }
    let mut versions = Vec::new();
    for _ in 0..choices.up_to(3) {
        let mut record = [vec![1; if wide { 8 } else { 4 }], text(choices)].concat();
        record.truncate(63);
        record.resize(64, 0);
        versions.extend(record);
    }
    let debug = (".debug_info", vec![1; choices.up_to(9).try_into().expect("at most 9")]);
    let debug = choices.rarely(2).then_some(debug);
    let others = vec![
        (".modinfo", modinfo),
        ("__ksymtab_strings", strings),
        ("__versions", versions),
        (".symtab", symbols),
        (".strtab", names),
    ];
    debug.into_iter().chain(others).collect()
}

/// Returns a word that ends with a NUL.
fn text(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut word = Vec::new();
    for _ in 0..choices.up_to(4) {
        let part = choices.one_of(&[
            "a",
            "b-c",
            "pci:v*",
            "[0-9]",
            "[",
            ",",
            " ",
            "char-major-10-",
            "devname:",
            "?",
        ]);
        word.extend_from_slice(part.as_bytes());
    }
    word.push(0);
    word
}

/// Reads arbitrary bytes as a binary index.
pub fn check_index(bytes: &[u8]) -> Outcome {
    let index = match Index::parse(bytes) {
        Ok(index) => index,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Outcome::Refused;
        }
    };
    let mut count = 0;
    let mut visit = |key: &[u8], _: kmod_index::Value<'_>| {
        count += 1;
        assert!(key.len() <= bytes.len() * 4 && count <= bytes.len());
        let _ = index.get(key);
        if count < 50 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let walked = index.for_each(&mut visit);
    for name in [&b"a"[..], b"pci:v1", b"b_c[", b""] {
        let _ = index.matching(name);
    }
    if walked.is_ok() { Outcome::Checked } else { Outcome::Refused }
}

/// Returns an index of aliases, sometimes with wrong bytes.
#[must_use]
pub fn index(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let mut modules = Vec::new();
    while !choices.is_empty() && modules.len() < 40 {
        let mut module = Module::default();
        for _ in 0..choices.up_to(4) {
            let mut alias = text(&mut choices);
            alias.pop();
            module.info.aliases.push(alias);
        }
        modules.push(Entry::new(format!("kernel/m{}.ko", modules.len()).into_bytes(), module));
    }
    let indices = plan(&Sources { modules: &modules, ..Sources::default() }).expect("they are ASCII");
    let mut index = indices.file("modules.alias.bin").expect("it is written").to_vec();
    while choices.wrong() {
        let at = choices.index(index.len());
        index[at] ^= 1 << choices.up_to(7);
    }
    index
}

/// Reads arbitrary text as the configuration of modprobe and as the text of each index.
pub fn check_config(text: &[u8]) -> Outcome {
    let mut config = Config::default();
    let ignored = config.add(text);
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!(ignored.iter().all(|line| (1..=lines).contains(&line.line) && !line.word.is_empty()));
    let texts = Texts { dep: text, alias: text, symbols: text, builtin: text, builtin_modinfo: text };
    let catalog = Catalog::from_texts(&texts);
    let names: Vec<&[u8]> = catalog.modules().map(|(name, _)| name).take(20).collect();
    for name in names.into_iter().chain([&b"a"[..], b"b-c", b"symbol:x"]) {
        let _ = (catalog.lookup(&config, name), config.options_of(name), config.is_blacklisted(name));
        let order = catalog.load_order(&config, name);
        assert!(order.iter().any(|other| *other == name || *other == with_underscores(name)));
    }
    if ignored.is_empty() { Outcome::Checked } else { Outcome::Refused }
}

/// Returns lines of configuration and of `modules.dep`, sometimes with wrong bytes.
#[must_use]
pub fn config(bytes: &[u8]) -> Vec<u8> {
    const COMMANDS: [&str; 9] =
        ["alias", "softdep", "weakdep", "options", "blacklist", "install", "remove", "#", "kernel/a.ko:"];
    const WORDS: [&str; 12] = [
        "a",
        "b-c",
        "a*",
        "[ab]",
        "pre:",
        "post:",
        "kernel/b-c.ko",
        "kernel/a.ko",
        "x=1",
        "symbol:x",
        "\\\n",
        "\t",
    ];
    let mut choices = Choices::new(bytes);
    let mut text = Vec::new();
    while !choices.is_empty() && text.len() < 4000 {
        text.extend_from_slice(choices.one_of(&COMMANDS).as_bytes());
        for _ in 0..2 + choices.up_to(4) {
            text.push(b' ');
            text.extend_from_slice(choices.one_of(&WORDS).as_bytes());
        }
        if choices.wrong() {
            text.push(b'[');
        }
        text.push(b'\n');
    }
    text
}
