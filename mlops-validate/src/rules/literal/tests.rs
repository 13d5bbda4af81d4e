use super::*;

fn whole(text: &str, scale: i8) -> Option<(i128, bool)> {
    parse_decimal(text, scale).map(|s| (s.whole.to_i128().unwrap(), s.exact))
}

#[test]
fn a_decimal_keeps_its_digits() {
    assert_eq!(whole("12.50", 2), Some((1250, true)));
    assert_eq!(whole("-12.345", 2), Some((-1235, false)));
    assert_eq!(whole("12.345", 2), Some((1234, false)));
    assert_eq!(whole("1e3", 0), Some((1000, true)));
    assert_eq!(whole("1.5e-3", 2), Some((0, false)));
    assert_eq!(whole("1200", -2), Some((12, true)));
    assert_eq!(whole("1201", -2), Some((12, false)));
    assert_eq!(whole(".5", 0), Some((0, false)));
    for bad in ["", ".", "-", "1.2.3", "0x1", "1e", "١", "1e99999"] {
        assert_eq!(whole(bad, 2), None, "{bad:?}");
    }
}

#[test]
fn a_bound_between_two_values_is_the_next_one_inside() {
    let half = parse_decimal("0.5", 0).unwrap();
    assert_eq!(half.bound(Side::Min { excluded: false }), i256::ONE);
    assert_eq!(half.bound(Side::Max { excluded: true }), i256::ZERO);
    let five = parse_decimal("5", 0).unwrap();
    assert_eq!(five.bound(Side::Min { excluded: true }), i256::from_i128(6));
    assert_eq!(five.bound(Side::Max { excluded: true }), i256::from_i128(4));
    assert_eq!(five.bound(Side::Max { excluded: false }), i256::from_i128(5));
}

#[test]
fn an_integer_that_no_float_equals_bounds_exactly() {
    let odd = Literal::Int((1 << 53) + 1);
    let even = (1_i64 << 53) as f64;
    let bound = |side| float(&odd, side, &DataType::Float64).unwrap();
    assert_eq!(bound(Side::Max { excluded: false }), even);
    assert_eq!(bound(Side::Min { excluded: false }), even + 2.0);
    let five = Literal::Int(5);
    assert!(float(&five, Side::Min { excluded: true }, &DataType::Float64).unwrap() > 5.0);
}

#[test]
fn instants_and_readings_of_a_clock_are_not_mixed() {
    let micros =
        |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    let read = |text: &str, zone| {
        scaled(&Literal::Text(text.into()), &micros(zone)).map(|s| s.whole.to_i128().unwrap())
    };
    assert_eq!(read("1970-01-01T01:00:00+01:00", Some("UTC")).unwrap(), 0);
    assert_eq!(read("1970-01-02", None).unwrap(), 86_400_000_000);
    assert!(read("1970-01-02", Some("UTC")).is_err());
    assert_eq!(
        read("1970-01-01T00:00:00Z", None).unwrap_err().to_string(),
        "suite: invalid: a value does not fit the column's type (value: \"1970-01-01T00:00:00Z\", \
         type: Timestamp(µs)); hint: a date or a time without a zone in quotes, \
         as \"2013-01-31\" or \"2013-01-31T12:00:00\"",
    );
}

#[test]
fn durations_and_times_are_counted_in_the_columns_unit() {
    let seconds = DataType::Duration(TimeUnit::Second);
    let read = |text: &str| scaled(&Literal::Text(text.into()), &seconds).unwrap();
    assert_eq!(read("1.5h").whole, i256::from_i128(5400));
    assert_eq!(read("1500ms"), Scaled { whole: i256::ONE, exact: false });
    assert!(scaled(&Literal::Int(5), &seconds).is_err());
    let millis = DataType::Time32(TimeUnit::Millisecond);
    let noon = scaled(&Literal::Text("12:00".into()), &millis).unwrap();
    assert_eq!(noon.whole, i256::from_i128(43_200_000));
}
