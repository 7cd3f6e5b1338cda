//! Items that threads compress, and that the output gets in order.

use std::sync::mpsc::{Receiver, sync_channel};

use initramfs::codec::{Codec, CompressedPiece};

use super::emit::Emitter;
use super::items::{Item, Items, Place, Work};
use super::member::CompressOptions;
use super::pack::{Packer, Scratch};
use crate::blob::Identified;
use crate::error::{Error, ErrorKind, Result};
use crate::threads::{Pipeline, Promise};

/// The number of slices of a long frame that may be queued for the output.
const WAITING_SLICES: usize = 4;

/// The bytes in flight of a long frame: its memory is within zstd, and only slices are queued.
const LONG_COST: u64 = 8 << 20;

/// The result for an item.
struct Made {
    place: Place,
    bytes: Bytes,
    /// The bytes that are in flight until it is emitted.
    cost: u64,
}

enum Bytes {
    /// All bytes at once.
    Whole(CompressedPiece),
    /// The slices of a long frame, as they are compressed.
    Slices(Receiver<Result<Vec<u8>>>),
}

pub(super) fn run<C: Identified>(
    mut items: Items<'_, C>,
    packer: &Packer<'_>,
    codec: &Codec,
    options: &CompressOptions<'_>,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    let threads = options.write.threads;
    let workers = threads.count();
    if workers == 1 {
        return alone(items, packer, emitter);
    }
    let limit = codec.max_piece_len().saturating_mul(workers as u64 + 1);
    Pipeline { threads, workers, limit, stop: packer.stop() }.run(
        || {
            Ok(items.next()?.map(|item| {
                let cost = cost(&item);
                (item, cost)
            }))
        },
        |item, scratch, promise, room| {
            if item.place.work == Work::CompressLong {
                return make_long(&item, packer, promise);
            }
            promise.fulfil(packer.pack(&item, scratch).map(|packed| {
                let cost = cost(&item);
                // An observer may keep the bytes of an item until it has those before it.
                let held =
                    if options.observer.is_some() { cost } else { cost.min(packed.bytes.len() as u64) };
                room.release(cost - held);
                Made { place: item.place, bytes: Bytes::Whole(packed), cost: held }
            }))
        },
        |made, room| emit(made, emitter).map(|cost| room.release(cost)),
    )
}

fn alone<C: Identified>(
    mut items: Items<'_, C>,
    packer: &Packer<'_>,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    let mut scratch = Scratch::default();
    while let Some(item) = items.next()? {
        emitter.begin(&item.place)?;
        if item.place.work == Work::CompressLong {
            packer.pack_long(&item, &mut |slice| {
                emitter.check()?;
                emitter.put(&slice)
            })?;
            emitter.end(&item.place, 0)?;
        } else {
            let packed = packer.pack(&item, &mut scratch)?;
            emitter.put(&packed.bytes)?;
            emitter.end(&item.place, packed.note)?;
        }
    }
    Ok(())
}

/// Passes on the slices of a long frame as they are compressed. Returns false on failure.
fn make_long<C: Identified>(item: &Item<'_, C>, packer: &Packer<'_>, promise: &Promise<Made>) -> bool {
    let (sender, slices) = sync_channel(WAITING_SLICES);
    let made = Made { place: item.place, bytes: Bytes::Slices(slices), cost: LONG_COST };
    if !promise.fulfil(Ok(made)) {
        return false;
    }
    let result = packer.pack_long(item, &mut |slice| {
        // The output has dropped its receiver because it failed, so this error is not reported.
        sender.send(Ok(slice)).map_err(|_| Error::new(ErrorKind::Io, "the output is gone"))
    });
    match result {
        Ok(()) => true,
        Err(error) => {
            // OK to ignore: without an output there is no receiver.
            let _ = sender.send(Err(error));
            false
        }
    }
}

/// The maximum number of bytes that an item has in flight.
fn cost<C>(item: &Item<'_, C>) -> u64 {
    match item.place.work {
        Work::CompressLong => LONG_COST,
        _ => item.gathered_len(),
    }
}

/// Emits an item, and returns the bytes that are no longer in flight.
fn emit(made: Made, emitter: &mut Emitter<'_>) -> Result<u64> {
    let Made { place, bytes, cost } = made;
    emitter.begin(&place)?;
    let note = match bytes {
        Bytes::Whole(packed) => {
            emitter.put(&packed.bytes)?;
            packed.note
        }
        Bytes::Slices(slices) => {
            for slice in slices {
                emitter.check()?;
                emitter.put(&slice?)?;
            }
            0
        }
    };
    emitter.end(&place, note)?;
    Ok(cost)
}
