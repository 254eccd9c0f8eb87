//! The known word that a mistyped one was most likely meant to be.

/// The nearest of the known words.
pub fn nearest(word: &str, known: impl Iterator<Item = String>) -> String {
    // A key without its section is meant more often than one that looks like it.
    let section_left_out = format!(".{word}");
    known
        .min_by_key(|candidate| {
            if candidate.ends_with(&section_left_out) {
                0
            } else {
                distance(word, candidate)
            }
        })
        .unwrap_or_default()
}

/// How many letters must be added, left out or exchanged to make one word of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let target: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=target.len()).collect();
    for (done, letter) in from.chars().enumerate() {
        let mut above_left = done;
        let mut left = done + 1;
        let mut next = vec![left];
        for (wanted, above) in target.iter().zip(row.iter().skip(1)) {
            left = (above_left + usize::from(letter != *wanted))
                .min(left + 1)
                .min(above + 1);
            above_left = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("lisen", "listen"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    #[test]
    fn the_nearest_word_is_named() {
        let known = || ["http.listen", "log.level"].into_iter().map(str::to_owned);
        assert_eq!(nearest("http.lisen", known()), "http.listen");
        assert_eq!(nearest("log.levels", known()), "log.level");
    }
}
