//! Users as FreeSWITCH finds them.

use super::super::switch::Switch;

/// `user_exists id <user> <domain>`
pub async fn exists(switch: &Switch, words: &[&str]) -> String {
    let [_, user, domain, ..] = words else {
        return "false".to_owned();
    };
    switch.source.user(user, domain).await.is_some().to_string()
}

/// `user_data <user>@<domain> attr|var|param <name>`; what is empty is no answer at all.
pub async fn data(switch: &Switch, words: &[&str]) -> String {
    let [whose, kind, name, ..] = words else {
        return String::new();
    };
    let (user, domain) = whose.split_once('@').unwrap_or((whose, "cluecon.com"));
    let found = switch.source.user(user, domain).await;
    let shown = found.as_ref().and_then(|user| user.shown(kind, name));
    shown.unwrap_or_default().to_owned()
}

/// `xml_locate <section> <tag> <attribute> <value>`
pub fn locate(switch: &Switch, words: &[&str]) -> String {
    let [section, tag, key, value] = words else {
        return "-ERR bad args\n".to_owned();
    };
    let found = switch.source.located(section, tag, key, value);
    found.map_or_else(|| "can't find anything\n".to_owned(), |element| element.text())
}
