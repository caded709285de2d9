use proptest::prelude::*;

use super::*;

#[test]
fn d11_three_decimals_are_exact_and_a_fourth_is_refused() {
    for (number, thousandths) in [(30.0, 30_000), (0.1, 100), (1.001, 1001), (-5.0, -5000), (0.0, 0), (-0.0, 0)] {
        assert_eq!(Milli::try_from(number).map(Milli::thousandths), Ok(thousandths), "{number}");
    }
    let not_exact = Err(InvalidValue::NotExact { field: Field::Qty });
    for number in [0.0001, 1.0005, 1e12, -1e12, 1e300, f64::NAN, f64::INFINITY] {
        assert_eq!(Milli::try_from(number), not_exact, "{number}");
    }
    assert_eq!(Milli::try_from(999_999_999_999.999), Ok(Milli::MAX));
}

#[test]
fn d11_doubles_are_printed_with_a_fraction() {
    assert_eq!(text(whole(20_000).as_f64()), "20000.0");
    assert_eq!(text(Milli::of(-1).unwrap().as_f64()), "-0.001");
    assert_eq!(text(whole(30)), "30000", "on the disk it is an integer");
    assert_eq!(whole(30).to_string(), "30");
}

#[test]
fn d11_what_is_beyond_counting_is_nothing_and_never_wraps() {
    assert_eq!(Milli::MAX.plus(Milli::of(1).unwrap()), None);
    assert_eq!(Milli::MAX.negated().plus(Milli::of(-1).unwrap()), None);
    assert_eq!(whole(2).times(i64::MAX), None);
    assert_eq!(Milli::of(i64::MIN), None);
    assert_eq!(whole(30).times(2000), Some(whole(60_000)));
}

proptest! {
    #[test]
    fn d11_n12_what_clients_are_shown_is_what_is_stored(thousandths in -999_999_999_999_999_i64..=999_999_999_999_999) {
        let stored = Milli::of(thousandths).unwrap();
        prop_assert_eq!(Milli::try_from(stored.as_f64()), Ok(stored));
        let printed: f64 = text(stored.as_f64()).parse().unwrap();
        prop_assert_eq!(Milli::try_from(printed), Ok(stored));
    }
}

#[test]
fn a_request_names_what_is_wrong_with_it() {
    assert_eq!(required(Field::DestAddr, Some(" ")), Err(InvalidValue::Missing(Field::DestAddr)));
    assert_eq!(required(Field::DestAddr, Some("a")), Ok("a".to_owned()));
    let most = MAX_CHARACTERS;
    assert!(optional(Field::Reason, Some(&"이".repeat(most))).is_ok());
    assert_eq!(
        optional(Field::Reason, Some(&"이".repeat(most + 1))),
        Err(InvalidValue::NoText { field: Field::Reason, most })
    );
    assert_eq!(product_key(None), Err(InvalidValue::Missing(Field::ProductId)));
    assert!(product_key(Some("a\nb")).is_err());
    assert_eq!(quantity(Field::Qty, None), Err(InvalidValue::Missing(Field::Qty)));
    let wrong = quantity(Field::Amount, Some(0.0001)).unwrap_err();
    assert_eq!(told(&wrong), (RefusalClass::Invalid, "INVALID_VALUE", Some("amount")));
    assert_eq!(told(&InvalidValue::Missing(Field::Qty)), (RefusalClass::Invalid, "MISSING_VALUE", Some("qty")));
}

#[test]
fn n8_d10_code_and_name_are_told_without_the_blanks_of_a_secret_made_by_hand() {
    assert_eq!(StationSettings::default().label(), "SK Imme, ST0001");
    let settings =
        StationSettings { name: "SK Imme \r\n".to_owned(), code: " ST0002".to_owned(), ..Default::default() };
    assert_eq!(settings.label(), "SK Imme, ST0002");
    assert!(!format!("{settings:?}").contains("Imme"), "a secret is in no log");
    assert_eq!(StationSettings::ENVIRONMENT, [("station_cd", "code"), ("station_nm", "name")]);
}
