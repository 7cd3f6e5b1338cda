//! The compressions that the guest's kernel unpacks, and the codec that is chosen from them.

use std::fs::File;
use std::path::{Path, PathBuf};

use initramfs::codec::Codec;
use initramfs::{Compression, KernelConfig};

use crate::bounded;
use crate::closure::elf::Abi;
use crate::closure::exec;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::recipe::initrd::{InitrdRecipe, KernelFile, Preset};
use crate::shown;

/// The longest configuration, in bytes. Most have some hundred thousand bytes.
const MAX_CONFIG_LEN: u64 = 16 << 20;

/// The longest kernel, in bytes. Most have some ten million bytes, with debug information some
/// hundred million.
const MAX_KERNEL_LEN: u64 = 2 << 30;

/// The default compressions, in order of preference. All kernels since 5.9 can be built to unpack
/// the first, and all kernels the second; the fourth takes a kernel longest to unpack.
const DEFAULTS: [Compression; 4] = [Compression::Zstd, Compression::Gzip, Compression::Lz4, Compression::Xz];

/// Returns the configuration of the guest's kernel: an unknown one if no file is named.
///
/// # Errors
/// If the file cannot be read, or does not contain a configuration.
pub(in crate::run) fn config(file: Option<&KernelFile>) -> Result<KernelConfig> {
    match file {
        None => Ok(KernelConfig::unknown()),
        Some(KernelFile::Config(path)) => {
            let text = read(path, MAX_CONFIG_LEN)?;
            KernelConfig::parse(&text).map_err(|error| Error::at(ErrorKind::BadInput, path, error))
        }
        Some(KernelFile::Kernel(path)) => {
            let kernel = read(path, MAX_KERNEL_LEN)?;
            let found = KernelConfig::from_kernel(&kernel);
            let found = found.map_err(|error| Error::at(ErrorKind::BadInput, path, error))?;
            found.ok_or_else(|| Error::at(ErrorKind::BadInput, path, no_config_in(path)))
        }
    }
}

fn no_config_in(kernel: &Path) -> String {
    let beside = config_beside(kernel).filter(|path| path.exists());
    let example = beside.map_or_else(|| "/boot/config-*".to_owned(), |path| shown::path(&path).to_string());
    format!(
        "has no configuration in it, as a kernel built with CONFIG_IKCONFIG has; give the file it was built with instead, \
         --kernel-config {example}"
    )
}

/// Returns the path where distributions install the configuration of `vmlinuz-VERSION`.
fn config_beside(kernel: &Path) -> Option<PathBuf> {
    let version = kernel.file_name()?.to_str()?.strip_prefix("vmlinuz-")?;
    Some(kernel.with_file_name(format!("config-{version}")))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    bounded::read_file(file, path, limit)
}

/// Returns the requested codec, or the first of the default ones that the kernel unpacks. Warns of
/// one that the preset's kernels do not unpack, unless the kernel is known to.
///
/// # Errors
/// [`Usage`](ErrorKind::Usage) if the kernel does not unpack it, or does not support initramfs at
/// all.
pub(super) fn codec(recipe: &InitrdRecipe, kernel: &KernelConfig, log: &Log) -> Result<Codec> {
    if kernel.supports_initrd() == Some(false) {
        let message = "the kernel does not support initramfs: it was built without CONFIG_BLK_DEV_INITRD";
        return Err(Error::new(ErrorKind::Usage, message));
    }
    if let Some(codec) = recipe.codec {
        if let Some(compression) = codec.compression() {
            require_support(kernel, compression, "--compress")?;
            if lacks_preset_support(recipe, kernel, compression) {
                log.warn(format_args!(
                    "Kata's own kernels do not unpack {compression}: use --compress gzip or none, or name the \
                     configuration of another kernel with --kernel-config"
                ));
            }
        }
        return Ok(codec);
    }
    let mut candidates = recipe.preset.map(preset_compression).into_iter().chain(DEFAULTS);
    match candidates.find(|compression| kernel.supports(*compression) != Some(false)) {
        None => Ok(Codec::NONE),
        Some(compression) => {
            Codec::new(compression, None).map_err(|error| Error::new(ErrorKind::Verification, error))
        }
    }
}

