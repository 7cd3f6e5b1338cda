//! The report on an image and the summary.

use dm_verity::{Parameters, Table};
use image_tree::resolve::resolve_in_root;
use image_tree::{Kind, Tree};

use super::disk::Measured;
use crate::blob::Blob;
use crate::disk::{DiskFrame, DiskLayout, DiskPlan};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::PlannedFilesystem;
use crate::named::Named as _;
use crate::recipe::preset::DiskPreset;
use crate::recipe::{ImageRecipe, TreeRecipe};
use crate::report::{ImageReport, Partition, PartitionReport, VerityReport};
use crate::run::pipeline::Prepared;
use crate::run::plan::artifact::planned as planned_artifact;

/// The parts of a planned disk that the report is about.
#[derive(Clone, Copy)]
pub(super) struct Planned<'p> {
    pub(super) frame: &'p DiskFrame,
    pub(super) plan: &'p DiskPlan,
    pub(super) filesystem: &'p dyn PlannedFilesystem,
    pub(super) byte_layout: &'static str,
}

/// Returns the report on a planned image.
pub(super) fn describe(
    (tree, recipe): (&TreeRecipe, &ImageRecipe),
    prepared: &Prepared,
    planned: Planned<'_>,
) -> Result<ImageReport> {
    let Planned { frame, plan, filesystem, byte_layout } = planned;
    let hash_tree = frame.hash_tree.as_ref().map(|tree| tree.layout(filesystem.len())).transpose()?;
    let partitions = partitions(plan, hash_tree.is_none() || recipe.layout != DiskLayout::Gpt);
    let mut report = ImageReport {
        artifact: planned_artifact(tree, byte_layout, plan.len()),
        layout: recipe.layout.name(),
        sector_size: recipe.sector_size.bytes(),
        ranges: plan.ranges(),
        partition: partitions.first().map(|partition| partition.identification.clone()),
        partitions,
        verity: hash_tree.as_ref().map(|layout| VerityReport::planned(layout, plan.offset(1).unwrap_or(0))),
        kernel_parameters: None,
        filesystem: filesystem.report(),
        build: prepared.build_info(),
    };
    report.kernel_parameters = unmeasured_parameters(recipe, &report);
    Ok(report)
}

/// Records the root hash, and what depends on it.
pub(super) fn record(
    report: &mut ImageReport,
    recipe: &ImageRecipe,
    frame: &DiskFrame,
    Measured { plan, parameters }: &Measured,
) -> Result<()> {
    report.partitions = partitions(plan, true);
    report.partition = report.partitions.first().map(|partition| partition.identification.clone());
    if let Some(verity) = &mut report.verity {
        verity.record(parameters);
    }
    report.kernel_parameters = Some(measured_parameters(recipe, report, frame, parameters)?);
    Ok(())
}

fn partitions(plan: &DiskPlan, is_known: bool) -> Vec<PartitionReport> {
    let partitions = plan.partitions().iter();
    let report = partitions.map(|placed| PartitionReport {
        identification: Partition {
            number: placed.number,
            partuuid: is_known.then(|| placed.partuuid.clone()),
        },
        name: placed.partition.purpose,
        offset: placed.offset,
        length: placed.len,
    });
    report.collect()
}

fn unmeasured_parameters(recipe: &ImageRecipe, report: &ImageReport) -> Option<String> {
    if report.verity.is_some() {
        return None;
    }
    if recipe.preset == Some(DiskPreset::KataExtension) {
        return recipe.extension.as_ref().map(|name| format!("kata.extension.{name}.verity_params"));
    }
    let partuuid = report.partition.as_ref()?.partuuid.as_ref()?;
    Some(format!("root=PARTUUID={partuuid}"))
}

