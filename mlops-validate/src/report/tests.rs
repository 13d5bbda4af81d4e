//! Exact texts of small reports, and what holds for every report.

mod markup;
mod realistic;

use mlops_core::validation::{Counts, OnEmpty, Outcome, ReadBytes, Report, Severity, Status};
use proptest::prelude::*;
use serde_json::json;

use self::realistic::{number, realistic, report, rows, sample};
use super::*;

/// One check of each group.
fn small() -> Report {
    let mut delay = rows("not_null(dep_delay)", &["dep_delay"], 8_255, "no nulls");
    delay.samples = vec![sample(838, &[None])];
    delay.detail = Some("most on 2013-02-08".into());
    let mut code = rows("matches(code)", &["code"], 2, r"text that matches a|b");
    code.severity = Severity::Warn;
    code.description = Some("ask @ops".into());
    code.samples = vec![sample(7, &[Some("<b>]]>&\u{1}")]), sample(9, &[Some("")])];
    let mut empty = rows("range(wind)", &["wind"], 0, "between 0 and 100");
    empty.status = Status::Vacuous;
    empty.counts = Counts { skipped: 336_776, ..Counts::default() };
    let mean = number("mean(x)", "x", true, "at least 1.5", json!(12_345.75));
    let mut report = report(vec![mean, delay, code, empty]);
    report.rows_failed = Some(8_255);
    report.bytes =
        Some(ReadBytes { total: 2048, read: 1024, not_needed: 0, decided_by_statistics: 1024 });
    report
}

#[test]
fn a_terminal_gets_a_line_a_check_and_two_more_for_a_failure() {
    assert_eq!(
        text(&small(), &TextStyle::default()),
        "\
passed   mean(x)              12,345.75
vacuous  range(wind)          nothing to judge
warned   matches(code)        2 of 336,776 rows failed (< 0.01 %)
         expected: text that matches a|b
         row 7: code <b>]]>&\\u{1}; row 9: code \"\"
failed   not_null(dep_delay)  8,255 of 336,776 rows failed (2.45 %)
         expected: no nulls; most on 2013-02-08
         row 838: dep_delay null

failed   flights version 3 on data/nycflights13/flights.parquet: 1 of 4 checks failed: the data is not fit to use.
         336,776 rows · 8,255 rows failed (2.45 %) · checks: 1 failed, 1 warned, 1 vacuous, 1 passed · 412 ms · read 1.0 KiB of 2.0 KiB
"
    );
}

#[test]
fn a_terminal_s_lines_are_cut_to_its_width_and_coloured_if_asked() {
    let style = TextStyle::default().with_width(40).with_colour(true);
    let shown = text(&realistic(), &style);
    assert!(shown.contains("\u{1b}[1;31mfailed\u{1b}[0m   not_null(dep_delay)"), "{shown}");
    let plain = text(&realistic(), &TextStyle::default().with_width(40));
    assert!(plain.lines().all(|line| line.chars().count() <= 40), "{plain}");
    assert!(plain.contains('…'));
}

