//! sgdisk: GUID partition tables.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Verdict;
use crate::judges;
use crate::product::run;

/// One entry of the table, as `sgdisk -i` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// From 1.
    pub(crate) number: u32,
    /// First byte.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) len: u64,
    /// In capitals, as sgdisk prints it.
    pub(crate) type_guid: String,
    /// In capitals; in lower case it is the kernel's `PARTUUID`.
    pub(crate) unique_guid: String,
    pub(crate) attributes: u64,
    pub(crate) name: String,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) disk_guid: String,
    pub(crate) partitions: Vec<Partition>,
}

/// Checks that `sgdisk -v` finds no problem. `sector_size` other than 512 needs a loop device, so
/// root.
pub(crate) fn check(disk: &Path, sector_size: u32) -> Verdict {
    let Some(device) = Device::open(disk, sector_size)? else { return Ok(()) };
    let Some(mut sgdisk) = judges::command("sgdisk") else { return Ok(()) };
    let outcome = run(sgdisk.arg("-v").arg(device.path())).success()?;
    // A partition that ends between two megabytes gets a caution about encryption tools; all else
    // is a problem.
    let known = [
        "No problems found.",
        "segments, the largest of which",
        "Caution: Partition",
        "result in problems with some disk encryption tools.",
    ];
    let text = outcome.text();
    let is_known = |line: &str| known.iter().any(|start| line.starts_with(start));
    let silent = text.lines().filter(|line| !line.is_empty()).all(is_known);
    if silent && text.contains("No problems found.") && outcome.stderr.is_empty() {
        Ok(())
    } else {
        Err(outcome.to_string())
    }
}

/// Reads the verified table, or returns `None` after a visible skip.
///
/// # Panics
/// If sgdisk finds a problem.
pub(crate) fn judge(disk: &Path, sector_size: u32) -> Option<Table> {
    let table = check(disk, sector_size).and_then(|()| read(disk, sector_size));
    table.unwrap_or_else(|why| panic!("{}: sgdisk: {why}", disk.display()))
}

/// Reads the table, or returns `None` after a visible skip.
pub(crate) fn read(disk: &Path, sector_size: u32) -> Result<Option<Table>, String> {
    let Some(device) = Device::open(disk, sector_size)? else { return Ok(None) };
    let Some(mut sgdisk) = judges::command("sgdisk") else { return Ok(None) };
    let text = run(sgdisk.arg("-p").arg(device.path())).success()?.text();
    let disk_guid = field(&text, "Disk identifier (GUID): ")?;
    let rows = text.lines().skip_while(|line| !line.starts_with("Number ")).skip(1);
    let numbers = rows.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let partitions = numbers
        .map(|number| partition(device.path(), number, u64::from(sector_size)))
        .collect::<Result<_, _>>()?;
    Ok(Some(Table { disk_guid, partitions }))
}

fn partition(device: &Path, number: u32, sector_size: u64) -> Result<Partition, String> {
    let mut sgdisk = judges::command("sgdisk").ok_or("sgdisk is gone")?;
    let text = run(sgdisk.arg("-i").arg(number.to_string()).arg(device)).success()?.text();
    let word = |label| Ok::<_, String>(field(&text, label)?.split(' ').next().unwrap_or_default().to_owned());
    let sector = |label| word(label)?.parse::<u64>().map_err(|error| format!("{label}{error}"));
    let (first, last) = (sector("First sector: ")?, sector("Last sector: ")?);
    let attributes = word("Attribute flags: ")?;
    let name = field(&text, "Partition name: ")?;
    Ok(Partition {
        number,
        offset: first * sector_size,
        len: (last + 1 - first) * sector_size,
        type_guid: word("Partition GUID code: ")?,
        unique_guid: word("Partition unique GUID: ")?,
        attributes: u64::from_str_radix(&attributes, 16).map_err(|error| error.to_string())?,
        name: name.trim_matches('\'').to_owned(),
    })
}

fn field(text: &str, label: &str) -> Result<String, String> {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.map(str::to_owned).ok_or_else(|| format!("sgdisk prints no “{label}”:\n{text}"))
}

/// The device for sgdisk: the file, or a loop device for sector sizes that a file does not have.
enum Device {
    File(PathBuf),
    Loop(PathBuf),
}

impl Device {
    fn open(disk: &Path, sector_size: u32) -> Result<Option<Self>, String> {
        if sector_size == 512 {
            return Ok(Some(Self::File(disk.to_owned())));
        }
        if !judges::may_mount() {
            return Ok(None);
        }
        let Some(mut losetup) = judges::command("losetup") else { return Ok(None) };
        losetup.args(["--find", "--show", "--read-only", "--sector-size"]).arg(sector_size.to_string());
        let device = run(losetup.arg(disk)).success()?.text();
        Ok(Some(Self::Loop(device.trim().into())))
    }

    fn path(&self) -> &Path {
        let (Self::File(path) | Self::Loop(path)) = self;
        path
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let (Self::Loop(device), Some(losetup)) = (&*self, judges::locate("losetup")) {
            // OK to ignore: the test has its result, and the system can remove the device later.
            let _ = Command::new(losetup).arg("--detach").arg(device).status();
        }
    }
}
