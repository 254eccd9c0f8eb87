//! What of an endpoint has no counterpart here, and what keeps its phones from signing in there.

use super::objects::Object;

/// Keys whose value is lost, and what that means. A value may hold a secret, so it is told of those alone that cannot.
const LOST: [(&str, bool, &str); 8] = [
    ("call_group", true, "its call group is not kept"),
    ("pickup_group", true, "whose calls it picks up is not kept"),
    ("named_call_group", true, "its call group is not kept"),
    ("named_pickup_group", true, "whose calls it picks up is not kept"),
    ("accountcode", true, "its account is not kept"),
    ("language", true, "its language is not kept"),
    ("set_var", false, "variables of its own are not kept"),
    ("outbound_proxy", false, "the proxy before its phones is not kept"),
];
/// Names with addresses, addresses that are refused, and addresses that are let in: of whoever asks, and of where a phone says
/// that it is.
const ACCESS: [[&str; 3]; 2] = [
    ["acl", "deny", "permit"],
    ["contact_acl", "contact_deny", "contact_permit"],
];
/// Everywhere.
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "0.0.0.0/0.0.0.0"];

/// Notes each.
pub fn tell(endpoint: &Object, notes: &mut Vec<String>) {
    for (key, is_told, lost) in LOST {
        let Some(value) = endpoint.value(key).filter(|value| !value.is_empty()) else {
            continue;
        };
        notes.push(if is_told {
            format!("{lost} ({key}: {value:?})")
        } else {
            format!("{lost} ({key})")
        });
    }
    for key in ["auth", "mailboxes"] {
        if all(endpoint.value(key)).nth(1).is_some() {
            let value = endpoint.value(key).unwrap_or_default();
            notes.push(format!("only the first counts of {key}={value}"));
        }
    }
}

/// Notes who alone may sign in; gives whether nobody may.
pub fn is_closed(endpoint: &Object, notes: &mut Vec<String>) -> bool {
    let mut closed = false;
    let mut told = Vec::new();
    for [list, deny, permit] in ACCESS {
        let mut rules = Vec::new();
        for (key, value) in endpoint.entries() {
            let refuses = key.eq_ignore_ascii_case(deny);
            if refuses || key.eq_ignore_ascii_case(permit) {
                rules.extend(all(Some(value)).map(|address| Rule::new(refuses, address)));
            }
        }
        // The last that fits holds: what stands before one for everywhere does not count.
        let last = rules.iter().rposition(Rule::is_for_all).unwrap_or_default();
        let rules = rules.get(last..).unwrap_or_default();
        closed |= rules.first().is_some_and(Rule::is_for_all) && rules.iter().all(|rule| rule.refuses);
        let is_open = matches!(rules, [rule] if rule.is_for_all() && !rule.refuses);
        let word = |rule: &Rule<'_>| if rule.refuses { deny } else { permit };
        let named = endpoint.value(list).filter(|name| !name.is_empty());
        told.extend(named.map(|name| format!("{list}={name}")));
        if !is_open {
            told.extend(
                rules
                    .iter()
                    .map(|rule| format!("{}={}", word(rule), rule.address)),
            );
        }
    }
    if !told.is_empty() {
        notes.push(format!(
            "the addresses that it may sign in from are not kept ({})",
            told.join(", ")
        ));
    }
    closed
}

/// Who is refused, or let in.
struct Rule<'a> {
    refuses: bool,
    address: &'a str,
}

impl<'a> Rule<'a> {
    fn new(refuses: bool, address: &'a str) -> Self {
        match address.strip_prefix('!') {
            Some(address) => Self {
                refuses: !refuses,
                address,
            },
            None => Self { refuses, address },
        }
    }

    fn is_for_all(&self) -> bool {
        EVERYWHERE.contains(&self.address)
    }
}

/// Each of several values in one.
pub fn all(value: Option<&str>) -> impl Iterator<Item = &str> {
    let values = value.into_iter().flat_map(|value| value.split(','));
    values.map(str::trim).filter(|value| !value.is_empty())
}
