//! A text of ours as FreeSWITCH reads it: whether it is well-formed, whom it serves, and what FreeSWITCH would make of it
//! without a word.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::driver::event_socket::User;

/// Faults beyond these are not looked for.
const ENOUGH: usize = 20;

/// Whom a text serves.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Served {
    pub users: BTreeSet<User>,
    pub domains: BTreeSet<String>,
    pub contexts: BTreeSet<String>,
}

/// What is wrong, and where.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Fault {
    pub line: usize,
    pub what: String,
}

/// Whom a text serves, as far as it can be told, and what is wrong in it.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Document {
    pub served: Served,
    pub faults: Vec<Fault>,
}

/// Reads a file as it comes; it is never held whole. An error says which file it is.
pub(super) fn read(path: &Path) -> io::Result<Document> {
    scanned(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn scanned(path: &Path) -> io::Result<Document> {
    let mut faults = lines(path)?;
    let mut reader = Reader::from_reader(BufReader::new(File::open(path)?));
    let config = reader.config_mut();
    config.enable_all_checks(true);
    config.expand_empty_elements = true;
    let mut reading = Reading::default();
    let mut wrong: Vec<(u64, String)> = Vec::new();
    let mut buffer = Vec::new();
    while wrong.len() < ENOUGH {
        let at = reader.buffer_position();
        let fault = match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) => break,
            Ok(Event::Start(element)) => reading.open(&element),
            Ok(Event::End(_)) => reading.close(),
            Ok(Event::GeneralRef(name)) if !is_known(&name) => Err(format!("`&{}` is no character", &*name)),
            Ok(_) => Ok(()),
            Err(quick_xml::Error::Io(error)) => return Err(io::Error::new(error.kind(), error.to_string())),
            Err(error) => {
                // Nothing behind it can be told.
                wrong.push((reader.error_position(), error.to_string()));
                reading.elements.clear();
                break;
            }
        };
        wrong.extend(fault.err().map(|what| (at, what)));
        buffer.clear();
    }
    if let Some(open) = reading.elements.last().filter(|_| wrong.len() < ENOUGH) {
        wrong.push((reader.buffer_position(), format!("<{open}> is not closed")));
    }
    for (at, what) in wrong {
        let line = line_of(path, at)?;
        faults.push(Fault { line, what });
    }
    let served = reading.served;
    Ok(Document { served, faults })
}

/// What shares its line with something that FreeSWITCH goes by line by line, before it parses any XML.
fn lines(path: &Path) -> io::Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut bytes = Vec::new();
    let mut from = BufReader::new(File::open(path)?);
    for number in 1.. {
        bytes.clear();
        if from.read_until(b'\n', &mut bytes)? == 0 || faults.len() >= ENOUGH {
            break;
        }
        let line = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        faults.extend(shared(line.trim()).map(|what| Fault { line: number, what }));
    }
    Ok(faults)
}

/// Whether a line that holds an instruction of FreeSWITCH's own holds anything else, which would be dropped.
fn shared(line: &str) -> Option<String> {
    if line.contains("<!--#") {
        return Some(
            "FreeSWITCH takes a comment that begins with `<!--#` for an order of its own, and may run a program by it: write \
             another comment, or the order as an X-PRE-PROCESS on a line of its own"
                .to_owned(),
        );
    }
    let alone = |begins: &str, ends: &str| {
        line.starts_with(begins) && line.ends_with(ends) && line.matches('<').count() == 1
    };
    let (mark, is_alone) = if line.contains("x-pre-process") {
        ("X-PRE-PROCESS", alone("<x-pre-process", "/>"))
    } else if line.contains("<include>") || line.contains("</include>") {
        ("<include>", alone("<include>", ">") || alone("</include>", ">"))
    } else if line.contains("<?") {
        ("<?", alone("<?", "?>"))
    } else {
        return None;
    };
    (!is_alone).then(|| {
        format!("FreeSWITCH drops what shares its line with `{mark}`: it has to stand on a line of its own")
    })
}

/// In which line a byte is.
fn line_of(path: &Path, at: u64) -> io::Result<usize> {
    let mut lines = 1;
    for byte in BufReader::new(File::open(path)?).take(at).bytes() {
        lines += usize::from(byte? == b'\n');
    }
    Ok(lines)
}

fn is_known(name: &quick_xml::events::BytesRef<'_>) -> bool {
    matches!(&**name, "lt" | "gt" | "amp" | "quot" | "apos") || matches!(name.resolve_char_ref(), Ok(Some(_)))
}

/// The value of an attribute as it is meant; `None` where there is none.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = element
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    let Some(found) = found else { return Ok(None) };
    let value = found.normalized_value(XmlVersion::Implicit1_0);
    value
        .map(|value| Some(value.into_owned()))
        .map_err(|error| error.to_string())
}

/// A user that is being read.
struct Open {
    number: String,
    /// Whether it has what a phone signs in with.
    guarded: bool,
}

#[derive(Default)]
struct Reading {
    elements: Vec<String>,
    domain: Option<String>,
    user: Option<Open>,
    served: Served,
}