/// Returns the programs that the kernel executes, as far as they are known. A configuration without
/// an architecture is not whole, so that what it lacks is not known to be missing.
pub(in crate::run) fn executes(kernel: &KernelConfig) -> exec::Kernel {
    let set = |name: &str| kernel.executes_with(name) == Some(true);
    let abi = |class: u8, data: u8, machine: u16| Abi { class, data, machine };
    let wide = if set("CONFIG_64BIT") { 2 } else { 1 };
    let order = if set("CONFIG_CPU_BIG_ENDIAN") { 2 } else { 1 };
    let compat = |option: &str, narrow: Abi| (wide == 2 && set(option)).then_some(narrow);
    let (own, others) = if set("CONFIG_X86_64") || (set("CONFIG_X86_32") && wide == 2) {
        let emulated = compat("CONFIG_IA32_EMULATION", abi(1, 1, 3));
        (abi(2, 1, 62), [emulated, compat("CONFIG_X86_X32_ABI", abi(1, 1, 62))])
    } else if set("CONFIG_X86_32") {
        (abi(1, 1, 3), [None, None])
    } else if set("CONFIG_ARM64") {
        (abi(2, order, 183), [compat("CONFIG_COMPAT", abi(1, order, 40)), None])
    } else if set("CONFIG_ARM") {
        (abi(1, order, 40), [None, None])
    } else if set("CONFIG_RISCV") {
        (abi(wide, 1, 243), [compat("CONFIG_COMPAT", abi(1, 1, 243)), None])
    } else if set("CONFIG_S390") {
        (abi(2, 2, 22), [compat("CONFIG_COMPAT", abi(1, 2, 22)), None])
    } else if set("CONFIG_PPC") {
        let order = if set("CONFIG_CPU_LITTLE_ENDIAN") { 1 } else { 2 };
        let own = abi(wide, order, if wide == 2 { 21 } else { 20 });
        (own, [compat("CONFIG_COMPAT", abi(1, order, 20)), None])
    } else if set("CONFIG_LOONGARCH") {
        (abi(wide, 1, 258), [None, None])
    } else {
        return exec::Kernel::default();
    };
    if !set("CONFIG_BINFMT_ELF") {
        return exec::Kernel::default();
    }
    let abis = [Some(own)].into_iter().chain(others).flatten().collect();
    exec::Kernel { abis: Some(abis), lacks_scripts: !set("CONFIG_BINFMT_SCRIPT") }
}

/// Returns the only compression that a preset's own kernels unpack.
fn preset_compression(preset: Preset) -> Compression {
    match preset {
        Preset::Kata => Compression::Gzip,
    }
}

/// Returns true if the preset's own kernels do not unpack this compression, and the configuration
/// of the kernel is not known.
pub(super) fn lacks_preset_support(
    recipe: &InitrdRecipe,
    kernel: &KernelConfig,
    compression: Compression,
) -> bool {
    let unpacked = recipe.preset.map(preset_compression);
    kernel.supports(compression).is_none() && unpacked.is_some_and(|unpacked| unpacked != compression)
}

/// Checks that the kernel, as far as it is known, unpacks the compression of `what`.
///
/// # Errors
/// [`Usage`](ErrorKind::Usage) if it does not, with the compressions that it unpacks.
pub(super) fn require_support(kernel: &KernelConfig, compression: Compression, what: &str) -> Result<()> {
    if kernel.supports(compression) != Some(false) {
        return Ok(());
    }
    let unpacked: Vec<&str> = Compression::ALL
        .into_iter()
        .filter(|other| kernel.supports(*other) == Some(true))
        .map(Compression::name)
        .collect();
    let instead = match &unpacked[..] {
        [] => "it unpacks nothing: use --compress none".to_owned(),
        all => format!("it unpacks {}", all.join(", ")),
    };
    let option = compression.kernel_option();
    let message = format!(
        "{what}: the kernel does not unpack {compression}, as it was built without {option}; {instead}"
    );
    Err(Error::new(ErrorKind::Usage, message))
}
