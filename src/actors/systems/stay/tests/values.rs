use super::*;

#[test]
fn stay_d1_a_date_of_use_is_eight_digits_of_a_real_day() {
    for real in ["20201010", "20200229", "20001231", "00010101", "99991231", "20210228"] {
        assert_eq!(UseDate::parse(real).map(String::from), Ok(real.to_owned()));
    }
    for none in [
        "2020-10-10",
        "20201340",
        "20210229",
        "21000229",
        "20200431",
        "20201000",
        "00001010",
        "2020101",
        "202010100",
        "",
        " 0201010",
        "+0201010",
        "２０２０１０１０",
        "abcdefgh",
    ] {
        assert_eq!(UseDate::parse(none), Err(InvalidValue::NoDate(none.to_owned())), "{none}");
    }
    assert_eq!(told(&InvalidValue::NoDate("x".into())), (RefusalClass::Invalid, "INVALID_VALUE", Some("usedate")));
}

#[test]
fn stay_d1_a_text_has_its_limit_and_an_empty_one_is_none() {
    let named = |name: &str| StayWish { name: text(name), ..wish() }.checked();
    assert_eq!(
        named(&"가".repeat(MAX_CHARACTERS)).map(|details| details.name.map(|name| name.chars().count())),
        Ok(Some(255))
    );
    let too_long = InvalidValue::TooLong { field: Field::Name, most: MAX_CHARACTERS };
    assert_eq!(named(&"가".repeat(MAX_CHARACTERS + 1)), Err(too_long.clone()));
    assert_eq!(told(&too_long), (RefusalClass::Invalid, "INVALID_VALUE", Some("name")));
    assert_eq!(named("").map(|details| details.name), Ok(None));
}

#[test]
fn a_patch_keeps_clears_or_sets() {
    assert_eq!(Patch::Keep.over(Some(1)), Some(1));
    assert_eq!(Patch::Clear.over(Some(1)), None);
    assert_eq!(Patch::Set(2).over(Some(1)), Some(2));
    assert_eq!((Patch::of(Some(2)), Patch::<u8>::of(None)), (Patch::Set(2), Patch::Clear));
}

#[test]
fn an_id_that_nothing_has_is_zero() {
    assert_eq!([named(Some(7)), named(Some(0)), named(Some(-7)), named(None)], [7, 0, 0, 0]);
}
