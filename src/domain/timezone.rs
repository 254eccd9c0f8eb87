//! IANA time zones.

use super::invalid::Invalid;
use super::parsed::parsed_text;

parsed_text! {
    /// The name of an IANA time zone, such as `Europe/Berlin`.
    Timezone, timezone, schema { "maxLength": 64 }
}

impl Timezone {
    /// UTC, the default.
    #[must_use]
    pub fn utc() -> Self {
        Self("UTC".to_owned())
    }
}

fn timezone(text: &str) -> Result<String, Invalid> {
    let zone = jiff::tz::TimeZone::get(text)
        .map_err(|_| Invalid::new("must be an IANA time zone such as `Europe/Berlin`"))?;
    // The database's own spelling: `europe/berlin` finds the zone, but other programs would not.
    Ok(zone.iana_name().unwrap_or("UTC").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c14_only_iana_zones_pass() {
        assert_eq!(
            "europe/berlin".parse::<Timezone>().map(String::from).as_deref(),
            Ok("Europe/Berlin")
        );
        assert!("Mars/Olympus".parse::<Timezone>().is_err());
        assert!("../etc/passwd".parse::<Timezone>().is_err());
    }
}
