//! Cancelled builds leave nothing behind.

use std::ffi::OsString;
use std::sync::Arc;

use rootcast::{Build, Cancel, ErrorKind, InitrdRecipe, Phase, Progress, Watch};

use super::{names, tree};
use crate::product::Scratch;

/// Cancels in a phase.
struct Stop {
    cancel: Cancel,
    during: fn(Phase) -> bool,
    /// True if the first bytes cancel, and not the begin of the phase.
    by_bytes: bool,
    armed: std::sync::atomic::AtomicBool,
}

impl Progress for Stop {
    fn begin(&self, phase: Phase) {
        let armed = (self.during)(phase);
        self.armed.store(armed, std::sync::atomic::Ordering::SeqCst);
        if armed && !self.by_bytes {
            self.cancel.cancel();
        }
    }

    fn add(&self, _bytes: u64) {
        if self.armed.load(std::sync::atomic::Ordering::SeqCst) {
            self.cancel.cancel();
        }
    }
}

fn watch(during: fn(Phase) -> bool, by_bytes: bool) -> Watch {
    let cancel = Cancel::new();
    let armed = false.into();
    Watch::new(Arc::new(Stop { cancel: cancel.clone(), during, by_bytes, armed }), cancel)
}

#[test]
fn a_cancelled_scan_is_an_error() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    for by_bytes in [false, true] {
        let build = Build::new([source.clone()]);
        let error = build.plan(&watch(|phase| phase == Phase::Read, by_bytes)).expect_err("cancelled");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(error.to_string(), "cancelled");
    }
    let watch = Watch::default();
    watch.cancel.cancel();
    assert_eq!(Build::new([source]).plan(&watch).expect_err("before").kind(), ErrorKind::Interrupted);
    assert_eq!(names(scratch.path()), ["rootfs"]);
}

#[test]
fn a_cancelled_write_leaves_nothing() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let mut initrd = InitrdRecipe::default();
    initrd.init = None;
    let build = || Build::new([source.clone()]);
    for build in [build(), build().making(initrd)] {
        let plan = || {
            let watch = watch(|phase| matches!(phase, Phase::Write { .. }), true);
            build.plan(&watch).expect("it is cancelled later")
        };
        let path = scratch.join("output");
        let error = plan().write_file(&path).expect_err("cancelled");
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        assert_eq!(names(scratch.path()), [OsString::from("rootfs")], "nothing is left");
        assert_eq!(plan().digest().expect_err("cancelled").kind(), ErrorKind::Interrupted);
        let mut memory = Vec::new();
        assert_eq!(plan().write(&mut memory).expect_err("cancelled").kind(), ErrorKind::Interrupted);
    }
}

#[test]
fn a_cancelled_server_stops() {
    let scratch = Scratch::new();
    let watch = Watch::default();
    let served = Build::new([tree(&scratch)]).plan(&watch).expect("a plan").into_image().expect("an image");
    let mut block = [0; 512];
    served.image().read_at(&mut block, 0).expect("the table");
    watch.cancel.cancel();
    let error = served.image().read_at(&mut block, 0).expect_err("cancelled");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}
