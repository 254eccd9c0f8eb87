//! Whether a text is one whole element of XML: a PBX puts it between others', and one that is left open takes them all along.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

/// What FreeSWITCH would carry out while it reads, wherever it stands.
const COMMANDS: [&str; 2] = ["x-pre-process", "<!--#"];

/// Why `text` is not exactly one element of this name; with the line.
pub(super) fn one_element(text: &str, name: &str) -> Result<(), String> {
    let lower = text.to_ascii_lowercase();
    if let Some((at, command)) = COMMANDS
        .iter()
        .find_map(|command| Some((lower.find(command)?, command)))
    {
        return Err(format!("line {}: `{command}` may not stand here", line(text, at)));
    }
    let mut reader = Reader::from_str(text);
    let mut open = Vec::new();
    let mut roots = 0;
    loop {
        let at = reader.buffer_position();
        let here = |why: String| format!("line {}: {why}", line(text, position(at)));
        let event = reader.read_event().map_err(|error| {
            let at = position(reader.error_position());
            format!("line {}: it is not well-formed: {error}", line(text, at))
        })?;
        match event {
            Event::Start(start) => {
                root(&mut roots, open.len(), &start, name).map_err(here)?;
                open.push((start.name().as_ref().to_owned(), at));
            }
            Event::Empty(start) => root(&mut roots, open.len(), &start, name).map_err(here)?,
            Event::End(_) => drop(open.pop()),
            Event::Text(content) if !open.is_empty() || content.trim().is_empty() => {}
            Event::CData(_) if !open.is_empty() => {}
            Event::GeneralRef(reference) if !open.is_empty() => {
                let reference = format!("&{};", &*reference);
                unescape(&reference).map_err(|error| here(format!("it is not well-formed: {error}")))?;
            }
            Event::Comment(_) => {}
            Event::Eof => break,
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                return Err(here(format!("there is text beside the element `{name}`")));
            }
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                return Err(here("only elements, text and comments may stand here".to_owned()));
            }
        }
    }
    if let Some((left, at)) = open.pop() {
        return Err(format!(
            "line {}: `{left}` is never closed",
            line(text, position(at))
        ));
    }
    if roots == 1 {
        Ok(())
    } else {
        Err(format!("there is no element `{name}`"))
    }
}

/// Notes a root, and looks at a start tag.
fn root(roots: &mut usize, depth: usize, start: &BytesStart<'_>, wanted: &str) -> Result<(), String> {
    let found = start.name();
    let found = found.as_ref();
    if depth == 0 {
        *roots += 1;
        if found != wanted || *roots > 1 {
            return Err(format!(
                "there must be one element `{wanted}` and none beside it, and here is a `{found}`"
            ));
        }
    }
    named(found)?;
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("in `{found}`: {error}"))?;
        named(attribute.key.as_ref())?;
        let value = &attribute.value;
        if value.contains('<') {
            return Err(format!("in `{found}`: a `<` in a value has to be written `&lt;`"));
        }
        unescape(value).map_err(|error| format!("in `{found}`: {error}"))?;
    }
    Ok(())
}

fn named(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(format!("`{name}` is no name of an element or attribute"))
    }
}

fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn line(text: &str, at: usize) -> usize {
    let before = text.bytes().take(at);
    before.filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("<extension/>\n")]
    #[case(
        "<!-- ours -->\n<extension name=\"a &amp; b\">\n<condition field='x'/>\n&#36; &lt; <![CDATA[<x>]]></extension>\n"
    )]
    fn one_whole_element_is_taken(#[case] text: &str) {
        assert_eq!(one_element(text, "extension"), Ok(()));
    }

    #[rstest]
    #[case::never_closed(
        "<extension>\n<condition>\n</condition>\n",
        "line 1: `extension` is never closed"
    )]
    #[case::closed_by_another("<extension>\n<condition>\n</extension>\n", "line 3: it is not well-formed")]
    #[case::closed_once_more("<extension/>\n</extension>", "line 2: it is not well-formed")]
    #[case::a_tag_left_open("<extension>\n<action data=\"x\"\n</extension>", "line 2: ")]
    #[case::two("<extension/>\n<extension/>", "line 2: there must be one element `extension`")]
    #[case::another("<context/>", "here is a `context`")]
    #[case::none("  \n", "there is no element `extension`")]
    #[case::text_beside_it("<extension/>\noops", "line 1: there is text beside the element")]
    #[case::a_bare_ampersand("<extension>\n<a b=\"x & y\"/></extension>", "line 2: in `a`")]
    #[case::a_bare_ampersand_in_text("<extension>\n\nx & y</extension>", "line 3: it is not well-formed")]
    #[case::an_unknown_entity("<extension>&nbsp;</extension>", "it is not well-formed")]
    #[case::no_quotes("<extension name=a/>", "in `extension`")]
    #[case::twice_the_same("<extension name=\"a\" name=\"b\"/>", "in `extension`")]
    #[case::a_smaller_in_a_value("<extension name=\"a<b\"/>", "`&lt;`")]
    #[case::no_name("<extension><a<b></a<b></extension>", "no name")]
    #[case::a_command(
        "<extension>\n<X-PRE-PROCESS cmd=\"exec\" data=\"id\"/></extension>",
        "line 2: `x-pre-process`"
    )]
    #[case::an_old_command("<extension><!--#exec id--></extension>", "`<!--#`")]
    #[case::a_declaration("<?xml version=\"1.0\"?><extension/>", "only elements")]
    #[case::a_document_type("<!DOCTYPE a [<!ENTITY b \"c\">]><extension/>", "only elements")]
    fn anything_else_is_refused_with_its_line(#[case] text: &str, #[case] said: &str) {
        let error = one_element(text, "extension").unwrap_err();
        assert!(error.contains(said), "{error}");
    }

    proptest! {
        /// Whatever is taken leaves nothing open: put between others, it takes none of them along.
        #[test]
        fn what_is_taken_is_taken_between_others_too(text in "[ab<>/&;\"'= !\\-\\[\\]CDAT\n]{0,40}") {
            let text = format!("<extension>{text}</extension>");
            if one_element(&text, "extension").is_ok() {
                let between = format!("<context><extension/>{text}<extension/></context>");
                prop_assert_eq!(one_element(&between, "context"), Ok(()));
            }
        }
    }
}
