//! A configuration file of Asterisk as bytes: read line by line as Asterisk does, edited so that no other byte changes.

use std::ops::Range;

/// Stands behind each line that is put into a file of the operator's and does not tell by itself whose it is.
pub const MARK: &str = " ; by switchyard pbx install";

/// The bytes in front of which a semicolon is part of a value.
const ESCAPE: u8 = b'\\';

/// A line, and what Asterisk makes of it.
pub struct Line {
    /// Its bytes, line end included.
    range: Range<usize>,
    /// Without comments and the blanks around it.
    pub meaning: String,
    /// Whether it carries our mark.
    pub ours: bool,
}

/// A line that opens a section.
pub struct Header<'a> {
    /// The section's name.
    pub name: &'a str,
    /// `[name](!)`: it holds for nothing by itself.
    pub template: bool,
    /// `[name](+)`: it goes on with a section that was opened before; `[name](+key=value)`, with one that has this.
    pub adds: bool,
    /// What stands between the parentheses besides: the templates that it begins with, or the `key=value` of `+`.
    pub words: Vec<&'a str>,
}

impl Line {
    /// The section that the line opens.
    pub fn header(&self) -> Option<Header<'_>> {
        let (name, rest) = self.meaning.strip_prefix('[')?.split_once(']')?;
        let options = rest
            .trim()
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'));
        let options = options.map_or("", |(options, _)| options);
        let all = options.split([',', '&']).map(str::trim);
        let (marks, words): (Vec<&str>, Vec<&str>) = all
            .filter(|word| !word.is_empty())
            .partition(|word| word.starts_with(['!', '+']));
        let beside_plus = marks.iter().filter_map(|mark| mark.strip_prefix('+'));
        Some(Header {
            name,
            template: rest.contains('!'),
            adds: marks.iter().any(|mark| mark.starts_with('+')),
            words: beside_plus.filter(|word| !word.is_empty()).chain(words).collect(),
        })
    }

    /// The file, or the pattern of files, that the line has Asterisk read in its place.
    pub fn include(&self) -> Option<&str> {
        let (word, rest) = self.meaning.split_once(char::is_whitespace)?;
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        (is(INCLUDE) || is("#tryinclude")).then(|| rest.trim().trim_matches(['"', '<', '>']))
    }

    /// Whether Asterisk refuses the file where nothing of that is there.
    pub fn must_include(&self) -> bool {
        let word = self.meaning.split(char::is_whitespace).next();
        word.is_some_and(|word| word.eq_ignore_ascii_case(INCLUDE))
    }

    /// Key and value of `key = value` or `key => value`.
    pub fn entry(&self) -> Option<(&str, &str)> {
        let (key, value) = self.sides()?;
        let value = value.strip_prefix('>').unwrap_or(value);
        (!key.ends_with('+')).then(|| (key.trim(), value.trim()))
    }

    /// Has the line hold in the section that it stands in: another value, or with `key += more` the last one of that key with
    /// more behind it.
    pub fn set_in(&self, section: &mut Vec<(String, String)>) {
        if let Some((key, value)) = self.entry() {
            section.push((key.to_owned(), value.to_owned()));
        } else if let Some((key, more)) = self.sides() {
            let key = key.trim_end_matches('+').trim();
            if let Some((_, value)) = section.iter_mut().rfind(|(name, _)| name == key) {
                value.push_str(more);
                value.truncate(value.trim_end().len());
            } else {
                section.push((key.to_owned(), more.trim().to_owned()));
            }
        }
    }

    fn sides(&self) -> Option<(&str, &str)> {
        if self.meaning.starts_with(['[', '#']) {
            return None;
        }
        self.meaning.split_once('=')
    }
}

/// The line that has a file read which must be there.
const INCLUDE: &str = "#include";

/// A file's bytes with its lines.
pub struct Text<'a> {
    bytes: &'a [u8],
    lines: Vec<Line>,
    in_comment: bool,
}

