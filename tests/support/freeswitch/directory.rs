//! Users as FreeSWITCH finds them in a document, wherever the document is from.

use super::xml::Element;

/// A user with what the group and the domain lend it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    pub attributes: Vec<(String, String)>,
    pub params: Vec<(String, String)>,
    pub variables: Vec<(String, String)>,
}

impl User {
    /// What `user_data` shows: of several entries of a name the last one counts, and letters match whatever their case.
    pub fn shown(&self, kind: &str, name: &str) -> Option<&str> {
        match kind {
            "attr" => {
                let found = self.attributes.iter().find(|(key, _)| key == name);
                found.map(|(_, value)| value.as_str())
            }
            "var" => last(&self.variables, name),
            _ => last(&self.params, name),
        }
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        last(&self.params, name)
    }
}

fn last<'a>(entries: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = entries.iter().rev();
    found
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// The element of a section that `xml_locate` finds.
pub fn locate<'a>(
    document: &'a Element,
    section: &str,
    tag: &str,
    key: &str,
    value: &str,
) -> Option<&'a Element> {
    document
        .child_with("section", "name", section)?
        .child_with(tag, key, value)
}

/// The user that a lookup by `id` gives. Only the first domain of a name counts.
pub fn find(document: &Element, user: &str, domain: &str) -> Option<User> {
    let domain = locate(document, "directory", "domain", "name", domain)?;
    let (found, group) = in_domain(domain, user)?;
    let mut merged = User {
        attributes: found.attributes.clone(),
        ..User::default()
    };
    for source in [Some(found), group, Some(domain)].into_iter().flatten() {
        lend(&mut merged.params, source, "params", "param");
        lend(&mut merged.variables, source, "variables", "variable");
    }
    Some(merged)
}

fn in_domain<'a>(domain: &'a Element, user: &str) -> Option<(&'a Element, Option<&'a Element>)> {
    if let Some(groups) = domain.child("groups") {
        return groups.named("group").find_map(|group| {
            let users = group.child("users")?;
            Some((matching(users, user)?, Some(group)))
        });
    }
    Some((matching(domain.child("users").unwrap_or(domain), user)?, None))
}

/// FreeSWITCH takes the first user of which **any** of these holds: its `id`, its `number-alias`, or that it has a `type`
/// other than `pointer`. A user with such a `type` is therefore found under every name; FusionPBX relies on it.
fn matching<'a>(users: &'a Element, name: &str) -> Option<&'a Element> {
    users.named("user").find(|user| {
        let is = |attribute| {
            user.attribute(attribute)
                .is_some_and(|v| v.eq_ignore_ascii_case(name))
        };
        let typed = user
            .attribute("type")
            .is_some_and(|v| !v.eq_ignore_ascii_case("pointer"));
        is("id") || is("number-alias") || typed
    })
}

/// Adds what `source` says and nobody nearer has said. Within one source all entries of a name stay.
fn lend(entries: &mut Vec<(String, String)>, source: &Element, container: &str, tag: &str) {
    let Some(container) = source.child(container) else {
        return;
    };
    let known = entries.len();
    for entry in container.named(tag) {
        let name = entry.attribute("name").unwrap_or_default();
        let value = entry.attribute("value").unwrap_or_default();
        if !entries[..known]
            .iter()
            .any(|(key, _)| key.eq_ignore_ascii_case(name))
        {
            entries.push((name.to_owned(), value.to_owned()));
        }
    }
}