impl Reading {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let name = element.name().0.to_owned();
        let read = self.read(&name, element);
        self.elements.push(name);
        for attribute in element.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            if attribute.value.contains('<') {
                return Err("`<` stands in a value".to_owned());
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            value.map_err(|error| error.to_string())?;
        }
        read
    }

    fn read(&mut self, name: &str, element: &BytesStart<'_>) -> Result<(), String> {
        match name {
            "domain" => {
                let name = attribute(element, "name")?.unwrap_or_default();
                self.domain = Some(name.clone());
                if !self.served.domains.insert(name.clone()) {
                    return Err(format!(
                        "the domain {name} stands here twice, and FreeSWITCH takes the first one only"
                    ));
                }
            }
            "context" => {
                let name = attribute(element, "name")?.unwrap_or_default();
                if !self.served.contexts.insert(name.clone()) {
                    return Err(format!(
                        "the context {name} stands here twice, and FreeSWITCH takes the first one only"
                    ));
                }
            }
            "user" => {
                let number = attribute(element, "id")?.unwrap_or_default();
                let kind = attribute(element, "type")?;
                self.user = Some(Open {
                    number: number.clone(),
                    guarded: false,
                });
                if kind.is_some() {
                    return Err(format!(
                        "the user {number} has a `type`: FreeSWITCH takes it for whatever user of its domain is asked for"
                    ));
                }
            }
            "param" => {
                let name = attribute(element, "name")?.unwrap_or_default();
                let is_secret = name.eq_ignore_ascii_case("a1-hash") || name.eq_ignore_ascii_case("password");
                let value = attribute(element, "value")?.unwrap_or_default();
                if let Some(user) = self.user.as_mut().filter(|_| is_secret && !value.is_empty()) {
                    user.guarded = true;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        match self.elements.pop().as_deref() {
            Some("domain") => self.domain = None,
            Some("user") => {
                let Some(user) = self.user.take() else {
                    return Ok(());
                };
                let domain = self.domain.clone().unwrap_or_default();
                let address = format!("{}@{domain}", user.number);
                if !self.served.users.insert((user.number, domain)) {
                    return Err(format!("the user {address} stands here twice"));
                }
                if !user.guarded {
                    return Err(format!(
                        "the user {address} has nothing that a phone signs in with: FreeSWITCH lets everybody in as such a user"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn document(text: &str) -> Document {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path()).unwrap()
    }

    const USER: &str = "<user id=\"1001\"><params><param name=\"a1-hash\" value=\"x\"/></params></user>";

    #[test]
    fn whom_it_serves_is_read_from_domains_users_and_contexts() {
        let read = document(&format!(
            "<!-- head -->\n<domain name=\"a.example\">\n<groups><group><users>{USER}\n</users></group></groups>\n</domain>\n\
             <domain name=\"b.example\">{USER}</domain>\n<context name=\"a &amp; b\"/>\n<switchyard name=\"marker\" value=\"x\"/>\n"
        ));
        assert_eq!(read.faults, []);
        let user = |domain: &str| ("1001".to_owned(), domain.to_owned());
        assert_eq!(
            read.served.users,
            BTreeSet::from([user("a.example"), user("b.example")])
        );
        assert_eq!(read.served.domains.len(), 2);
        assert_eq!(read.served.contexts, BTreeSet::from(["a & b".to_owned()]));
    }

    #[rstest]
    #[case::not_closed("<domain name=\"a\">\n<params>\n</domain>\n", 3, "params")]
    #[case::open_at_the_end("<domain name=\"a\">\n", 2, "<domain> is not closed")]
    #[case::no_end("<domain name=\"a\"/>\n<user", 2, "")]
    #[case::no_quote("<a b=\"x/>\n", 1, "")]
    #[case::value_without_quotes("<a b=x/>\n", 1, "")]
    #[case::twice_in_one("<a b=\"1\" b=\"2\"/>\n", 1, "duplicate")]
    #[case::markup_in_a_value("<a b=\"<\"/>\n", 1, "`<` stands in a value")]
    #[case::unknown_entity("<a>\n<b c=\"&x;\"/>\n</a>\n", 2, "x")]
    #[case::unknown_entity_in_a_text("<a>\n&x;</a>\n", 2, "`&x` is no character")]
    #[case::include_with_more("<a/>\n<include><b/>\n</include>\n", 2, "line of its own")]
    #[case::instruction_with_more("<a/> <X-PRE-PROCESS cmd=\"set\" data=\"a=b\"/>\n", 1, "line of its own")]
    #[case::instruction_in_a_value("<a b=\"x-Pre-Process\"/>\n", 1, "line of its own")]
    #[case::order_in_a_comment("<a/>\n<!--#exec \"id\"-->\n", 2, "`<!--#`")]
    #[case::declaration_with_more("<?xml version=\"1.0\"?><a/>\n", 1, "line of its own")]
    #[case::everybody(
        "<user id=\"1\" type=\"\"><param name=\"password\" value=\"x\"/></user>\n",
        1,
        "`type`"
    )]
    #[case::open_to_all(
        "<domain name=\"a\">\n<user id=\"1\"><param name=\"a1-hash\" value=\"\"/>\n</user></domain>\n",
        3,
        "1@a"
    )]
    #[case::domain_twice("<domain name=\"a\"/>\n<domain name=\"a\"/>\n", 2, "twice")]
    #[case::context_twice("<context name=\"a\"/>\n<context name=\"a\"/>\n", 2, "twice")]
    fn what_is_wrong_is_named_with_its_line(#[case] text: &str, #[case] line: usize, #[case] what: &str) {
        let faults = document(text).faults;
        assert!(
            faults
                .iter()
                .any(|fault| fault.line == line && fault.what.contains(what)),
            "{faults:?}"
        );
    }

    #[test]
    fn an_instruction_on_a_line_of_its_own_is_none_of_ours_to_refuse() {
        let text = "<include>\n  <X-PRE-PROCESS cmd=\"include\" data=\"own/*.xml\"/>\n</include>\n";
        assert_eq!(document(text), Document::default());
    }

    #[test]
    fn as_many_faults_are_told_as_somebody_reads() {
        let text = "<domain name=\"a\"/>\n".repeat(1_000);
        assert_eq!(document(&text).faults.len(), ENOUGH);
    }
}