impl<'a> Text<'a> {
    /// Reads the lines.
    pub fn read(bytes: &'a [u8]) -> Self {
        let mut depth = 0;
        let mut start = 0;
        let mut lines = Vec::new();
        for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
            let meaning = without_comments(raw, &mut depth);
            let meaning = String::from_utf8_lossy(&meaning);
            let meaning = meaning.trim_start_matches('\u{feff}').trim().to_owned();
            lines.push(Line {
                range: start..start + raw.len(),
                ours: !meaning.is_empty() && raw.trim_ascii_end().ends_with(MARK.as_bytes()),
                meaning,
            });
            start += raw.len();
        }
        Self {
            bytes,
            lines,
            in_comment: depth > 0,
        }
    }

    /// Every line in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Whether what is appended would belong to a `;--` comment that nobody closed.
    pub fn ends_in_comment(&self) -> bool {
        self.in_comment
    }

    /// Where the section of that name begins; a template is none.
    pub fn section(&self, name: &str) -> Option<usize> {
        self.lines.iter().position(|line| {
            line.header()
                .is_some_and(|header| header.name == name && !header.template)
        })
    }

    /// Whether a section is opened behind this line, or nothing comes any more, before anything that Asterisk would take
    /// for part of the last section that an include of this line opened.
    pub fn is_closed_behind(&self, index: usize) -> bool {
        let next = self
            .lines
            .iter()
            .skip(index + 1)
            .find(|line| !line.meaning.is_empty() && line.include().is_none());
        next.is_none_or(|line| line.header().is_some())
    }

    /// The bytes with a line at the end.
    pub fn appended(&self, line: &str) -> Vec<u8> {
        let end = line_end(self.bytes).as_bytes();
        if self.bytes.last().is_none_or(|byte| *byte == b'\n') {
            return [self.bytes, line.as_bytes(), end].concat();
        }
        // The last line had no end, and the new last one has none either: taken away, all is as it was.
        [self.bytes, end, line.as_bytes()].concat()
    }

    /// The bytes with a line behind that one.
    pub fn inserted_behind(&self, index: usize, line: &str) -> Vec<u8> {
        let Some((head, tail)) = self
            .lines
            .get(index)
            .and_then(|before| self.bytes.split_at_checked(before.range.end))
        else {
            return self.appended(line);
        };
        let end = if head.ends_with(b"\r\n") {
            "\r\n"
        } else if head.ends_with(b"\n") {
            "\n"
        } else {
            return self.appended(line);
        };
        [head, line.as_bytes(), end.as_bytes(), tail].concat()
    }

    /// The bytes without that line.
    pub fn without(&self, index: usize) -> Vec<u8> {
        let Some(line) = self.lines.get(index) else {
            return self.bytes.to_vec();
        };
        let head = self.bytes.get(..line.range.start).unwrap_or_default();
        let own = self.bytes.get(line.range.clone()).unwrap_or_default();
        let tail = self.bytes.get(line.range.end..).unwrap_or_default();
        if own.ends_with(b"\n") {
            return [head, tail].concat();
        }
        // The last line had no end, so the one before it had none before this one came.
        let mut rest = head.strip_suffix(b"\n").unwrap_or(head);
        if line_end(rest) == "\r\n" {
            rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        }
        rest.to_vec()
    }
}

/// How the file ends its lines.
fn line_end(bytes: &[u8]) -> &'static str {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    if lines.next().is_some_and(|first| first.ends_with(b"\r\n")) {
        "\r\n"
    } else {
        "\n"
    }
}

