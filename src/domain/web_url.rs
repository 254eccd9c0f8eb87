//! The address of something that the daemon fetches, or that people open.

use std::net::IpAddr;

use url::{Host, Url};

use super::invalid::Invalid;
use super::parsed::parsed_text;

parsed_text! {
    /// An `https:` URL without a password in it; `http:` only within this host. Kept as it was written: the name of an
    /// issuer is compared letter by letter.
    WebUrl, web_url
}

fn web_url(text: &str) -> Result<String, Invalid> {
    let refused = || Invalid::new("must be a URL such as `https://example.com/path`");
    // The parser would quietly leave out blanks and line breaks.
    if text.len() > 2048 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused());
    }
    let url = Url::parse(text).map_err(|_| refused())?;
    if url.host().is_none() {
        return Err(refused());
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(Invalid::new(
                "must begin with `https://`; `http://` is for this host (127.0.0.1, [::1], localhost) only",
            ));
        }
        _ => return Err(refused()),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Invalid::new("must hold no user, no password and no `#`"));
    }
    Ok(text.to_owned())
}

impl WebUrl {
    /// Whether it names this host itself, in whichever way. What a name resolves to is not asked.
    #[must_use]
    pub fn is_of_this_host(&self) -> bool {
        Url::parse(self.as_str()).is_ok_and(|url| match url.host() {
            Some(Host::Ipv4(address)) => is_here(address.into()),
            Some(Host::Ipv6(address)) => is_here(address.into()),
            Some(Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name == "localhost" || name.ends_with(".localhost")
            }
            None => false,
        })
    }
}

/// An address that does not say of whom leads here, too.
fn is_here(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// Written as what stays within this host on every system.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://id.example.com")]
    #[case("https://id.example.com:8443/realms/main?x=y")]
    #[case("http://127.0.0.1:8080/keys")]
    #[case("http://127.8.9.1/")]
    #[case("http://[::1]:8080/")]
    #[case("http://localhost/")]
    fn what_cannot_be_read_on_the_way_is_taken_as_it_is_written(#[case] text: &str) {
        assert_eq!(text.parse::<WebUrl>().map(String::from).as_deref(), Ok(text));
    }

    #[rstest]
    #[case("http://id.example.com/")]
    #[case("http://localhost.example.com/")]
    #[case("http://127.0.0.1.example.com/")]
    #[case("http://127.0.0.1@example.com/")]
    #[case("http://[::ffff:10.0.0.1]/")]
    #[case("http://0.0.0.0/")]
    #[case("https://ann:secret@example.com/")]
    #[case("https://ann@example.com/")]
    #[case("https://example.com/#x")]
    #[case("https://exa mple.com/")]
    #[case(" https://example.com/")]
    #[case("https://example.com/\n")]
    #[case("file:///etc/passwd")]
    #[case("ftp://example.com/")]
    #[case("example.com")]
    #[case("")]
    fn anything_else_is_refused(#[case] text: &str) {
        assert!(text.parse::<WebUrl>().is_err());
    }

    #[rstest]
    #[case("http://127.0.0.1:8080/keys")]
    #[case("https://127.8.9.1/")]
    #[case("https://2130706433/")]
    #[case("https://0x7f.1/")]
    #[case("https://127.0.0.1./")]
    #[case("https://0.0.0.0/")]
    #[case("https://0/")]
    #[case("https://[::1]/")]
    #[case("https://[::]/")]
    #[case("https://[::ffff:127.0.0.1]/")]
    #[case("https://[::ffff:0.0.0.0]/")]
    #[case("https://localhost/")]
    #[case("https://LOCALHOST/")]
    #[case("https://localhost./")]
    #[case("https://keys.localhost/")]
    #[case("https://keys.localhost.:8443/")]
    fn this_host_is_known_however_it_is_written(#[case] text: &str) {
        assert!(text.parse::<WebUrl>().unwrap().is_of_this_host());
    }

    #[rstest]
    #[case("https://id.example.com/")]
    #[case("https://localhost.example.com/")]
    #[case("https://notlocalhost/")]
    #[case("https://10.0.0.1/")]
    #[case("https://[::ffff:10.0.0.1]/")]
    #[case("https://[2001:db8::1]/")]
    fn another_host_is_not_this_one(#[case] text: &str) {
        assert!(!text.parse::<WebUrl>().unwrap().is_of_this_host());
    }

    #[test]
    fn clear_text_to_another_host_is_refused_with_what_to_do() {
        let error = "http://id.example.com".parse::<WebUrl>().unwrap_err();
        assert!(error.reason().starts_with("must begin with `https://`"));
    }
}
