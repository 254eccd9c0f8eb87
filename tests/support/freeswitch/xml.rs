//! XML as FreeSWITCH reads it, which forgives more than the standard does.
//!
//! What it forgives: attributes without quotes or of the same name, an entity that it does not know (it stays as it is
//! written), text behind the root. What it does not forgive ends the whole document, with a line number and one of a few
//! words, which are its own.

use std::fmt::Write as _;

/// One element with what is in it, but for its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child that has this value in this attribute. Letters match whatever their case.
    pub fn child_with(&self, name: &str, attribute: &str, value: &str) -> Option<&Self> {
        self.children.iter().find(|child| {
            let is = |found: &str| found.eq_ignore_ascii_case(value);
            child.name == name && child.attribute(attribute).is_some_and(is)
        })
    }

    /// The element as text; how it is indented is our own.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out
    }

    fn write(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        let _ = write!(out, "{indent}<{}", self.name);
        for (key, value) in &self.attributes {
            let _ = write!(out, " {key}=\"{}\"", encode(value));
        }
        if self.children.is_empty() {
            out.push_str("/>\n");
            return;
        }
        out.push_str(">\n");
        for child in &self.children {
            child.write(depth + 1, out);
        }
        let _ = writeln!(out, "{indent}</{}>", self.name);
    }
}

/// What stands for itself nowhere in XML, written so that it may.
pub fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
    out
}

/// The root element, or what FreeSWITCH says of the text.
pub fn parse(text: &str) -> Result<Element, String> {
    let mut reader = Reader {
        text,
        at: 0,
        open: Vec::new(),
        root: None,
    };
    while let Some(start) = reader.rest().find('<') {
        reader.at += start + 1;
        reader.markup()?;
    }
    match (reader.root.take(), reader.open.pop()) {
        (_, Some(open)) => Err(reader.wrong(text.len(), &format!("unclosed tag <{}>", open.name))),
        (None, None) => Err(reader.wrong(text.len(), "root tag missing")),
        (Some(root), None) => Ok(root),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// From the root down to the element that is being read.
    open: Vec<Element>,
    root: Option<Element>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.split_at(self.at).1
    }

    fn wrong(&self, at: usize, what: &str) -> String {
        let line = self.text.split_at(at).0.matches('\n').count() + 1;
        format!("[error near line {line}]: {what}")
    }

    /// Takes what begins behind a `<`.
    fn markup(&mut self) -> Result<(), String> {
        let (start, rest) = (self.at, self.rest());
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_alphabetic() || "_:".contains(first) {
            return self.element();
        }
        let (opening, end, unclosed) = match first {
            '/' => return self.close(),
            '!' if rest.starts_with("!--") => ("!--", "-->", "unclosed <!--"),
            '!' if rest.starts_with("![CDATA[") => ("![CDATA[", "]]>", "unclosed <![CDATA["),
            '!' if rest.starts_with("!DOCTYPE") => ("!DOCTYPE", ">", "unclosed <!DOCTYPE"),
            '?' => ("?", "?>", "unclosed <?"),
            _ => return Err(self.wrong(start, "unexpected <")),
        };
        match rest.split_at(opening.len()).1.find(end) {
            Some(length) => {
                self.at += opening.len() + length + end.len();
                Ok(())
            }
            None => Err(self.wrong(start, unclosed)),
        }
    }

    fn take(&mut self, stop: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| stop(c)).unwrap_or(rest.len());
        self.at += end;
        rest.split_at(end).0
    }

    fn element(&mut self) -> Result<(), String> {
        let start = self.at;
        if self.root.is_some() {
            return Err(self.wrong(start, "markup outside of root element"));
        }
        let mut element = Element {
            name: self.take(|c| c.is_whitespace() || "/>".contains(c)).to_owned(),
            ..Element::default()
        };
        loop {
            self.take(|c| !c.is_whitespace());
            match self.rest().chars().next() {
                Some('>') => {
                    self.at += 1;
                    self.open.push(element);
                    return Ok(());
                }
                Some('/') if self.rest().starts_with("/>") => {
                    self.at += 2;
                    self.finish(element);
                    return Ok(());
                }
                None | Some('/') => return Err(self.wrong(start, "missing >")),
                Some(_) => {
                    let attribute = self.attribute(start)?;
                    element.attributes.push(attribute);
                }
            }
        }
    }

    fn attribute(&mut self, start: usize) -> Result<(String, String), String> {
        let name = self.take(|c| c.is_whitespace() || "=/>".contains(c)).to_owned();
        self.take(|c| !c.is_whitespace() && c != '=');
        let Some(quote @ ('"' | '\'')) = self.rest().chars().next() else {
            return Ok((name, String::new()));
        };
        self.at += 1;
        let value = self.take(|c| c == quote);
        if self.rest().is_empty() {
            return Err(self.wrong(start, &format!("missing {quote}")));
        }
        self.at += 1;
        Ok((name, decode(value)))
    }

    fn close(&mut self) -> Result<(), String> {
        self.at += 1;
        let start = self.at;
        let name = self.take(|c| c.is_whitespace() || c == '>');
        if self.rest().is_empty() {
            return Err(self.wrong(start, "missing >"));
        }
        match self.open.pop() {
            Some(open) if open.name == name => {
                self.finish(open);
                Ok(())
            }
            _ => Err(self.wrong(start, &format!("unexpected closing tag </{name}>"))),
        }
    }

    fn finish(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }
}

/// The value of an attribute as it is meant.
fn decode(written: &str) -> String {
    let mut out = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(letter) = rest.chars().next() {
        if let Some((meant, length)) = entity(rest) {
            out.push(meant);
            rest = rest.split_at(length).1;
        } else {
            out.push(if letter.is_whitespace() { ' ' } else { letter });
            rest = rest.split_at(letter.len_utf8()).1;
        }
    }
    out
}

/// The letter that an entity at the start of `text` stands for, and how long it is written.
fn entity(text: &str) -> Option<(char, usize)> {
    let (name, _) = text.strip_prefix('&')?.split_once(';')?;
    let meant = match name {
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "amp" => '&',
        name => {
            let code = name.strip_prefix('#')?;
            let code = match code.strip_prefix('x') {
                Some(code) => u32::from_str_radix(code, 16),
                None => code.parse(),
            };
            code.ok().and_then(char::from_u32).filter(|c| *c != '\0')?
        }
    };
    Some((meant, name.len() + 2))
}
