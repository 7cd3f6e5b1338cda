//! The docs of items say what an item is, not what the reader might ask.

/// Words of an indirect question.
const QUESTIONS: [&str; 8] = ["how", "what", "when", "where", "whether", "which", "who", "whose"];

#[test]
fn docs_of_items_do_not_open_with_a_question() {
    let (mut count, mut found) = (0, Vec::new());
    for path in super::rust_files(&["src", "formats", "benches", "fuzz"]) {
        let text = super::read(&path).expect("code is UTF-8");
        count += openings(&text).count();
        let questions = openings(&text).filter(|(_, doc)| is_question(doc));
        found.extend(questions.map(|(line, doc)| format!("{}:{line}: {doc}", super::relative(&path))));
    }
    assert!(count > 1000, "only {count} docs were found");
    assert!(found.is_empty(), "docs open with a question:\n{}", found.join("\n"));
}

/// Returns the first lines of the docs of items with their numbers.
fn openings(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let docs = |line: &str| line.trim_start().starts_with("///");
    let before = std::iter::once("").chain(text.lines());
    let first =
        text.lines().zip(before).enumerate().filter(move |(_, (line, before))| docs(line) && !docs(before));
    first.map(|(index, (line, _))| (index + 1, line.trim_start().trim_start_matches('/').trim()))
}

fn is_question(doc: &str) -> bool {
    let word: String = doc.chars().take_while(|character| character.is_alphabetic()).collect();
    QUESTIONS.contains(&word.to_lowercase().as_str())
}

#[test]
fn a_question_is_found_in_the_first_line_only() {
    let text = "/// Whether it is.\n/// What else.\nfn a() {}\n    /// The length.\n    /// Which is long.\n";
    let found: Vec<(usize, bool)> = openings(text).map(|(line, doc)| (line, is_question(doc))).collect();
    assert_eq!(found, [(1, true), (4, false)]);
    assert!(!is_question("Whatever the tree holds"));
}