fn measured_parameters(
    recipe: &ImageRecipe,
    report: &ImageReport,
    frame: &DiskFrame,
    parameters: &Parameters,
) -> Result<String> {
    if recipe.preset == Some(DiskPreset::KataExtension) {
        let name = recipe.extension.as_deref().unwrap_or("NAME");
        return Ok(format!("kata.extension.{name}.verity_params={parameters}"));
    }
    if recipe.layout == DiskLayout::Kata {
        return kata_parameters(recipe, frame, parameters);
    }
    let mut words = vec![format!("roothash={}", parameters.root_hash)];
    let partuuid = |index: usize| report.partitions.get(index)?.identification.partuuid.as_deref();
    if recipe.layout == DiskLayout::Mbr {
        for (index, name) in [(0, "data"), (1, "hash")] {
            words.extend(partuuid(index).map(|uuid| format!("systemd.verity_root_{name}=PARTUUID={uuid}")));
        }
    }
    let mut options = Vec::new();
    if let Some(verity) = report.verity.as_ref().filter(|verity| verity.superblock.is_none()) {
        options = vec![
            "superblock=no".to_owned(),
            format!("format={}", verity.format),
            format!("data-block-size={}", verity.data_block_size),
            format!("hash-block-size={}", verity.hash_block_size),
            format!("data-blocks={}", verity.data_blocks),
            format!("salt={}", verity.salt),
            format!("hash={}", verity.hash),
        ];
    }
    if let Some(fec) = report.verity.as_ref().and_then(|verity| verity.fec) {
        options.extend(partuuid(1).map(|uuid| format!("fec-device=PARTUUID={uuid}")));
        options.push(format!("fec-offset={}", fec.offset));
        options.push(format!("fec-roots={}", fec.roots));
    }
    if !options.is_empty() {
        words.push(format!("systemd.verity_root_options={}", options.join(",")));
    }
    Ok(words.join(" "))
}

/// Returns the parameters that Kata's runtimes give to the kernel for such a disk.
fn kata_parameters(recipe: &ImageRecipe, frame: &DiskFrame, parameters: &Parameters) -> Result<String> {
    let disk = if recipe.dax { "/dev/pmem0p" } else { "/dev/vda" };
    let (data, hash) = (format!("{disk}1"), format!("{disk}2"));
    let failed = |error| Error::new(ErrorKind::Verification, error);
    let options = frame.hash_tree.as_ref().map_or_else(|| parameters.options(), |tree| tree.verity.clone());
    let layout = dm_verity::plan(&options, parameters.data_len()).map_err(failed)?;
    let table = Table::new(&layout, &parameters.root_hash, &data, &hash);
    Ok(format!("{} root=/dev/dm-0", table.dm_mod_create("dm-verity").map_err(failed)?))
}

/// Returns true if a kernel finds an init: one of the programs that it tries without `init=`.
fn has_init(tree: &Tree<Blob>) -> bool {
    const TRIED: [&[u8]; 4] = [b"/sbin/init", b"/etc/init", b"/bin/init", b"/bin/sh"];
    TRIED.iter().any(|path| {
        let inode = resolve_in_root(tree, path).map(|id| tree.get(id));
        inode.is_some_and(|inode| matches!(inode.kind, Kind::Regular(_)) && inode.metadata.mode & 0o111 != 0)
    })
}

/// Returns the summary of a written or digested image.
pub(in crate::run::plan) fn summary(
    (recipe, name): (&ImageRecipe, &str),
    report: &ImageReport,
    planned: &dyn PlannedFilesystem,
    tree: &Tree<Blob>,
) -> String {
    let mut text =
        format!("{name}: {} bytes, {} with {}\n", report.artifact.size, recipe.layout, planned.summary());
    let partuuid = report.partition.as_ref().and_then(|root| root.partuuid.as_ref());
    match (&report.verity, &report.kernel_parameters, partuuid) {
        (Some(verity), Some(parameters), _) => {
            text += &format!("the root hash is {}\n", verity.root_hash.as_deref().unwrap_or_default());
            let what = if recipe.preset == Some(DiskPreset::KataExtension) { "the guest" } else { "it" };
            text += &format!("boot {what} with {parameters}\n");
        }
        (None, Some(parameters), _) if recipe.preset == Some(DiskPreset::KataExtension) => {
            text += &format!("boot the guest with {parameters}\n");
        }
        (None, _, Some(partuuid)) => {
            text += &match has_init(tree) {
                true => format!("boot it with root=PARTUUID={partuuid}\n"),
                false => format!("the partition has PARTUUID={partuuid}\n"),
            };
        }
        _ => {}
    }
    planned.notes().iter().for_each(|note| text += &format!("{note}\n"));
    if let Some(transfer) = report.artifact.transfer {
        text += &format!("{transfer}\n");
    }
    text
}
