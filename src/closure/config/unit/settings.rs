//! Unit files: sections with keys and values.

/// The settings of a unit, followed by those of its drop-ins.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    settings: Vec<Setting>,
}

#[derive(Clone, Debug)]
struct Setting {
    section: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Settings {
    /// Adds the settings of a file.
    pub(super) fn read(&mut self, text: &[u8]) {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut section = Vec::new();
        let mut open: Option<Vec<u8>> = None;
        for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let start = line.trim_ascii_start();
            // A comment within a continued line does not end it.
            if matches!(start.first(), Some(b'#' | b';')) {
                continue;
            }
            let mut whole = open.take().unwrap_or_default();
            whole.extend(line);
            if ends_in_continuation(&whole) {
                whole.pop();
                whole.push(b' ');
                open = Some(whole);
                continue;
            }
            self.read_line(whole.trim_ascii(), &mut section);
        }
        if let Some(whole) = open {
            self.read_line(whole.trim_ascii(), &mut section);
        }
    }

    fn read_line(&mut self, line: &[u8], section: &mut Vec<u8>) {
        if let [b'[', name @ .., b']'] = line {
            *section = name.to_vec();
        } else if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
            let (key, value) = (line[..equals].trim_ascii_end(), line[equals + 1..].trim_ascii_start());
            let setting = Setting { section: section.clone(), key: key.to_vec(), value: value.to_vec() };
            self.settings.push(setting);
        }
    }

    /// Returns all values of a key after the last empty one, which resets the list.
    pub(super) fn values(&self, section: &str, key: &str) -> Vec<&[u8]> {
        let of_key =
            |setting: &&Setting| setting.section == section.as_bytes() && setting.key == key.as_bytes();
        let mut values = Vec::new();
        for setting in self.settings.iter().filter(of_key) {
            if setting.value.is_empty() {
                values.clear();
            } else {
                values.push(&setting.value[..]);
            }
        }
        values
    }

    /// Returns the value of a key with a single value.
    pub(super) fn last(&self, section: &str, key: &str) -> Option<&[u8]> {
        self.values(section, key).pop()
    }

    /// Returns the value of a boolean key; `None` if it is not set or not a boolean.
    pub(super) fn boolean(&self, section: &str, key: &str) -> Option<bool> {
        self.values(section, key).into_iter().rev().find_map(boolean)
    }

    /// Returns the settings of a section whose key starts with a prefix, in order: the rest of the
    /// key, and the value. An empty value is returned too, since it resets what precedes it.
    pub(super) fn with_prefix<'s>(
        &'s self,
        section: &'s str,
        prefix: &'s str,
    ) -> impl Iterator<Item = (&'s [u8], &'s [u8])> {
        self.settings.iter().filter(move |setting| setting.section == section.as_bytes()).filter_map(
            move |setting| Some((setting.key.strip_prefix(prefix.as_bytes())?, &setting.value[..])),
        )
    }

    /// Returns the words of a key with many values. A list of units is not reset by an empty value.
    pub(super) fn list(&self, section: &str, key: &str) -> Vec<Vec<u8>> {
        let of_key =
            |setting: &&Setting| setting.section == section.as_bytes() && setting.key == key.as_bytes();
        let values = self.settings.iter().filter(of_key).map(|setting| &setting.value);
        let words = values.flat_map(|value| value.split(u8::is_ascii_whitespace));
        words.filter(|word| !word.is_empty()).map(|word| unquoted(word).to_vec()).collect()
    }

    /// Returns the values of a key that is valid for services and other units that run processes.
    pub(super) fn list_of_any(&self, key: &str) -> Vec<Vec<u8>> {
        ["Service", "Socket", "Mount", "Swap", "Scope", "Slice"]
            .into_iter()
            .flat_map(|section| self.list(section, key))
            .collect()
    }
}

/// Parses a boolean in each of systemd's spellings, as `parse_boolean` does.
pub(super) fn boolean(value: &[u8]) -> Option<bool> {
    match value.to_ascii_lowercase().as_slice() {
        b"1" | b"yes" | b"y" | b"true" | b"t" | b"on" => Some(true),
        b"0" | b"no" | b"n" | b"false" | b"f" | b"off" => Some(false),
        _ => None,
    }
}

/// Returns true for a line that the next one continues, given without its end: one with an odd
/// number of trailing backslashes, as in each pair one escapes the other.
#[must_use]
pub fn ends_in_continuation(line: &[u8]) -> bool {
    line.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn unquoted(word: &[u8]) -> &[u8] {
    match word {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => word,
    }
}
