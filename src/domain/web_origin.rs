//! Where a page in a browser comes from: what it sends as `Origin`.

use std::net::IpAddr;

use super::invalid::Invalid;
use super::parsed::parsed_text;

parsed_text! {
    /// Scheme, host and, where it is not the usual one, port, as a browser sends them: `https://dashboard.example.com`.
    WebOrigin, web_origin
}

/// In lower case, since browsers send it so and it is compared byte by byte.
fn web_origin(text: &str) -> Result<String, Invalid> {
    let refused = || {
        Invalid::new(
            "must be `https://` with a host and, where needed, port, and nothing behind it; `http://` only for \
             `localhost` or a loopback address",
        )
    };
    let text = text.trim().to_ascii_lowercase();
    let (scheme, authority) = text.split_once("://").ok_or_else(refused)?;
    let (host, port) = authority
        .rsplit_once(':')
        .filter(|(host, _)| !host.ends_with(':'))
        .map_or((authority, None), |(host, port)| (host, Some(port)));
    let usual = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return Err(refused()),
    };
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let good_port = port.is_none_or(|port| {
        port.parse::<u16>()
            .is_ok_and(|number| number.to_string() == port && number > 0)
    });
    if !host.split('.').all(is_label) || !good_port || (scheme == "http" && !is_local) || text.len() > 200 {
        return Err(refused());
    }
    if port == Some(usual) {
        return Err(Invalid::new(
            "must not name the port that its scheme has anyway: a browser leaves it out",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://dashboard.example.com", "https://dashboard.example.com")]
    #[case(" HTTPS://Dashboard.Example.com:8443 ", "https://dashboard.example.com:8443")]
    #[case("http://localhost:5173", "http://localhost:5173")]
    #[case("http://127.0.0.1:80", "")]
    #[case("https://x:443", "")]
    #[case("http://dashboard.example.com", "")]
    #[case("https://dashboard.example.com/", "")]
    #[case("https://ann@example.com", "")]
    #[case("https://*.example.com", "")]
    #[case("https://example.com:0", "")]
    #[case("https://example.com:08443", "")]
    #[case("https://", "")]
    #[case("null", "")]
    #[case("*", "")]
    fn an_origin_is_what_a_browser_sends(#[case] text: &str, #[case] origin: &str) {
        let parsed = text.parse::<WebOrigin>().map(String::from).unwrap_or_default();
        assert_eq!(parsed, origin);
    }
}
