//! Archives built by hand, valid or invalid.

/// An archive that grows.
#[derive(Clone)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

impl Archive {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn file(self, path: &str, contents: &str) -> Self {
        self.member(path, b'0', contents.as_bytes())
    }

    pub(crate) fn directory(self, path: &str, mode: u16) -> Self {
        self.raw(path.as_bytes(), b'5', 0, b"", |header| put(header, 100, &format!("{mode:07o}")))
    }

    pub(crate) fn link(self, path: &str, flag: u8, target: &str) -> Self {
        self.raw(path.as_bytes(), flag, 0, b"", |header| put(header, 157, target))
    }

    pub(crate) fn member(self, path: &str, flag: u8, payload: &[u8]) -> Self {
        let size = payload.len() as u64;
        self.raw(path.as_bytes(), flag, size, payload, |_| {})
    }

    /// Appends an extended header with records, or a global one.
    pub(crate) fn pax(self, flag: u8, records: &[(&str, &[u8])]) -> Self {
        let mut payload = Vec::new();
        for (key, value) in records {
            payload.extend(record(key, value));
        }
        self.member("pax", flag, &payload)
    }

    /// Appends a header with the given fields and a correct checksum, and a payload padded to whole
    /// blocks.
    pub(crate) fn raw(
        mut self,
        path: &[u8],
        flag: u8,
        size: u64,
        payload: &[u8],
        change: impl FnOnce(&mut [u8; 512]),
    ) -> Self {
        let mut header = [0; 512];
        header[..path.len()].copy_from_slice(path);
        for (at, text) in [(100, "0000644"), (108, "0000000"), (116, "0000000"), (136, "00000000000")] {
            put(&mut header, at, text);
        }
        put(&mut header, 124, &format!("{size:011o}"));
        header[156] = flag;
        put(&mut header, 257, "ustar\x0000");
        change(&mut header);
        checksum(&mut header);
        self.0.extend(header);
        self.0.extend(payload);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// Appends the two zero blocks at the end.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

pub(crate) fn put(header: &mut [u8; 512], at: usize, text: &str) {
    header[at..at + text.len()].copy_from_slice(text.as_bytes());
}

pub(crate) fn checksum(header: &mut [u8; 512]) {
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(header, 148, &format!("{sum:06o}\0 "));
}

/// Returns `LENGTH KEY=VALUE\n`, where the length includes itself.
pub(crate) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    [format!("{len} {key}=").as_bytes(), value, b"\n"].concat()
}
