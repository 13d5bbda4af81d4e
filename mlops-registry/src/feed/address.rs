//! Where a webhook may go: the public internet, and elsewhere only with a permit.
//!
//! Whoever may store a subscription makes this process send requests. Without a permit those must
//! not reach what only this machine can reach: its own services, the company's network, the cloud's
//! metadata address. A name can point anywhere, and elsewhere a second later, so the rule is asked
//! twice: of the URL when it is stored, and of the very address that is connected. The list follows
//! the special-purpose registries of the IANA; what is not known to be public is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mlops_core::{Error, Result};
use url::{Host, Url};

/// Longest URL, in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// Networks of IPv4 that are not public: where they start, and how many bits they share.
const NOT_PUBLIC_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // shared by carriers; some clouds' metadata
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // Azure's host, for its machines only
    ([169, 254, 0, 0], 16),   // link-local; 169.254.169.254 is most clouds' metadata
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // relays of 6to4, retired
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, broadcast
];

/// Checks a webhook's URL as far as that goes without asking for the addresses of its name.
///
/// # Errors
/// `Invalid`, saying which rule it breaks.
pub(super) fn check_url(text: &str, permit_private: bool) -> Result<Url> {
    let invalid = |message: &'static str| Error::invalid("feed.webhook", message);
    if text.len() > MAX_URL_BYTES {
        return Err(invalid("the URL is too long").with("at_most_bytes", MAX_URL_BYTES));
    }
    // Neither the URL nor the parser's source: what is malformed may still hold a password.
    let url = Url::parse(text).map_err(|e| invalid("this is no URL").with("cause", e))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("a webhook's URL is http or https").with("scheme", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("the URL holds credentials, and it is stored and journaled")
            .with_hint("name a secret; deliveries are signed with it"));
    }
    if url.fragment().is_some() {
        return Err(invalid("the URL has a fragment, which no server would ever see"));
    }
    let private = match url.host() {
        None => return Err(invalid("the URL has no host")),
        Some(Host::Ipv4(address)) => !is_public(address.into()),
        Some(Host::Ipv6(address)) => !is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.is_empty() || name == "localhost" || name.ends_with(".localhost")
        }
    };
    if private && !permit_private {
        return Err(refused(url.host_str().unwrap_or_default(), None));
    }
    Ok(url)
}

/// The URL as it can be shown: scheme, host and port. What stands behind them is often a secret.
pub(super) fn shown(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return "…".to_owned() };
    let rest = if url.path() == "/" && url.query().is_none() { "" } else { "…" };
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    format!("{}://{authority}/{rest}", url.scheme())
}

/// The error for a host, or for an address that a host's name stands for.
pub(super) fn refused(host: &str, address: Option<IpAddr>) -> Error {
    let error =
        Error::invalid("feed.webhook", "the address is not a public one").with("host", host);
    let error = match address {
        Some(address) => error.with("address", address),
        None => error,
    };
    error.with_hint("`permit_private: true` allows loopback, private and link-local addresses")
}

/// Whether anybody on the internet could reach the address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !NOT_PUBLIC_V4
        .iter()
        .any(|(network, length)| (bits ^ Ipv4Addr::from(*network).to_bits()) >> (32 - length) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // NAT64 and 6to4 lead to the IPv4 address that they hold.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Protocol assignments (Teredo among them), documentation.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // Global unicast is 2000::/3; loopback, unique local, link-local, multicast are not in it.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let public = [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.32.0.1",
            "192.0.1.1",
            "168.63.129.15",
            "169.253.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001:4860:4860::8888",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let others = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.192",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "4000::1",
        ];
        for address in others {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_url_with_credentials_another_scheme_or_no_host_is_refused() {
        let refused = [
            ("ftp://example.com/x", "http or https"),
            ("file:///etc/passwd", "http or https"),
            ("javascript:alert(1)", "http or https"),
            ("https://ann:pw@example.com/", "credentials"),
            ("https://ann@example.com/", "credentials"),
            ("https://:pw@example.com/", "credentials"),
            ("https://example.com/#part", "fragment"),
            ("https://", "no URL"),
            ("example.com/hook", "no URL"),
            ("", "no URL"),
        ];
        for (url, why) in refused {
            for permit in [false, true] {
                let error = check_url(url, permit).unwrap_err().to_string();
                assert!(error.contains(why), "{url}: {error}");
                assert!(!error.contains("pw"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_shown_of_a_url_ends_with_its_host() {
        for (url, seen) in [
            ("https://hooks.example.com/services/T0/B0/s3cret", "https://hooks.example.com/…"),
            ("http://[::1]:8080/?token=s3cret", "http://[::1]:8080/…"),
            ("https://ann:s3cret@example.com/", "https://example.com/"),
            ("s3cret", "…"),
        ] {
            assert_eq!(shown(url), seen);
        }
    }

    #[test]
    fn a_private_address_needs_a_permit_however_it_is_written() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://localhost/",
            "http://LOCALHOST:8080/",
            "http://localhost./",
            "http://api.localhost/",
            "http://169.254.169.254/latest/meta-data",
            "http://[fd00:ec2::254]/",
            "http://10.0.0.1/",
            "http://100.100.100.200/",
            "http://168.63.129.16/?comp=versions",
        ] {
            let error = check_url(url, false).unwrap_err();
            assert!(error.to_string().contains("not a public one"), "{url}: {error}");
            check_url(url, true).unwrap();
        }
        check_url("https://hooks.example.com:8443/a/b?c=d", false).unwrap();
        check_url("https://8.8.8.8/", false).unwrap();
    }
}