#[test]
fn a_comment_names_the_failures_first_and_folds_the_rest() {
    assert_eq!(
        markdown(&small()),
        "\
### failed: `flights` version 3

**1 of 4 checks failed: the data is not fit to use.** 336,776 rows, 8,255 of them failed (2.45 %); \
1 failed, 1 warned, 1 vacuous, 1 passed; 412 ms; 1.0 KiB of 2.0 KiB read.

| | check | found | expected |
|---|---|---|---|
| **failed** | `not_null(dep_delay)` | 8,255 of 336,776 rows failed (2.45 %) | `no nulls` |
| warned | `matches(code)` | 2 of 336,776 rows failed (&#60; 0.01 %) | <code>text that matches a&#124;b</code> |
| vacuous | `range(wind)` | nothing to judge | `between 0 and 100` |

<details><summary>Failing rows and details</summary>

**`not_null(dep_delay)`** · most on 2013-02-08 · values were read

| row | `dep_delay` |
|---:|---|
| 838 | *null* |

**`matches(code)`** · ask @&#8203;ops · values were read

| row | `code` |
|---:|---|
| 7 | <code>&#60;b&#62;&#93;&#93;&#62;&#38;&#92;u{1}</code> |
| 9 | *empty* |

</details>

<details><summary>1 check passed</summary>

| check | found | evidence |
|---|---|---|
| `mean(x)` | 12,345.75 | values |

</details>

<sub>`data/nycflights13/flights.parquet` · 2026-11-22 13:19:31 UTC · suite digest 5a5a5a5a5a5a · mlops 0.1.0</sub>
"
    );
}

#[test]
fn a_comment_that_would_be_too_long_says_how_much_is_missing() {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for at in 0..3_000 {
        let mut outcome = rows(&format!("range(x{at})"), &["x"], 1, "between 0 and 1");
        outcome.samples = vec![sample(1, &[Some(&"|".repeat(5_000))])];
        outcomes.push(outcome);
    }
    outcomes.push(rows("not_null(y)", &["y"], 0, "no nulls"));
    let shown = markdown(&report(outcomes));
    assert!(shown.len() <= 60_000, "{}", shown.len());
    assert!(shown.contains("|\n| | and 2,7"), "{shown}");
    assert!(shown.contains("and 2,979 more\n\n</details>"), "{shown}");
    assert!(shown.contains("| `not_null(y)` | 336,776 rows | values |"));
    assert!(shown.ends_with("mlops 0.1.0</sub>\n"));
}

#[test]
fn a_build_server_gets_failures_and_skips_that_say_why() {
    assert_eq!(
        junit(&small()),
        r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="flights version 3" tests="4" failures="1" errors="0" skipped="2" time="0.412345">
  <testsuite name="flights version 3" tests="4" failures="1" errors="0" skipped="2" time="0.412345" timestamp="2026-11-22T13:19:31">
    <properties>
      <property name="verdict" value="failed"/>
      <property name="suite_digest" value="5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"/>
      <property name="data" value="data/nycflights13/flights.parquet"/>
      <property name="data_digest" value="blake3:9f8d2c"/>
      <property name="rows" value="336776"/>
      <property name="rows_failed" value="8255"/>
      <property name="library" value="0.1.0"/>
    </properties>
    <testcase classname="flights" name="mean(x)" time="0.001840"/>
    <testcase classname="flights" name="not_null(dep_delay)" time="0.001840">
      <failure type="not_null" message="8,255 of 336,776 rows failed (2.45 %); expected: no nulls">expected: no nulls
found: 8,255 of 336,776 rows failed (2.45 %)
detail: most on 2013-02-08
evidence: values were read
row 838: dep_delay = null</failure>
    </testcase>
    <testcase classname="flights" name="matches(code)" time="0.001840">
      <skipped message="warning: 2 of 336,776 rows failed (&lt; 0.01 %); expected: text that matches a|b"/>
      <system-out>expected: text that matches a|b
found: 2 of 336,776 rows failed (&lt; 0.01 %)
why: ask @ops
evidence: values were read
row 7: code = &lt;b&gt;]]&gt;&amp;\u{1}
row 9: code = &quot;&quot;</system-out>
    </testcase>
    <testcase classname="flights" name="range(wind)" time="0.001840">
      <skipped message="nothing to judge; expected: between 0 and 100"/>
      <system-out>expected: between 0 and 100
found: nothing to judge
rows not judged: 336,776 skipped (null or NaN)
evidence: values were read</system-out>
    </testcase>
  </testsuite>
</testsuites>
"#
    );
}

#[test]
fn what_had_nothing_to_judge_is_shown_as_what_it_counts_as() {
    let mut report = small();
    report.on_empty = OnEmpty::Fail;
    assert!(junit(&report).contains("failures=\"2\" errors=\"0\" skipped=\"1\""));
    // It passes, and is not among those that passed: nothing was proved.
    report.on_empty = OnEmpty::Pass;
    assert!(junit(&report).contains("failures=\"1\" errors=\"0\" skipped=\"2\""));
    assert!(text(&report, &TextStyle::default()).contains("\nvacuous  range(wind)"));
}

