//! Threads that take items in order, and pass their results to the output in order.
//!
//! A thread takes an item if there is room for it, or if nothing else is in progress. So the item
//! that the output waits for is always in progress, and the output cannot deadlock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;

use image_tree::Content;
use initramfs::codec::{Codec, CompressedPiece};

use super::CompressOptions;
use super::emit::Emitter;
use super::items::{Item, Items, Place, Work};
use super::pack::{Packer, Scratch};
use crate::error::Result;
use crate::error::cannot_start_thread;

/// The number of slices of a long frame that may be queued for the output.
const WAITING_SLICES: usize = 4;

/// The result for an item.
struct Made {
    place: Place,
    bytes: Bytes,
}

enum Bytes {
    /// All bytes at once.
    Whole(CompressedPiece),
    /// The slices of a long frame, as they are compressed.
    Slices(Receiver<Result<Vec<u8>>>),
}

type Promise = Receiver<Result<Made>>;

/// The state shared by the threads.
struct Shared<'s, 'a, C> {
    queue: Mutex<Queue<'a, C>>,
    /// Notified when the bytes in flight decrease.
    room: Condvar,
    /// The maximum number of bytes in flight.
    limit: u64,
    stop: &'s AtomicBool,
}

struct Queue<'a, C> {
    items: Items<'a, C>,
    /// The next item, once it is known.
    next: Option<Result<Item<'a, C>>>,
    /// The bytes of items that were taken and not written yet.
    in_flight: u64,
}

pub(super) fn run<C: Content>(
    items: Items<'_, C>,
    packer: &Packer<'_>,
    codec: &Codec,
    options: &CompressOptions<'_>,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    let threads = options.write.threads.get();
    if threads == 1 {
        return alone(items, packer, emitter);
    }
    let limit = codec.max_piece_len().saturating_mul(threads as u64 + 1);
    let shared = &Shared {
        queue: Mutex::new(Queue { items, next: None, in_flight: 0 }),
        room: Condvar::new(),
        limit,
        stop: packer.stop(),
    };
    let (order, promises) = channel();
    thread::scope(|scope| {
        // The threads are stopped on every path out of here.
        let _stopper = Stopper(shared);
        for _ in 0..threads {
            let order = order.clone();
            thread::Builder::new()
                .spawn_scoped(scope, move || make_items(shared, packer, &order))
                .map_err(cannot_start_thread)?;
        }
        // The threads hold the remaining senders: once they are done or have panicked, `promises`
        // ends too.
        drop(order);
        emit_promised(promises, shared, emitter)
    })
}

fn alone<C: Content>(mut items: Items<'_, C>, packer: &Packer<'_>, emitter: &mut Emitter<'_>) -> Result<()> {
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

/// Stops the threads when dropped.
struct Stopper<'s, 'a, C>(&'s Shared<'s, 'a, C>);

impl<C> Drop for Stopper<'_, '_, C> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
        // The lock ensures that no thread is between checking the flag and waiting.
        let _queue = self.0.queue.lock();
        self.0.room.notify_all();
    }
}

/// Processes items until there are none left, the output is gone or one failed.
fn make_items<'a, C: Content>(shared: &Shared<'_, 'a, C>, packer: &Packer<'_>, order: &Sender<Promise>) {
    let mut scratch = Scratch::default();
    while let Some((item, promise)) = take_item(shared, order) {
        let failed = match item {
            Err(error) => {
                // OK to ignore, here and below: without an output there is no receiver.
                let _ = promise.send(Err(error));
                true
            }
            Ok(item) if item.place.work == Work::CompressLong => make_long(&item, packer, &promise),
            Ok(item) => {
                let made = packer.pack(&item, &mut scratch);
                if let Ok(packed) = &made {
                    let done = cost(&item).saturating_sub(packed.bytes.len() as u64);
                    shared.release(done);
                }
                let failed = made.is_err();
                let made = made.map(|packed| Made { place: item.place, bytes: Bytes::Whole(packed) });
                promise.send(made).is_err() || failed
            }
        };
        if failed {
            return;
        }
    }
}

/// Passes on the slices of a long frame as they are compressed. Returns true on failure.
fn make_long<C: Content>(
    item: &Item<'_, C>,
    packer: &Packer<'_>,
    promise: &SyncSender<Result<Made>>,
) -> bool {
    let (sender, slices) = sync_channel(WAITING_SLICES);
    let made = Made { place: item.place, bytes: Bytes::Slices(slices) };
    if promise.send(Ok(made)).is_err() {
        return true;
    }
    let result = packer.pack_long(item, &mut |slice| {
        // The output has dropped its receiver because it failed, so this error is not reported.
        sender
            .send(Ok(slice))
            .map_err(|_| crate::error::Error::new(crate::error::ErrorKind::Io, "the output is gone"))
    });
    match result {
        Ok(()) => false,
        Err(error) => {
            let _ = sender.send(Err(error));
            true
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

/// The bytes in flight of a long frame: its memory is within zstd, and only slices are queued.
const LONG_COST: u64 = 8 << 20;

type Taken<'a, C> = (Result<Item<'a, C>>, SyncSender<Result<Made>>);

/// Takes the next item once there is room for it, and promises its result to the output.
fn take_item<'a, C>(shared: &Shared<'_, 'a, C>, order: &Sender<Promise>) -> Option<Taken<'a, C>> {
    let mut queue = shared.queue();
    loop {
        if shared.stop.load(Ordering::SeqCst) {
            return None;
        }
        if queue.next.is_none() {
            queue.next = queue.items.next().transpose();
        }
        let needed = match &queue.next {
            None => return None,
            Some(Ok(item)) => cost(item),
            Some(Err(_)) => 0,
        };
        if queue.in_flight == 0 || queue.in_flight.saturating_add(needed) <= shared.limit {
            queue.in_flight += needed;
            break;
        }
        // OK to unwrap: it is poisoned if the image panicked in another thread, and this one then
        // panics too.
        queue = shared.room.wait(queue).expect("the image's runs can be listed");
    }
    let item = queue.next.take()?;
    let (promise, slot) = sync_channel(1);
    order.send(slot).ok()?;
    Some((item, promise))
}

impl<'a, C> Shared<'_, 'a, C> {
    fn queue(&self) -> MutexGuard<'_, Queue<'a, C>> {
        // OK to unwrap: as in `take_item`.
        self.queue.lock().expect("the image's runs can be listed")
    }

    fn release(&self, bytes: u64) {
        let mut queue = self.queue();
        queue.in_flight = queue.in_flight.saturating_sub(bytes);
        drop(queue);
        self.room.notify_all();
    }
}

/// Emits each item once it is ready.
fn emit_promised<C>(
    promises: Receiver<Promise>,
    shared: &Shared<'_, '_, C>,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    for promise in promises {
        // A thread that panicked drops its sender; the scope propagates the panic.
        let Ok(made) = promise.recv() else { break };
        let Made { place, bytes } = made?;
        emitter.begin(&place)?;
        let (note, released) = match bytes {
            Bytes::Whole(packed) => {
                emitter.put(&packed.bytes)?;
                (packed.note, packed.bytes.len() as u64)
            }
            Bytes::Slices(slices) => {
                for slice in slices {
                    emitter.check()?;
                    emitter.put(&slice?)?;
                }
                (0, LONG_COST)
            }
        };
        emitter.end(&place, note)?;
        shared.release(released);
    }
    Ok(())
}
