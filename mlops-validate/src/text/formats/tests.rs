use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;

/// Accepted and refused texts; those of published documents say which.
fn golden(format: Format) -> (&'static [&'static str], &'static [&'static str]) {
    match format {
        Format::Email => (
            // The last four: RFC 5321 and Wikipedia's list of valid addresses.
            &[
                "a@b", "simple@example.com", "very.common@example.com", "x@example.com",
                "user.name+tag+sorting@example.com", "name/surname@example.com",
                "admin@example", "mailhost!username@example.org", "user%example.com@example.org",
            ],
            // From the same list of invalid ones, where WHATWG agrees.
            &[
                "", "@", "a@", "@b", "abc.example.com", "a@b@c@example.com", "a b@c.de",
                "a\"b(c)d,e:f;g<h>i[j\\k]l@example.com", "just\"not\"right@example.com",
                "i.like.underscores@but_they_are_not_allowed_in_this_part", "a@-b.de", "a@b-.de",
                "a@b..de", "a@.de", "a@b.", "\"john..doe\"@example.org", "jörg@example.org",
                "Jo <jo@example.org>", "postmaster@[123.123.123.123]", "a@b.de\n",
                "a@abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl.de",
            ],
        ),
        Format::Url => (
            // RFC 3986, §1.1.2, those that have a host; §3.2.2; §6.2.2.
            &[
                "ftp://ftp.is.co.za/rfc/rfc1808.txt", "http://www.ietf.org/rfc/rfc2396.txt",
                "ldap://[2001:db8::7]/c=GB?objectClass?one", "telnet://192.0.2.16:80/",
                "foo://example.com:8042/over/there?name=ferret#nose", "http://a/b/c/d;p?q",
                "eXAMPLE://a/./b/../b/%63/%7bfoo%7d", "http://user:pw@host", "http://host:",
                "s3://bucket/key", "http://[v1.fe:d]/", "https://xn--bcher-kva.example/?a=b?c/d",
            ],
            &[
                "", "http", "http:", "http:/a", "http://", "http:///path", "://host", "1http://a",
                "www.example.com", "mailto:John.Doe@example.com", "tel:+1-816-555-1212",
                "http://a b", "http://a/ b", "http://a/%zz", "http://a/%a", "http://a:b/",
                "http://[::1", "http://[1::2::3]/", "http://a#b#c", "http://a/\"", "http://bücher.de",
                "http://a@b@c/", "http://:80/", "http://[::1]x", "//host/path", "http://a\n",
            ],
        ),
        Format::Uuid => (
            // RFC 9562, appendix A and §5.9, §5.10.
            &[
                "C232AB00-9414-11EC-B3C8-9F6BDECED846", "5df41881-3aed-3515-88a7-2f4a814cf09e",
                "919108f7-52d1-4320-9bac-f847db4148a8", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
                "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            ],
            &[
                "", "017F22E2-79B0-7CC3-98C4-DC0C0C07398", "017F22E2-79B0-7CC3-98C4-DC0C0C07398FF",
                "017F22E279B07CC398C4DC0C0C07398F", "{017F22E2-79B0-7CC3-98C4-DC0C0C07398F}",
                "urn:uuid:017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
                "017F22E2-79B0-7CC3-98C4-DC0C0C07398G", "017F22E2+79B0-7CC3-98C4-DC0C0C07398F",
                "017F22E2-79B0-7CC3-98C4-DC0C0C073é8", "017F22E27-9B0-7CC3-98C4-DC0C0C07398F",
            ],
        ),
        Format::Date => (
            &["1985-04-12", "2024-02-29", "2000-02-29", "0000-02-29", "9999-12-31", "2023-11-30"],
            &[
                "", "2023-02-29", "1900-02-29", "2024-02-30", "2024-04-31", "2024-13-01",
                "2024-00-10", "2024-01-00", "2024-01-32", "2024-1-1", "24-01-01", "20240101",
                "2024/01/01", "2024-01-01 ", "+2024-01-01", "2024-01-01T00:00:00Z", "２024-01-01",
            ],
        ),
        Format::DateTime => (
            // RFC 3339, §5.8.
            &[
                "1985-04-12T23:20:50.52Z", "1996-12-19T16:39:57-08:00", "1990-12-31T23:59:60Z",
                "1990-12-31T15:59:60-08:00", "1937-01-01T12:00:27.87+00:20", "1985-04-12t23:20:50z",
            ],
            &[
                "", "1985-04-12", "1985-04-12T23:20:50", "1985-04-12 23:20:50Z",
                "1985-04-31T23:20:50Z", "1990-12-31T22:59:60Z", "1990-12-31T23:59:60-08:00",
                "1985-04-12T24:00:00Z", "1985-04-12T23:60:00Z", "1985-04-12T23:20:61Z",
                "1985-04-12T23:20:50.Z", "1985-04-12T23:20:50+24:00", "1985-04-12T23:20:50+0100",
                "1985-04-12T23:20Z", "1985-04-12T23:20:50,5Z", "1985-04-12T23:20:50Z ",
            ],
        ),
        Format::Time => (
            &["23:20:50", "23:20:50.52", "00:00:00Z", "16:39:57-08:00", "23:59:60", "15:59:60-08:00"],
            &["", "23:20", "24:00:00", "23:59:61", "22:59:60", "7:00:00", "23:20:50 Z", "T23:20:50"],
        ),
        Format::Ipv4 => (
            &["0.0.0.0", "192.0.2.16", "255.255.255.255"],
            &[
                "", "256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "1.2.3.", "0x1.2.3.4",
                "::1", "1.2.3.-4", "1.2.3.٤",
            ],
        ),
        Format::Ipv6 => (
            // RFC 4291, §2.2.
            &[
                "ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", "2001:DB8:0:0:8:800:200C:417A",
                "2001:DB8::8:800:200C:417A", "FF01::101", "::1", "::", "0:0:0:0:0:0:13.1.68.3",
                "::FFFF:129.144.52.38", "abcd:ef01:2345:6789:abcd:ef01:255.255.255.255",
            ],
            &[
                "", ":", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::g",
                "fe80::1%eth0", "[::1]", "::1.2.3", "1.2.3.4", "::1 ",
            ],
        ),
        Format::Ip => (&["192.0.2.16", "::1"], &["", "localhost", "1.2.3", "1::2::3"]),
        Format::Cidr => (
            // RFC 4632, §3.1; RFC 4291, §2.3.
            &[
                "10.0.0.0/8", "0.0.0.0/0", "192.168.99.0/24", "192.0.2.16/32", "::/0",
                "2001:0DB8:0000:CD30:0000:0000:0000:0000/60", "2001:DB8::CD30:0:0:0:0/60", "::1/128",
            ],
            &[
                "", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8", "::/129",
                "10.0.0.0/8/8", "10.0/8", "2001:DB8:0:CD3/60", "/8", "::/0000", "::/99999999999",
            ],
        ),
        Format::Hostname => (
            &["localhost", "example.com", "3com.com", "a", "xn--bcher-kva.example", "1.2.3.4", "a-b.c"],
            &[
                "", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "under_score", "bücher.example", "a b",
                "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl",
            ],
        ),
        Format::Json => (
            // RFC 8259, §13, and shorter ones.
            &[
                "{\"Image\": {\"Width\": 800, \"Thumbnail\": {\"Url\": \"http://www.example.com/i\"}, \
                 \"Animated\" : false, \"IDs\": [116, 943, 234, 38793]}}",
                "\"Hello world!\"", "42", "true", "null", " [ ] ", "-0.5e+10", "1e999",
                "\"\\u20ac\\n\"", "\"\\ud800\"", "{\"a\":1,\"a\":2}", "\"é\"",
            ],
            &[
                "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "01", "+1", ".5", "1.", "NaN",
                "Infinity", "tru", "\"a", "\"\\x\"", "\"\n\"", "[1] 2", "// a\n1", "\u{feff}1",
            ],
        ),
    }
}

#[test]
fn published_examples_are_accepted_and_their_mistakes_refused() {
    for format in Format::ALL {
        let (good, bad) = golden(format);
        for text in good {
            assert!(format.is_valid(text.as_bytes()), "{format:?} refuses {text:?}");
        }
        for text in bad {
            assert!(!format.is_valid(text.as_bytes()), "{format:?} takes {text:?}");
        }
    }
}

#[test]
fn a_mask_has_the_rows_that_are_there_and_wrong() {
    for format in Format::ALL {
        let (good, bad) = golden(format);
        let rows = good.iter().chain(bad).copied().map(Some).chain([None]);
        let array: arrow::array::StringViewArray = rows.collect();
        let mut failing = vec![3];
        format.mask(&array, &mut failing).unwrap();
        assert_eq!(failing, [((1 << bad.len()) - 1) << good.len()], "{format:?}");
    }
}

#[test]
fn names_are_in_snake_case() {
    let names: Vec<String> =
        Format::ALL.iter().map(|format| serde_json::to_string(format).unwrap()).collect();
    assert_eq!(
        names.join(" "),
        "\"email\" \"url\" \"uuid\" \"date\" \"date_time\" \"time\" \"ipv4\" \"ipv6\" \"ip\" \
         \"cidr\" \"hostname\" \"json\""
    );
}

#[test]
fn json_nested_a_million_deep_is_read_without_a_stack() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    assert!(Format::Json.is_valid(deep.as_bytes()));
    assert!(!Format::Json.is_valid(&deep.as_bytes()[..1_999_999]));
}