#[test]
fn the_verdict_is_said_in_a_sentence() {
    let said = |outcomes: Vec<Outcome>, on_empty| {
        let mut report = report(outcomes);
        report.on_empty = on_empty;
        report.verdict = Report::verdict_of(&report.outcomes, on_empty);
        let lines = text(&report, &TextStyle::default());
        let line = lines.lines().find(|line| line.contains("flights version 3 on")).unwrap();
        line.split("parquet: ").nth(1).unwrap().to_owned()
    };
    let passed = || rows("not_null(a)", &["a"], 0, "not null");
    let with = |status, severity| {
        let mut outcome = passed();
        (outcome.status, outcome.severity) = (status, severity);
        outcome
    };
    let warned = || with(Status::Failed, Severity::Warn);
    let empty = || with(Status::Vacuous, Severity::Error);
    assert_eq!(said(vec![passed()], OnEmpty::Warn), "The one check passed.");
    assert_eq!(said(vec![passed(), passed()], OnEmpty::Warn), "All 2 checks passed.");
    assert_eq!(
        said(vec![passed(), empty()], OnEmpty::Pass),
        "Nothing failed; 1 of 2 checks had nothing to judge."
    );
    assert_eq!(
        said(vec![warned(), warned(), empty()], OnEmpty::Warn),
        "The data may be used; 2 warnings to look at, 1 check with nothing to judge."
    );
    assert_eq!(
        said(vec![warned(), empty()], OnEmpty::Fail),
        "1 of 2 checks failed: the data is not fit to use."
    );
}

#[test]
fn the_page_is_well_formed_and_loads_nothing() {
    for report in [small(), realistic(), report(Vec::new())] {
        let page = html(&report);
        markup::is_a_page(&page).unwrap();
        assert!(page.contains("default-src 'none'"));
    }
    let page = html(&realistic());
    assert!(page.contains("&lt;script&gt;alert(document.cookie)&lt;/script&gt;"));
    assert!(page.contains("invoice<i>\\u{202e}</i>gpj.exe"));
    assert!(page.contains("336,776") && page.contains("3.2 MiB decided by statistics, not read"));
}

#[test]
fn a_share_is_never_rounded_to_nothing_or_to_all() {
    let shares = [(0, 7), (1, 1_000_000), (1, 3), (1, 2), (999_999, 1_000_000), (5, 5), (0, 0)];
    let shown = shares.map(|(part, whole)| words::share(part, whole));
    assert_eq!(shown, ["0 %", "< 0.01 %", "33.33 %", "50 %", "> 99.99 %", "100 %", "0 %"]);
}

#[test]
fn numbers_are_grouped_and_times_and_sizes_have_their_unit() {
    assert_eq!([0, 999, 1_000, 1_234_567].map(words::integer), ["0", "999", "1,000", "1,234,567"]);
    let floats = [0.0, -0.5, 1_234.5, -1_234_567.0, 1e300, 1e-9, f64::NAN, f64::NEG_INFINITY];
    let shown = floats.map(words::float);
    assert_eq!(shown, ["0", "-0.5", "1,234.5", "-1,234,567", "1e300", "1e-9", "NaN", "-inf"]);
    let values = [json!(-1_500), json!("NaN"), json!([1, null]), json!(u64::MAX)];
    let shown = values.each_ref().map(words::value);
    assert_eq!(shown, ["-1,500", "NaN", "[1,null]", "18,446,744,073,709,551,615"]);
    let times = [0, 999, 1_500, 412_345_678, 99_400_000_000, 7_500_000_000_000, u64::MAX];
    let shown = times.map(words::duration);
    assert_eq!(shown[..4], ["0 ns", "999 ns", "1.5 µs", "412 ms"]);
    assert_eq!(shown[4..], ["1 min 39 s", "2 h 05 min", "5,124,095 h 34 min"]);
    assert_eq!([17, 4_301, 1 << 30].map(words::bytes), ["17 B", "4.2 KiB", "1.0 GiB"]);
}

