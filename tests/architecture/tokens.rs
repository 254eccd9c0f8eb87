//! Finds paths in bare tokens: what stands inside macros and attributes is not parsed, but can be read.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path with the line it begins on.
pub type FoundPath = (Vec<String>, usize);

/// Every path in the tokens whose first word says where it begins (`crate`, `self`, `super`, `switchyard`).
///
/// A brace after `::` is read as the rest of a `use` tree: `crate::{store::x, domain}` gives two paths.
pub fn paths(tokens: TokenStream) -> Vec<FoundPath> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Ident(word) if is_anchor(&word.to_string()) => {
                let line = word.span().start().line;
                at = follow(&trees, at, vec![], line, &mut found);
            }
            TokenTree::Group(group) => {
                found.extend(paths(group.stream()));
                at += 1;
            }
            TokenTree::Literal(literal) => {
                found.extend(quoted(&literal.to_string(), literal.span().start().line));
                at += 1;
            }
            _ => at += 1,
        }
    }
    found
}

/// Whether a path that begins with this word can lead to another module of the crate.
pub fn is_anchor(word: &str) -> bool {
    matches!(word, "crate" | "self" | "super" | "switchyard")
}

/// Reads `a :: b :: c` from `at` on, behind `prefix`; returns where it ends.
fn follow(
    trees: &[TokenTree],
    mut at: usize,
    prefix: Vec<String>,
    line: usize,
    found: &mut Vec<FoundPath>,
) -> usize {
    let mut path = prefix;
    loop {
        match trees.get(at) {
            Some(TokenTree::Ident(word)) => {
                path.push(word.to_string());
                at += 1;
            }
            Some(TokenTree::Punct(star)) if star.as_char() == '*' && !path.is_empty() => {
                path.push("*".to_owned());
                found.push((path, line));
                return at + 1;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                branches(group.stream(), &path, found);
                return at + 1;
            }
            _ => {
                found.push((path, line));
                return at;
            }
        }
        if is_path_separator(trees, at) {
            at += 2;
        } else {
            found.push((path, line));
            return at;
        }
    }
}

/// Reads the branches of a `use` tree.
fn branches(tokens: TokenStream, prefix: &[String], found: &mut Vec<FoundPath>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(p) if p.as_char() == ',');
    for branch in trees.split(is_comma).filter(|branch| !branch.is_empty()) {
        let line = branch[0].span().start().line;
        follow(branch, 0, prefix.to_vec(), line, found);
    }
}

fn is_path_separator(trees: &[TokenTree], at: usize) -> bool {
    let colon = |tree: Option<&TokenTree>| matches!(tree, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(trees.get(at)) && colon(trees.get(at + 1))
}

/// A path in a string literal, as attributes such as `#[serde(with = "crate::x")]` have it.
fn quoted(literal: &str, line: usize) -> Option<FoundPath> {
    let text = literal.strip_prefix('"')?.strip_suffix('"')?;
    let words: Vec<String> = text.split("::").map(str::to_owned).collect();
    let is_word = |word: &String| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    (words.len() > 1 && is_anchor(&words[0]) && words.iter().all(is_word)).then_some((words, line))
}
