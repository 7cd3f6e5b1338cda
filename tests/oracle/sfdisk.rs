//! sfdisk: MBR partition tables.

use std::path::Path;

use crate::judges;
use crate::product::run;

/// One entry of the table, as `sfdisk --dump` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// First byte.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) len: u64,
    /// In lower case without `0x`: `83`.
    pub(crate) type_code: String,
    pub(crate) bootable: bool,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// `dos` or `gpt`.
    pub(crate) label: String,
    /// The disk's signature, `0x` and eight digits: with `-01` it is the first partition's
    /// `PARTUUID`.
    pub(crate) label_id: String,
    pub(crate) partitions: Vec<Partition>,
}

/// Reads the table after `sfdisk --verify` reported no error, or returns `None` after a visible
/// skip.
///
/// # Panics
/// If sfdisk reports an error.
pub(crate) fn judge(disk: &Path) -> Option<Table> {
    read(disk).unwrap_or_else(|why| panic!("{}: sfdisk: {why}", disk.display()))
}

/// Reads the table after `sfdisk --verify` reported no error.
pub(crate) fn read(disk: &Path) -> Result<Option<Table>, String> {
    let Some(mut verify) = judges::command("sfdisk") else { return Ok(None) };
    let outcome = run(verify.arg("--verify").arg(disk)).success()?;
    let text = outcome.text() + &outcome.stderr;
    // Unused space and the absence of a bootable flag are remarks, not errors.
    let is_remark = |line: &str| {
        line.starts_with("No errors detected.")
            || line.starts_with("Remaining ")
            || line.contains("unallocated")
            || line.starts_with("Header version:")
            || line.strip_suffix(':').is_some_and(|name| disk.ends_with(name))
    };
    if let Some(line) = text.lines().find(|line| !line.is_empty() && !is_remark(line)) {
        return Err(format!("{line}\n{text}"));
    }
    let Some(mut dump) = judges::command("sfdisk") else { return Ok(None) };
    parse(&run(dump.arg("--dump").arg(disk)).success()?.text()).map(Some)
}

fn parse(text: &str) -> Result<Table, String> {
    let header = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::to_owned).ok_or_else(|| format!("sfdisk prints no “{name}”:\n{text}"))
    };
    let sector_size: u64 = match header("sector-size") {
        Ok(size) => size.parse().map_err(|error| format!("sector-size: {error}"))?,
        Err(_) => 512,
    };
    let partitions = text.lines().filter_map(|line| line.split_once(" : ")).map(|(_, fields)| {
        let value = |name: &str| {
            let found =
                fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
            found.map(|value| value.trim().to_owned()).ok_or_else(|| format!("no {name} in “{fields}”"))
        };
        let sectors = |name: &str| value(name)?.parse::<u64>().map_err(|error| format!("{name}: {error}"));
        Ok(Partition {
            offset: sectors("start")? * sector_size,
            len: sectors("size")? * sector_size,
            type_code: value("type")?,
            bootable: fields.split(',').any(|field| field.trim() == "bootable"),
        })
    });
    Ok(Table {
        label: header("label")?,
        label_id: header("label-id")?,
        partitions: partitions.collect::<Result<_, String>>()?,
    })
}