/// Text with what is dangerous somewhere, and any other.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("<script>alert(1)</script>".to_owned()),
        Just("]]>".to_owned()),
        Just("&#0;&lt;--><!--".to_owned()),
        Just("\" onload='x' href=\"http://example.com\"".to_owned()),
        Just("`|` \\| *_[a](javascript:x)_* @all #1".to_owned()),
        Just("\u{202e}\u{0}\u{1b}[2J\u{fffe}\u{ffff}\u{2028}\u{85}\r\n\t".to_owned()),
        any::<String>(),
        "[ -~]{0,40}",
    ];
    prop::collection::vec(pieces, 0..5).prop_map(|pieces| pieces.concat())
}

/// The realistic report with every text replaced.
fn hostile_report() -> impl Strategy<Value = Report> {
    prop::collection::vec(hostile(), 8).prop_map(|texts| {
        let mut report = realistic();
        let mut next = texts.iter().cycle().cloned();
        let mut next = || next.next().unwrap();
        report.data = Some(next());
        report.library = next();
        if let Ok(key) = mlops_core::Key::new(next()) {
            report.suite = key.clone();
            report.data_digest = Some(key);
        }
        report.metrics.insert(next(), 0.5);
        for outcome in &mut report.outcomes {
            outcome.check = next();
            outcome.rule = next();
            outcome.expected = next();
            outcome.detail = Some(next());
            outcome.description = Some(next());
            if outcome.observed.is_some() {
                outcome.observed = Some(json!(next()));
            }
            outcome.columns.iter_mut().for_each(|column| *column = next());
            let values = outcome.samples.iter_mut().flat_map(|sample| &mut sample.values);
            values.flatten().for_each(|value| *value = next());
        }
        report
    })
}

/// Whether a text has a character that nobody sees, or that turns the direction around.
fn unseen(text: &str) -> Option<char> {
    text.chars().find(|c| *c != '\n' && escape::unseen(*c).is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_breaks_the_xml(report in hostile_report()) {
        let xml = junit(&report);
        let cases = markup::elements(&xml).map_err(TestCaseError::fail)?;
        prop_assert_eq!(cases.iter().filter(|name| *name == "testcase").count(), 30);
        prop_assert_eq!(unseen(&xml), None);
    }

    #[test]
    fn no_text_breaks_the_page_or_loads_anything(report in hostile_report()) {
        let page = html(&report);
        markup::is_a_page(&page).map_err(TestCaseError::fail)?;
        prop_assert_eq!(unseen(&page), None);
    }

    #[test]
    fn no_text_breaks_the_comment_s_tables_or_adds_an_element(report in hostile_report()) {
        let shown = markdown(&report);
        markup::is_a_comment(&shown).map_err(TestCaseError::fail)?;
        prop_assert_eq!(unseen(&shown), None);
        prop_assert!(shown.len() <= 60_000);
    }

    #[test]
    fn no_text_moves_the_cursor(report in hostile_report()) {
        let shown = text(&report, &TextStyle::default());
        prop_assert_eq!(unseen(&shown), None);
        // 30 lines, two more for each of six that failed (one has no samples), and the verdict.
        prop_assert_eq!(shown.lines().count(), 30 + 6 + 5 + 3);
    }
}

#[test]
#[ignore = "writes pages to look at into the directory for temporary files"]
fn pages_to_look_at() {
    let report = realistic();
    let at = |name: &str| std::env::temp_dir().join(name);
    std::fs::write(at("report.html"), html(&report)).unwrap();
    std::fs::write(at("report.md"), markdown(&report)).unwrap();
    std::fs::write(at("report.xml"), junit(&report)).unwrap();
    std::fs::write(at("report.txt"), text(&report, &TextStyle::default().with_colour(true)))
        .unwrap();
}