/// A line without what Asterisk takes for a comment: from `;` to its end, or from `;--` to the `--;` that closes it, in this
/// or a later line; `depth` counts those that are open.
fn without_comments(line: &[u8], depth: &mut usize) -> Vec<u8> {
    let mut kept = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, behind)) = rest.split_first() {
        if *first != b';' {
            if *depth == 0 {
                kept.push(*first);
            }
            rest = behind;
            continue;
        }
        let before = line.get(..line.len() - rest.len()).unwrap_or_default();
        if before.ends_with(&[ESCAPE]) {
            if *depth == 0 {
                kept.pop();
                kept.push(b';');
            }
            rest = behind;
        } else if behind.starts_with(b"--") && behind.get(2) != Some(&b'-') {
            *depth += 1;
            rest = behind.get(2..).unwrap_or_default();
        } else if *depth > 0 {
            if before.ends_with(b"--") {
                *depth -= 1;
            }
            rest = behind;
        } else {
            break;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn meanings(text: &str) -> Vec<String> {
        let read = Text::read(text.as_bytes());
        read.lines().iter().map(|line| line.meaning.clone()).collect()
    }

    #[test]
    fn comments_are_left_out_as_asterisk_leaves_them_out() {
        assert_eq!(meanings("a=b ; c\n"), ["a=b"]);
        assert_eq!(meanings(r"a=b\; c"), ["a=b; c"]);
        assert_eq!(meanings("a ;-- b\nc\nd --; e"), ["a", "", "e"]);
        assert_eq!(meanings("a ;--- b\nc"), ["a", "c"]);
        assert_eq!(meanings("\u{feff}[general]\r\n"), ["[general]"]);
        assert!(Text::read(b"a\n;-- b\n").ends_in_comment());
        assert!(!Text::read(b"a\n;-- b --;\n").ends_in_comment());
    }

    #[rstest]
    #[case("#include \"manager.d/*.conf\" ", Some("manager.d/*.conf"))]
    #[case("  #TryInclude </etc/x.conf>", Some("/etc/x.conf"))]
    #[case("#exec /bin/true", None)]
    #[case("; #include x", None)]
    fn an_include_is_recognised(#[case] line: &str, #[case] expected: Option<&str>) {
        assert_eq!(Text::read(line.as_bytes()).lines()[0].include(), expected);
    }

    #[rstest]
    #[case("[a]", false, false, &[])]
    #[case("[a](!)", true, false, &[])]
    #[case("[a](!, b,c)", true, false, &["b", "c"])]
    #[case("[a](b)", false, false, &["b"])]
    #[case("[a](+)", false, true, &[])]
    #[case("[a](+type=endpoint)", false, true, &["type=endpoint"])]
    fn a_header_says_what_a_section_begins_with(
        #[case] line: &str,
        #[case] template: bool,
        #[case] adds: bool,
        #[case] words: &[&str],
    ) {
        let text = Text::read(line.as_bytes());
        let header = text.lines()[0].header().unwrap();
        assert_eq!((header.template, header.adds), (template, adds));
        assert_eq!(header.words, words);
    }

    #[test]
    fn a_template_is_no_section() {
        let text = Text::read(b"[a](!)\nx=1\n[a]\n");
        assert_eq!(text.section("a"), Some(2));
        assert_eq!(text.lines()[1].entry(), Some(("x", "1")));
    }

    #[test]
    fn a_line_with_a_plus_goes_on_with_the_last_value_of_its_key() {
        let mut section = Vec::new();
        let text =
            b"allow=ulaw\nallow => alaw\nallow += ,opus\nallow+= , g722\nauth += 1001\nexten => _+X,1,NoOp\n";
        for line in Text::read(text).lines() {
            line.set_in(&mut section);
        }
        let section: Vec<_> = section
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            section,
            [
                ("allow", "ulaw"),
                ("allow", "alaw ,opus , g722"),
                ("auth", "1001"),
                ("exten", "_+X,1,NoOp")
            ]
        );
    }

    #[rstest]
    #[case("#include x", true)]
    #[case("#INCLUDE\tx", true)]
    #[case("#tryinclude x", false)]
    #[case("#includes x", false)]
    fn what_must_be_there_is_told_from_what_may(#[case] line: &str, #[case] must: bool) {
        assert_eq!(Text::read(line.as_bytes()).lines()[0].must_include(), must);
    }

    #[test]
    fn what_follows_an_include_must_open_a_section() {
        let closed = Text::read(b"#include x\n; words\n\n[b]\nc=d\n");
        assert!(closed.is_closed_behind(0) && !closed.is_closed_behind(3));
    }

    proptest! {
        #[test]
        fn a_line_that_was_put_in_is_taken_out_again(
            pieces in prop::collection::vec(prop::sample::select(vec!["a=b", "[s]", ";--", "--;", "\r", "\n", "\r\n", "\u{e9}", " "]), 0..12),
            at in 0_usize..8,
        ) {
            let file = pieces.concat().into_bytes();
            let line = format!("x => y{MARK}");
            let text = Text::read(&file);
            for edited in [text.appended(&line), text.inserted_behind(at, &line)] {
                let read = Text::read(&edited);
                let start = edited.windows(line.len()).position(|window| window == line.as_bytes()).unwrap();
                let index = read.lines().iter().position(|other| other.range.start == start).unwrap();
                prop_assert_eq!(&read.without(index), &file);
            }
        }
    }
}
