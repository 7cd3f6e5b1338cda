//! The order of versions, judged by dpkg.

use std::cmp::Ordering;
use std::io::Write as _;
use std::process::Stdio;

use rootcast::source::package::deb::version;

use crate::judges;

/// Numbers of a fixed sequence.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    /// Returns a version, often one that is close to others.
    fn version(&mut self) -> String {
        const PARTS: [&str; 20] = [
            "0", "00", "1", "9", "10", "2", "a", "b", "Z", "~", "~~", "+", ".", "-", ".0", "rc1", "+b1",
            "~bpo", "dfsg", "-1",
        ];
        const EPOCHS: [&str; 6] = ["", "", "", "0:", "1:", "02:"];
        let mut version = format!("{}{}", EPOCHS[self.below(EPOCHS.len())], self.below(3));
        for _ in 0..self.below(5) {
            version += PARTS[self.below(PARTS.len())];
        }
        version
    }
}

#[test]
fn versions_compare_as_by_dpkg() {
    let Some(mut shell) = judges::command("dpkg").map(|_| std::process::Command::new("sh")) else { return };
    let count = if judges::long_tests() { 10_000 } else { 500 };
    let mut sequence = Sequence(1);
    let pairs = std::iter::repeat_with(|| (sequence.version(), sequence.version()));
    let is_valid = |text: &String| version::is_valid(text.as_bytes());
    let pairs: Vec<_> = pairs.filter(|(a, b)| is_valid(a) && is_valid(b)).take(count).collect();
    let script = "while read -r a b; do \
        if dpkg --compare-versions \"$a\" lt \"$b\"; then echo lt; \
        elif dpkg --compare-versions \"$a\" eq \"$b\"; then echo eq; else echo gt; fi; done";
    let mut shell =
        shell.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
    let mut input = shell.stdin.take().expect("it is piped");
    let lines: String = pairs.iter().map(|(a, b)| format!("{a} {b}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).expect("it reads"));
    let output = shell.wait_with_output().expect("it ends");
    writer.join().expect("it is written");
    let answers = String::from_utf8(output.stdout).expect("words");
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), count);
    for ((a, b), answer) in pairs.iter().zip(answers) {
        let expected = match answer {
            "lt" => Ordering::Less,
            "eq" => Ordering::Equal,
            _ => Ordering::Greater,
        };
        assert_eq!(version::compare(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        assert_eq!(version::compare(b.as_bytes(), a.as_bytes()), expected.reverse(), "{b} {a}");
    }
}