#[test]
fn a_date_is_valid_if_the_calendar_has_it() {
    for year in (0..=9999).step_by(7).chain([1900, 2000, 2023, 2024, 2100, 2400]) {
        for (month, day) in (0..=13).flat_map(|month| (0..=32).map(move |day| (month, day))) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            let there = NaiveDate::from_ymd_opt(year, month, day).is_some();
            assert_eq!(Format::Date.is_valid(text.as_bytes()), there, "{text}");
        }
    }
}

/// A text of the kind with up to two places changed.
fn nearly(text: &'static str, bytes: &'static str) -> impl Strategy<Value = String> {
    let bytes: Vec<char> = bytes.chars().collect();
    let change = (text, prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(bytes), 0..3), 0..3));
    change.prop_map(|(text, changes)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, to, how) in changes {
            let at = at.index(chars.len().max(1));
            match how {
                0 if at < chars.len() => chars[at] = to,
                1 => chars.insert(at.min(chars.len()), to),
                _ if at < chars.len() => drop(chars.remove(at)),
                _ => {}
            }
        }
        chars.into_iter().collect()
    })
}

const WHATWG_EMAIL: &str = "^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\
    (?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$";

proptest! {
    #[test]
    fn an_address_is_what_whatwgs_own_expression_matches(
        text in prop_oneof![
            nearly("jo.doe@mail-1.example.org", "@.-a1_+ é\""),
            "[a.@-]{0,10}",
            "a@[a-]{55,70}(\\.[a-]{1,70})?",
        ],
    ) {
        let pattern = regex::Regex::new(WHATWG_EMAIL).unwrap();
        prop_assert_eq!(Format::Email.is_valid(text.as_bytes()), pattern.is_match(&text));
    }

    #[test]
    fn a_date_time_is_what_chrono_reads(
        text in nearly("1996-12-19T16:39:57.25-08:00", "0123569TtZz:-+. "),
    ) {
        // What chrono takes besides: a space for the `T`, and a leap second in any minute.
        prop_assume!(text.as_bytes().get(10) != Some(&b' ') && text.get(17..19) != Some("60"));
        let read = chrono::DateTime::parse_from_rfc3339(&text).is_ok();
        prop_assert_eq!(Format::DateTime.is_valid(text.as_bytes()), read);
    }

    #[test]
    fn no_text_makes_a_check_panic(text in "\\PC{0,40}", format in 0..Format::ALL.len()) {
        let _ = Format::ALL[format].is_valid(text.as_bytes());
    }

    #[cfg(feature = "files")]
    #[test]
    fn what_is_taken_as_a_url_can_be_opened_as_one(
        text in nearly("http://user@www.example.com:8042/over/there?name=ferret#nose", "/:?#@[]a%. é"),
    ) {
        // WHATWG's parser knows more of hosts and ports, and less strict a form elsewhere.
        if Format::Url.is_valid(text.as_bytes()) {
            let port = text.rsplit(':').next().is_some_and(|port| port.len() > 4);
            prop_assert!(port || text.contains('%') || url::Url::parse(&text).is_ok(), "{}", text);
        }
    }
}
