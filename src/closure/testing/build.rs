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
pub const AUDIT: u64 = 0x6fff_fefc;
pub const DEPAUDIT: u64 = 0x6fff_fefb;
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
        let parts = self.parts();
        let mut bytes = self.headers(&parts);
        for (start, part) in parts.all() {
            if !part.is_empty() {
                bytes.resize(usize::try_from(start).expect("small"), 0);
                bytes.extend(part);
            }
        }
        bytes.resize(usize::try_from(parts.end).expect("small"), 0);
        bytes
    }

    /// The sizes of the ELF header and of a program header.
    fn sizes(&self) -> (u16, u16) {
        if self.wide { (64, 56) } else { (52, 32) }
    }

    fn segment_count(&self) -> u16 {
        3 + u16::from(self.interpreter.is_some()) + u16::from(!self.notes.is_empty())
    }

    /// Encodes the parts behind the program headers, and places them.
    fn parts(&self) -> Parts {
        let (header, entry) = self.sizes();
        let mut at = u64::from(header) + u64::from(self.segment_count()) * u64::from(entry);
        let mut place = |bytes: Vec<u8>| {
            let start = at;
            at = (at + bytes.len() as u64).next_multiple_of(16);
            (start, bytes)
        };
        let interpreter = self.interpreter.as_ref().map(|path| [path.as_bytes(), b"\0"].concat());
        let interpreter = place(interpreter.unwrap_or_default());
        let mut table = vec![0];
        let mut tags: Vec<(u64, u64)> = Vec::new();
        for (tag, text) in &self.strings {
            tags.push((*tag, table.len() as u64));
            table.extend(text.bytes().chain([0]));
        }
        let table = place(table);
        let notes = place(self.notes.clone());
        let symbol = place(vec![0; 32]);
        // One bucket and one symbol; on s390x the numbers are 64-bit.
        let is_s390x = self.wide && self.machine == 22;
        let number = |value| if is_s390x { self.word(value) } else { self.u32(value) };
        let hash = place([1, 1, 0, 0].map(number).concat());
        let symbol_size = if self.wide { 24 } else { 16 };
        tags.extend([
            (5, table.0),
            (10, table.1.len() as u64),
            (6, symbol.0),
            (11, symbol_size),
            (4, hash.0),
        ]);
        tags.extend(&self.numbers);
        // A zeroed DT_DEBUG, which the dynamic linker sets for a program.
        tags.extend([(21, 0), (0, 0)]);
        let tags = tags.iter().flat_map(|(tag, value)| [self.word(*tag), self.word(*value)].concat());
        let dynamic = place(tags.collect());
        Parts { interpreter, table, notes, symbol, hash, dynamic, end: at }
    }

    /// Encodes the ELF header and the program headers.
    fn headers(&self, parts: &Parts) -> Vec<u8> {
        let (header, entry) = self.sizes();
        let (at, count) = (u64::from(header), self.segment_count());
        let mut bytes = b"\x7fELF".to_vec();
        bytes.extend([1 + u8::from(self.wide), 1 + u8::from(self.big_endian), 1]);
        bytes.resize(16, 0);
        bytes.extend([self.u16(3), self.u16(self.machine), self.u32(1)].concat());
        bytes.extend([self.word(0), self.word(at), self.word(0), self.u32(0)].concat());
        bytes.extend([header, entry, count, 0, 0, 0].iter().flat_map(|size| self.u16(*size)));
        bytes.extend(self.segment(6, at, u64::from(count) * u64::from(entry), 8));
        if self.interpreter.is_some() {
            bytes.extend(self.segment_of(3, &parts.interpreter, 1));
        }
        bytes.extend(self.segment(1, 0, parts.end, 0x1_0000));
        bytes.extend(self.segment_of(2, &parts.dynamic, 8));
        if !self.notes.is_empty() {
            bytes.extend(self.segment_of(4, &parts.notes, 4));
        }
        bytes
    }

    fn segment_of(&self, kind: u64, part: &Part, align: u64) -> Vec<u8> {
        self.segment(kind, part.0, part.1.len() as u64, align)
    }
}

/// The offset of a part in the file, and its bytes.
type Part = (u64, Vec<u8>);

/// The parts behind the program headers, in the order of the file.
struct Parts {
    interpreter: Part,
    table: Part,
    notes: Part,
    symbol: Part,
    hash: Part,
    dynamic: Part,
    /// The length of the file.
    end: u64,
}

impl Parts {
    fn all(&self) -> [(u64, &[u8]); 6] {
        [&self.interpreter, &self.table, &self.notes, &self.symbol, &self.hash, &self.dynamic]
            .map(|(start, bytes)| (*start, &bytes[..]))
    }
}
