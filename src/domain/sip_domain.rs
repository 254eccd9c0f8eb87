//! A tenant's SIP domain, which is also its context, its voicemail context and its realm.

use super::invalid::Invalid;
use super::parsed::parsed_text;

parsed_text! {
    /// A lower-case host name of at least two labels, at most 60 bytes.
    ///
    /// It names contexts and, behind a number, endpoints: Asterisk keeps both in 80 bytes. A dot in it
    /// keeps it apart from every reserved context (`general`, `globals`, `default`, `switchyard-…`).
    SipDomain, sip_domain, schema { "maxLength": LONGEST, "pattern": "^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$" }
}

const LONGEST: usize = 60;

fn sip_domain(text: &str) -> Result<String, Invalid> {
    let domain = text.to_ascii_lowercase();
    if domain.len() > LONGEST {
        return Err(Invalid::new("must have at most 60 characters"));
    }
    let labels: Vec<&str> = domain.split('.').collect();
    if labels.len() < 2 {
        return Err(Invalid::new(
            "must be a host name with a dot, such as `acme.example.com`",
        ));
    }
    if !labels.iter().all(|label| is_label(label)) {
        return Err(Invalid::new(
            "must be a host name: labels of letters, digits and inner hyphens, joined by dots",
        ));
    }
    if labels
        .last()
        .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(Invalid::new("must be a host name, not an IP address"));
    }
    Ok(domain)
}

/// All that may be a domain in a text, in lower case and whole: `me.example.com` does not stand in `acme.example.com`.
/// A channel is named by what it is made for, a hyphen and eight digits: that stands there without them too.
pub fn names_in(text: &str) -> impl Iterator<Item = String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.split(move |c| !is_part(c)).flat_map(|part| {
        let name = part.trim_matches('.').to_ascii_lowercase();
        let channel = name.rsplit_once('-').and_then(|(name, number)| {
            let is_number = number.len() == 8 && number.bytes().all(|b| b.is_ascii_hexdigit());
            is_number.then(|| name.to_owned())
        });
        [Some(name), channel].into_iter().flatten()
    })
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("acme.example.com", "acme.example.com")]
    #[case("Acme.Example.COM", "acme.example.com")]
    #[case("xn--bcher-kva.example", "xn--bcher-kva.example")]
    fn host_names_are_folded(#[case] text: &str, #[case] domain: &str) {
        assert_eq!(text.parse::<SipDomain>().map(String::from).as_deref(), Ok(domain));
    }

    #[test]
    fn a_name_in_a_text_is_whole_or_a_channels() {
        let names = |text: &str, name: &str| names_in(text).any(|found| found == name);
        for text in [
            "object '1001@acme.example.com' is wrong",
            "acme.example.com.",
            "PJSIP/1001@Acme.Example.com-0000001f",
            "Local/*43@acme.example.com-0000001f;2",
            "/voicemail/acme.example.com/1001",
        ] {
            assert!(names(text, "acme.example.com"), "{text}");
        }
        for text in [
            "my.acme.example.com",
            "my-acme.example.com",
            "acme.example.community",
            "acme.example.com-west",
        ] {
            assert!(!names(text, "acme.example.com"), "{text}");
        }
    }

    #[rstest]
    #[case("default")]
    #[case("general")]
    #[case("acme..com")]
    #[case("-acme.com")]
    #[case("acme-.com")]
    #[case("acme.com\n[x]")]
    #[case("acme.com]")]
    #[case("10.0.0.1")]
    #[case("a_b.example.com")]
    #[case("bücher.example")]
    #[case("acme.example.com.")]
    #[case("")]
    fn anything_else_is_refused(#[case] text: &str) {
        assert!(text.parse::<SipDomain>().is_err());
    }
}
