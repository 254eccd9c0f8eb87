//! What every file looks like: short, and opening with the sentence that says what is at home there.

use crate::tree::{self, SourceFile};

const LONGEST: usize = 400;

/// What is wrong with the look of a file.
fn flaws(file: &SourceFile) -> Vec<String> {
    let mut flaws = Vec::new();
    let opening: Vec<&str> = file
        .text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .take_while(|line| !line.trim().is_empty())
        .map(str::trim)
        .collect();
    let opening = opening.join(" ");
    if !opening.ends_with('.') {
        flaws.push(format!("{}:1: does not open with a `//!` sentence", file.path));
    }
    if opening.contains(". ") {
        flaws.push(format!("{}:1: opens with more than one sentence", file.path));
    }
    let lines = file.text.lines().count();
    if lines > LONGEST {
        flaws.push(format!("{}: has {lines} lines, more than {LONGEST}", file.path));
    }
    flaws
}

#[test]
fn every_file_is_short_and_says_what_it_is() {
    let flaws: Vec<String> = ["src", "tests"]
        .into_iter()
        .flat_map(tree::rust_files)
        .flat_map(|file| flaws(&file))
        .collect();
    assert!(flaws.is_empty(), "\n{}\n", flaws.join("\n"));
}

#[test]
fn a_file_without_its_sentence_or_too_long_is_reported() {
    let flaws_of = |text: String| {
        flaws(&SourceFile {
            path: "src/x.rs".to_owned(),
            text,
        })
    };
    assert_eq!(flaws_of("//! What is here.\n".into()), [""; 0]);
    assert_eq!(flaws_of("//! What is here,\n//! and there.\n\n".into()), [""; 0]);
    assert_eq!(flaws_of("use x;\n//! Late.\n".into()).len(), 1);
    assert_eq!(flaws_of("//! no sentence\n".into()).len(), 1);
    assert_eq!(flaws_of("//! One. Two.\n".into()).len(), 1);
    assert_eq!(flaws_of(format!("//! Long.\n{}", "\n".repeat(400))).len(), 1);
}
