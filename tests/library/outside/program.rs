//! A program that uses the library.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rootcast::{
    Build, Cancel, DestinationOptions, Edit, Error, ErrorKind, ImageRecipe, Phase, Profile, Progress, Report,
    Size, SourceRecipe, VerityRecipe, Watch,
};

#[derive(Default)]
struct Bytes(AtomicU64);

impl Progress for Bytes {
    fn begin(&self, phase: Phase) {
        if let Phase::Write { bytes } = phase {
            assert!(bytes > 0);
            self.0.store(0, Ordering::SeqCst);
        }
    }
    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::SeqCst);
    }
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut image = ImageRecipe::default();
    image.size = Size::Free { bytes: 1 << 20 };
    let source = SourceRecipe::Directory(arguments[0].clone().into());
    let mut build = Build::new([source.clone()]).making(image);
    build.tree.edits.push(Edit::write("/sbin/init", "#!/bin/sh", 0o755)?);
    let (bytes, cancel) = (Arc::new(Bytes::default()), Cancel::new());
    let plan = build.plan(&Watch::new(bytes.clone(), cancel.clone()))?;
    let Report::Image(report) = plan.write_file(&arguments[1])? else { panic!("an image") };
    assert_eq!(bytes.0.load(Ordering::SeqCst), report.artifact.size);
    println!("{} {}", report.artifact.size, plan.digest()?);
    let mut measured = ImageRecipe::default();
    measured.filesystem = Profile::RoMin.into();
    measured.verity = Some(VerityRecipe::default());
    let measured = Build::new([source]).making(measured).plan(&Watch::default())?;
    let (disk, line) = (format!("{}.verity", arguments[1]), format!("{}.root_hash", arguments[1]));
    let report = measured.write_measured(disk, &line, DestinationOptions::default())?;
    let hash = report.verity().and_then(|verity| verity.root_hash.clone()).expect("it is measured");
    assert!(std::fs::read_to_string(line).expect("it was written").contains(&hash));
    let served = std::thread::spawn(move || {
        let image = plan.into_image().expect("it is not compressed");
        let mut block = vec![0; 4096];
        image.image().read_at(&mut block, image.image().len() - 4096).expect("the backup table");
        block
    });
    assert!(served.join().expect("no panic").windows(8).any(|part| part == b"EFI PART"));
    cancel.cancel();
    let error = build.plan(&Watch::new(bytes, cancel)).expect_err("it is cancelled");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    Ok(())
}
