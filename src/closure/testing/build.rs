//! Synthetic ELF files: everything that a dynamic linker reads, but no code. glibc's own dynamic
//! linker can list their dependencies.
//!
//! ```text
//! ELF header │ program headers │ PT_INTERP │ strings │ PT_NOTE │ symbol 0, its hash table │ PT_DYNAMIC
//! └───────────────────────────────────── one PT_LOAD, address 0 ───────────────────────────────────┘
//! ```

/// The content of a file.
#[derive(Clone, Debug)]
pub struct Build {
    /// True for a 64-bit file, false for 32 bits.
    pub wide: bool,
    pub big_endian: bool,
    /// `e_machine`.
    pub machine: u16,
    pub interpreter: Option<String>,
    /// Tags with strings, in order.
    pub strings: Vec<(u64, String)>,
    /// Tags with numbers.
    pub numbers: Vec<(u64, u64)>,
    pub notes: Vec<u8>,
}

pub const NEEDED: u64 = 1;
pub const SONAME: u64 = 14;
pub const RPATH: u64 = 15;
pub const RUNPATH: u64 = 29;
pub const FLAGS_1: u64 = 0x6fff_fffb;
pub const NODEFLIB: u64 = 0x800;
pub const AUXILIARY: u64 = 0x7fff_fffd;
pub const FILTER: u64 = 0x7fff_ffff;

impl Default for Build {
    fn default() -> Self {
        Self::new()
    }
}

impl Build {
    /// Creates a library for x86-64 without any needs.
    pub fn new() -> Self {
        Self {
            wide: true,
            big_endian: false,
            machine: 62,
            interpreter: None,
            strings: Vec::new(),
            numbers: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Creates a program for x86-64 that is loaded by glibc.
    pub fn program() -> Self {
        Self { interpreter: Some("/lib64/ld-linux-x86-64.so.2".to_owned()), ..Self::new() }
    }

    pub fn string(mut self, tag: u64, text: &str) -> Self {
        self.strings.push((tag, text.to_owned()));
        self
    }

    pub fn needs(self, name: &str) -> Self {
        self.string(NEEDED, name)
    }

    pub fn number(mut self, tag: u64, value: u64) -> Self {
        self.numbers.push((tag, value));
        self
    }

    /// Sets the machine: its class, byte order and number.
    pub fn machine(self, wide: bool, big_endian: bool, machine: u16) -> Self {
        Self { wide, big_endian, machine, ..self }
    }

    fn u16(&self, value: u16) -> Vec<u8> {
        if self.big_endian { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    fn u32(&self, value: u64) -> Vec<u8> {
        let value = u32::try_from(value).expect("a small number");
        if self.big_endian { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    /// Encodes a word of the size of an address.
    fn word(&self, value: u64) -> Vec<u8> {
        match (self.wide, self.big_endian) {
            (false, _) => self.u32(value),
            (true, false) => value.to_le_bytes().to_vec(),
            (true, true) => value.to_be_bytes().to_vec(),
        }
    }

    fn segment(&self, kind: u64, offset: u64, len: u64, align: u64) -> Vec<u8> {
        let (kind, flags) = (self.u32(kind), self.u32(6));
        let [offset, len, align] = [offset, len, align].map(|value| self.word(value));
        if self.wide {
            [kind, flags, offset.clone(), offset.clone(), offset, len.clone(), len, align].concat()
        } else {
            [kind, offset.clone(), offset.clone(), offset, len.clone(), len, flags, align].concat()
        }
    }

    /// Encodes the file.
    pub fn bytes(&self) -> Vec<u8> {
        let (header, entry, tag) = if self.wide { (64, 56, 16) } else { (52, 32, 8) };
        let segments = 3 + u64::from(self.interpreter.is_some()) + u64::from(!self.notes.is_empty());
        let mut at = header + segments * entry;
        let mut place = |len: usize| {
            let start = at;
            at = (at + len as u64).next_multiple_of(16);
            start
        };
        let interpreter = self.interpreter.as_ref().map(|path| [path.as_bytes(), b"\0"].concat());
        let interpreter_at = place(interpreter.as_ref().map_or(0, Vec::len));
        let mut table = vec![0];
        let mut tags: Vec<(u64, u64)> = Vec::new();
        for (tag, text) in &self.strings {
            tags.push((*tag, table.len() as u64));
            table.extend(text.bytes().chain([0]));
        }
        let table_at = place(table.len());
        let notes_at = place(self.notes.len());
        let symbol = vec![0; 32];
        let symbol_at = place(symbol.len());
        // One bucket and one symbol; on s390x the numbers are 64-bit.
        let is_s390x = self.wide && self.machine == 22;
        let number = |value| if is_s390x { self.word(value) } else { self.u32(value) };
        let hash = [1, 1, 0, 0].map(number).concat();
        let hash_at = place(hash.len());
        tags.extend([
            (5, table_at),
            (10, table.len() as u64),
            (6, symbol_at),
            (11, if self.wide { 24 } else { 16 }),
        ]);
        tags.push((4, hash_at));
        tags.extend(&self.numbers);
        // A zeroed DT_DEBUG, which the dynamic linker sets for a program.
        tags.extend([(21, 0), (0, 0)]);
        let dynamic: Vec<u8> =
            tags.iter().flat_map(|(tag, value)| [self.word(*tag), self.word(*value)].concat()).collect();
        let dynamic_at = place(dynamic.len());
        let end = at;

        let mut bytes = b"\x7fELF".to_vec();
        bytes.extend([1 + u8::from(self.wide), 1 + u8::from(self.big_endian), 1]);
        bytes.resize(16, 0);
        bytes.extend([self.u16(3), self.u16(self.machine), self.u32(1)].concat());
        bytes.extend([self.word(0), self.word(header), self.word(0), self.u32(0)].concat());
        let count = u16::try_from(segments).expect("few");
        let sizes = [if self.wide { 64 } else { 52 }, if self.wide { 56 } else { 32 }, count, 0, 0, 0];
        bytes.extend(sizes.iter().flat_map(|size| self.u16(*size)));
        bytes.extend(self.segment(6, header, segments * entry, 8));
        if let Some(path) = &interpreter {
            bytes.extend(self.segment(3, interpreter_at, path.len() as u64, 1));
        }
        bytes.extend(self.segment(1, 0, end, 0x1_0000));
        bytes.extend(self.segment(2, dynamic_at, tags.len() as u64 * tag, 8));
        if !self.notes.is_empty() {
            bytes.extend(self.segment(4, notes_at, self.notes.len() as u64, 4));
        }
        let parts = [
            (interpreter_at, interpreter.unwrap_or_default()),
            (table_at, table),
            (notes_at, self.notes.clone()),
            (symbol_at, symbol),
            (hash_at, hash),
            (dynamic_at, dynamic),
        ];
        for (start, part) in parts {
            if !part.is_empty() {
                bytes.resize(usize::try_from(start).expect("small"), 0);
                bytes.extend(part);
            }
        }
        bytes.resize(usize::try_from(end).expect("small"), 0);
        bytes
    }
}
