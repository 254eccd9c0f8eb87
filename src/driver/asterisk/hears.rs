//! What a manager account hears, by Asterisk's own file: Asterisk tells nobody what they may hear, and shows that file to who
//! may read it.

use super::rights::Right;
use crate::domain::instance::AccountName;
use crate::wire::ami::Message;

/// The file.
pub const FILE: &str = "manager.conf";

/// What to ask for the account's section with.
pub fn question(account: &AccountName) -> [(&'static str, &str); 2] {
    [("Filename", FILE), ("Category", account.as_str())]
}

/// Keys and values of the section that Asterisk shows.
pub fn lines(section: &Message) -> impl Iterator<Item = (&str, &str)> {
    let lines = section.fields().filter(|(key, _)| key.starts_with("Line-"));
    let entries = lines.filter_map(|(_, line)| line.split_once('='));
    entries.map(|(key, value)| (key.trim(), value.strip_prefix('>').unwrap_or(value).trim()))
}

/// Whether the account of this section has a right to hear; `None` where the section does not say, or the right is
/// another one.
pub fn has(section: &Message, right: Right) -> Option<bool> {
    let class = right.as_str().strip_prefix("read = ")?;
    let (_, read) = lines(section).filter(|(key, _)| *key == "read").last()?;
    // As they stand: with a blank before or after it, or a capital in it, it is no word that Asterisk 22 knows (measured).
    let mut words = read.split(',');
    Some(words.any(|word| word == class || word == "all"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn section(lines: &[&str]) -> Message {
        let lines = lines.iter().enumerate();
        let lines = lines.map(|(number, line)| format!("Line-000000-{number:06}: {line}"));
        let lines: Vec<String> = lines.collect();
        let mut all = vec!["Response: Success", "Category-000000: switchyard"];
        all.extend(lines.iter().map(String::as_str));
        Message::of_lines(&all)
    }

    #[rstest]
    #[case::all_three(&["read=system,call,cdr"], Some(true))]
    #[case::with_a_blank_that_asterisk_takes_for_a_letter(&["read= system, call"], Some(false))]
    #[case::with_one_behind_it(&["read=system ,call"], Some(true))]
    #[case::with_one_between_it_and_the_comma(&["read=call ,system"], Some(false))]
    #[case::in_capitals(&["read=system,Call"], Some(false))]
    #[case::everything(&["read=all"], Some(true))]
    #[case::an_object(&["read=>call"], Some(true))]
    #[case::the_last_line_counts(&["read=call", "read=system"], Some(false))]
    #[case::a_part_of_a_word(&["read=calls,recall"], Some(false))]
    #[case::nothing(&["read="], Some(false))]
    #[case::another_line(&["write=call", "readme=call"], None)]
    #[case::no_line(&[], None)]
    fn what_an_account_hears_is_in_its_last_line_of_that_name(
        #[case] lines: &[&str],
        #[case] expected: Option<bool>,
    ) {
        assert_eq!(has(&section(lines), Right::ReadCall), expected);
    }

    #[test]
    fn a_right_to_write_is_not_told_by_what_is_heard() {
        assert_eq!(
            has(&section(&["read=all", "write=all"]), Right::WriteOriginate),
            None
        );
    }
}
