//! Cells of CSV files, which no spreadsheet takes for formulas.

use std::borrow::Cow;

/// A text that a spreadsheet would take for a formula gets a `'` in front, and so does one that has it already: who reads
/// the file takes one off where there is one.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    let begins_a_formula = |c: char| {
        // The wide forms count as the narrow ones in some languages.
        matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\'') || c.is_control()
    };
    let first = text.chars().find(|c| !matches!(c, ' ' | '\u{A0}' | '\u{FEFF}'));
    if first.is_some_and(begins_a_formula) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("=1+1", "'=1+1")]
    #[case("+49 30 1234", "'+49 30 1234")]
    #[case("-1", "'-1")]
    #[case("@SUM(A1)", "'@SUM(A1)")]
    #[case(" =cmd|' /C calc'!A0", "' =cmd|' /C calc'!A0")]
    #[case("\t=1", "'\t=1")]
    #[case("\r=1", "'\r=1")]
    #[case("＝1", "'＝1")]
    #[case("'=1", "''=1")]
    #[case("Ann", "Ann")]
    #[case("a=1", "a=1")]
    #[case("{\"a\":\"=1\"}", "{\"a\":\"=1\"}")]
    #[case("", "")]
    fn o61_no_cell_is_a_formula(#[case] text: &str, #[case] cell: &str) {
        assert_eq!(harmless(text), cell);
        assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), text);
    }
}
