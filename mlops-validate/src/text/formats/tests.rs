use chrono::NaiveDate;
use proptest::prelude::*;

use super::golden::golden;
use super::*;

const ALL: [Format; 11] = [
    Format::Email,
    Format::Url,
    Format::Uuid,
    Format::Date,
    Format::DateTime,
    Format::Time,
    Format::Ipv4,
    Format::Ipv6,
    Format::Ip,
    Format::Hostname,
    Format::Json,
];

#[test]
fn published_examples_are_accepted_and_their_mistakes_refused() {
    for format in ALL {
        let (good, bad) = golden(format);
        for text in good {
            assert!(is_valid(format, text.as_bytes()), "{format:?} refuses {text:?}");
        }
        for text in bad {
            assert!(!is_valid(format, text.as_bytes()), "{format:?} takes {text:?}");
        }
    }
}

#[test]
fn a_mask_has_the_rows_that_are_there_and_wrong() {
    for format in ALL {
        let (good, bad) = golden(format);
        let rows = good.iter().chain(bad).copied().map(Some).chain([None]);
        let array: arrow::array::StringViewArray = rows.collect();
        let mut failing = vec![3];
        mask(format, &array, &mut failing).unwrap();
        assert_eq!(failing, [((1 << bad.len()) - 1) << good.len()], "{format:?}");
    }
}

#[test]
fn json_nested_a_million_deep_is_read_without_a_stack() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    assert!(is_valid(Format::Json, deep.as_bytes()));
    assert!(!is_valid(Format::Json, &deep.as_bytes()[..1_999_999]));
}

#[test]
fn a_date_is_valid_if_the_calendar_has_it() {
    for year in (0..=9999).step_by(7).chain([1900, 2000, 2023, 2024, 2100, 2400]) {
        for (month, day) in (0..=13).flat_map(|month| (0..=32).map(move |day| (month, day))) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            let there = NaiveDate::from_ymd_opt(year, month, day).is_some();
            assert_eq!(is_valid(Format::Date, text.as_bytes()), there, "{text}");
        }
    }
}

/// A text of the kind with up to two places changed.
fn nearly(text: &'static str, bytes: &'static str) -> impl Strategy<Value = String> {
    let bytes: Vec<char> = bytes.chars().collect();
    let change = (
        text,
        prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(bytes), 0..3),
            0..3,
        ),
    );
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
        prop_assert_eq!(is_valid(Format::Email, text.as_bytes()), pattern.is_match(&text));
    }

    #[test]
    fn a_date_time_is_what_chrono_reads(
        text in nearly("1996-12-19T16:39:57.25-08:00", "0123569TtZz:-+. "),
    ) {
        // What chrono takes besides: a space for the `T`, and a leap second in any minute.
        prop_assume!(text.as_bytes().get(10) != Some(&b' ') && text.get(17..19) != Some("60"));
        let read = chrono::DateTime::parse_from_rfc3339(&text).is_ok();
        prop_assert_eq!(is_valid(Format::DateTime, text.as_bytes()), read);
    }

    #[test]
    fn no_text_makes_a_check_panic(text in "\\PC{0,40}", format in 0..ALL.len()) {
        let _ = is_valid(ALL[format], text.as_bytes());
    }

    #[cfg(feature = "files")]
    #[test]
    fn what_is_taken_as_a_url_can_be_opened_as_one(
        text in nearly("http://user@www.example.com:8042/over/there?name=ferret#nose", "/:?#@[]a%. é"),
    ) {
        // WHATWG's parser knows more of hosts and ports, and less strict a form elsewhere.
        if is_valid(Format::Url, text.as_bytes()) {
            let port = text.rsplit(':').next().is_some_and(|port| port.len() > 4);
            prop_assert!(port || text.contains('%') || url::Url::parse(&text).is_ok(), "{}", text);
        }
    }
}
