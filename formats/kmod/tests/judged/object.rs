//! Made-up modules: ELF objects with the sections that depmod reads.

/// The word size and byte order of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) is_64_bit: bool,
    pub(crate) is_big_endian: bool,
}

impl Format {
    pub(crate) const LE64: Self = Self { is_64_bit: true, is_big_endian: false };
    pub(crate) const ALL: [Self; 4] = [
        Self::LE64,
        Self { is_64_bit: true, is_big_endian: true },
        Self { is_64_bit: false, is_big_endian: false },
        Self { is_64_bit: false, is_big_endian: true },
    ];

    fn number(self, number: u64, len: usize) -> Vec<u8> {
        let bytes = number.to_le_bytes();
        let mut bytes = bytes[..len].to_vec();
        if self.is_big_endian {
            bytes.reverse();
        }
        bytes
    }

    /// A number as long as a pointer.
    fn word(self, number: u64) -> Vec<u8> {
        self.number(number, if self.is_64_bit { 8 } else { 4 })
    }
}

/// A module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    pub(crate) modinfo: Vec<&'static str>,
    /// Symbols `__crc_NAME`.
    pub(crate) exports: Vec<&'static str>,
    /// The names in `__ksymtab_strings`.
    pub(crate) strings: Vec<&'static str>,
    pub(crate) undefined: Vec<&'static str>,
    pub(crate) versions: Vec<&'static str>,
}

impl Object {
    pub(crate) fn bytes(&self, format: Format) -> Vec<u8> {
        let terminated =
            |list: &[&str]| list.iter().flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect();
        let (symbols, names) = self.symbols(format);
        let checksum = if format.is_64_bit { 8 } else { 4 };
        let version = |name: &&str| {
            let mut record = [vec![7; checksum], name.as_bytes().to_vec()].concat();
            record.resize(64, 0);
            record
        };
        let sections: [(&str, Vec<u8>); 6] = [
            (".modinfo", terminated(&self.modinfo)),
            ("__ksymtab_strings", terminated(&self.strings)),
            ("__versions", self.versions.iter().flat_map(version).collect()),
            (".symtab", symbols),
            (".strtab", names),
            (".shstrtab", Vec::new()),
        ];
        assemble(format, sections)
    }

    fn symbols(&self, format: Format) -> (Vec<u8>, Vec<u8>) {
        let (mut symbols, mut names) = (symbol(format, 0, 0), vec![0]);
        let exported = self.exports.iter().map(|name| (format!("__crc_{name}"), 0xfff1));
        let undefined = self.undefined.iter().map(|name| ((*name).to_owned(), 0));
        for (name, section) in exported.chain(undefined) {
            symbols.extend(symbol(format, names.len() as u64, section));
            names.extend_from_slice(name.as_bytes());
            names.push(0);
        }
        (symbols, names)
    }
}

fn symbol(format: Format, name: u64, section: u64) -> Vec<u8> {
    let (name, section, global) = (format.number(name, 4), format.number(section, 2), vec![0x10, 0]);
    match format.is_64_bit {
        true => [name, global, section, vec![0; 16]].concat(),
        false => [name, vec![0; 8], global, section].concat(),
    }
}

/// Returns the object of these sections, of which the last gets the names of all.
fn assemble(format: Format, mut sections: [(&str, Vec<u8>); 6]) -> Vec<u8> {
    let (mut table, mut offsets) = (vec![0], Vec::new());
    for (name, _) in &sections {
        offsets.push(table.len() as u64);
        table.extend_from_slice(name.as_bytes());
        table.push(0);
    }
    sections[5].1 = table;
    let header_len = if format.is_64_bit { 64 } else { 52 };
    let entry = if format.is_64_bit { 64 } else { 40 };
    let (mut data, mut headers) = (Vec::new(), vec![0; entry]);
    for ((_, bytes), name) in sections.iter().zip(offsets) {
        let offset = format.word((header_len + data.len()) as u64);
        let start = [format.number(name, 4), format.number(1, 4), format.word(0), format.word(0)].concat();
        let mut header = [start, offset, format.word(bytes.len() as u64)].concat();
        header.resize(entry, 0);
        headers.extend(header);
        data.extend_from_slice(bytes);
    }
    let class = [if format.is_64_bit { 2 } else { 1 }, if format.is_big_endian { 2 } else { 1 }, 1];
    let identity = [&b"\x7fELF"[..], &class, &[0; 9]].concat();
    let kind = [format.number(1, 2), format.number(62, 2), format.number(1, 4)].concat();
    let places = [format.word(0), format.word(0), format.word((header_len + data.len()) as u64)].concat();
    let sizes = [header_len, 0, 0, entry, 7, 6].map(|size| format.number(size as u64, 2)).concat();
    [identity, kind, places, format.number(0, 4), sizes, data, headers].concat()
}
