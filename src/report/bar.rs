//! A progress bar on a terminal.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::{Phase, Progress};

/// The time between two drawings of a bar without progress, for its elapsed time.
const REDRAWN: Duration = Duration::from_millis(500);

/// A bar with bytes, rate and remaining time on standard error, removed on drop.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// Returns a bar for `total` bytes with a label. It appears at once, also before the first
    /// bytes, and is redrawn every half second. It stays hidden if `quiet` is set, if standard
    /// error is not a terminal, and on a terminal that cannot redraw a line (`TERM=dumb`). It has
    /// no colours for `NO_COLOR` to turn off.
    #[must_use]
    pub fn on_stderr(doing: &str, total: u64, quiet: bool) -> Self {
        if quiet || std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
            return Self(ProgressBar::hidden());
        }
        // The draw target itself draws nothing if standard error is not a terminal.
        let bar = Self::on(ProgressDrawTarget::stderr(), doing, total);
        bar.0.enable_steady_tick(REDRAWN);
        bar
    }

    fn on(target: ProgressDrawTarget, doing: &str, total: u64) -> Self {
        let template =
            "{msg} {bar:20} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
        // OK to unwrap: the template is a constant that a test draws.
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(Some(total), target);
        bar.set_style(style);
        bar.set_message(doing.to_owned());
        bar.tick();
        Self(bar)
    }
}

impl Progress for Bar {
    fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The bar of a build, which is shown while it fetches and while it writes.
#[derive(Debug)]
pub struct Bars {
    quiet: bool,
    state: Mutex<(String, Option<Bar>)>,
}

impl Bars {
    /// Returns the bars of a build; none are shown if `quiet` is set.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self { quiet, state: Mutex::new(("writing".to_owned(), None)) }
    }

    /// Sets the label of the next bar.
    pub fn set_label(&self, label: String) {
        self.state().0 = label;
    }

    /// The state stays consistent if a thread panics.
    fn state(&self) -> MutexGuard<'_, (String, Option<Bar>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bars {
    fn begin(&self, phase: Phase) {
        let (label, bar) = &mut *self.state();
        *bar = match phase {
            Phase::Fetch { bytes } => Some(Bar::on_stderr("fetching", bytes, self.quiet)),
            Phase::Write { bytes } => Some(Bar::on_stderr(label, bytes, self.quiet)),
            _ => None,
        };
    }

    fn add(&self, bytes: u64) {
        if let Some(bar) = &self.state().1 {
            bar.add(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal of one line that records everything drawn, and whether the line is clear.
    #[derive(Clone, Debug, Default)]
    struct OneLine(Arc<Mutex<(String, bool)>>);

    impl OneLine {
        fn put(&self, text: &str) -> io::Result<()> {
            let mut line = self.0.lock().expect("no test panics while drawing");
            line.0.push_str(text);
            line.1 = line.1 && text.trim().is_empty();
            Ok(())
        }
    }

    impl TermLike for OneLine {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.put(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.put(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().expect("no test panics while drawing").1 = true;
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_shows_bytes_and_is_cleared_on_drop() {
        let terminal = OneLine::default();
        let bar = Bar::on(
            ProgressDrawTarget::term_like(Box::new(terminal.clone())),
            "compressing with xz:9",
            4 << 20,
        );
        let drawn = terminal.0.lock().expect("no test panics while drawing").0.clone();
        assert!(
            drawn.contains("compressing with xz:9") && drawn.contains("0 B of 4.00 MiB"),
            "at once: {drawn:?}"
        );
        bar.add(1 << 20);
        bar.0.tick();
        let (drawn, clear) = terminal.0.lock().expect("no test panics while drawing").clone();
        assert!(drawn.contains("1.00 MiB of 4.00 MiB"), "{drawn:?}");
        assert!(drawn.contains("left") && !clear, "{drawn:?}");
        drop(bar);
        assert!(terminal.0.lock().expect("no test panics while drawing").1, "the line is clear at the end");
    }

    #[test]
    fn a_quiet_bar_is_hidden() {
        let bar = Bar::on_stderr("writing", 1, true);
        bar.add(1);
        assert!(bar.0.is_hidden());
    }
}
