use super::*;

fn changed(product: ProductItem, resend: bool) -> ProductEvent {
    ProductEvent::ProductChanged { product, resend }
}

fn priced(price: i64) -> ProductItem {
    ProductItem { price, ..gas() }
}

#[test]
fn d1_a_seed_is_added_only_when_it_is_missing() {
    given::<Product>([])
        .when(SeedProduct { product: gas() })
        .then_events([changed(gas(), false)])
        .then_reply(())
        .when(SeedProduct { product: gas() })
        .then_nothing_written();
    given::<Product>([changed(priced(2100), false)]).when(SeedProduct { product: gas() }).then_nothing_written();
    assert_eq!((gas().product_id, gas().product_name, gas().price), ("CD1001".into(), "GAS".into(), 2000));
    let ProductItem { product_id, product_name, price } = ProductItem::diesel();
    assert_eq!((product_id.as_str(), product_name.as_str(), price), ("CD1004", "Diesel", 1500));
}

#[test]
fn f5_a_product_is_told_when_it_is_another() {
    given::<Product>([])
        .when(AddProduct { product: gas() })
        .then_events([changed(gas(), false)])
        .then_reply(gas())
        .when(AddProduct { product: gas() })
        .then_rejected(ProductRejection::AlreadyThere)
        .when(SetProduct { product: priced(2100) })
        .then_events([changed(priced(2100), false)])
        .then_reply(ProductSet { product: priced(2100), is_new: false })
        .when(SetProduct { product: priced(2100) })
        .then_nothing_written()
        .when(ChangeProduct { product_name: None, price: Some(2200) })
        .then_events([changed(priced(2200), false)])
        .when(ChangeProduct { product_name: Some("GAS".to_owned()), price: None })
        .then_nothing_written()
        .then_reply(priced(2200));
    let set = given::<Product>([]).when(SetProduct { product: gas() });
    set.then_reply(ProductSet { product: gas(), is_new: true });
    let change = ChangeProduct { product_name: None, price: None };
    given::<Product>([]).when(change).then_rejected(ProductRejection::Unknown);
}

#[test]
fn a_price_is_not_negative_and_not_beyond_counting() {
    let set = |price| given::<Product>([]).when(SetProduct { product: priced(price) });
    set(-1).then_rejected(InvalidValue::Negative(Field::Price).into());
    set(MAX_PRICE + 1).then_rejected(InvalidValue::TooLarge(Field::Price).into());
    set(MAX_PRICE).then_events([changed(priced(MAX_PRICE), false)]);
    set(0).then_events([changed(priced(0), false)]);
}

#[test]
fn d17_a_sync_is_one_change_if_it_is_one_and_one_telling() {
    let sync = |price| given::<Product>([changed(gas(), false)]).when(SyncProduct { price });
    sync(Some(2100)).then_events([changed(priced(2100), false), changed(priced(2100), true)]).then_reply(());
    sync(Some(2000)).then_events([changed(gas(), true)]);
    sync(None).then_events([changed(gas(), true)]);
    given::<Product>([]).when(SyncProduct { price: None }).then_rejected(ProductRejection::Unknown);
    assert_eq!(told(&ProductRejection::Unknown), (RefusalClass::Gone, "UNKNOWN_PRODUCT", None));
}

#[test]
fn f5_d17_the_station_tells_on_what_is_another_or_told_again() {
    let adopt = |product: ProductItem, resend| AdoptProduct { product, resend };
    let master = |product: ProductItem| ProductMasterEvent::MasterChanged(product);
    given::<ProductMaster>([])
        .when(adopt(gas(), false))
        .then_events([master(gas())])
        .when(adopt(gas(), false))
        .then_nothing_written()
        .when(adopt(gas(), true))
        .then_events([master(gas())])
        .when(adopt(priced(2100), false))
        .then_events([master(priced(2100))]);
    given::<ProductMenu>([])
        .when(AdoptMaster { product: gas() })
        .then_events([ProductMenuEvent::MenuChanged(gas())])
        .when(AdoptMaster { product: gas() })
        .then_nothing_written();
    reacts(&UpdateMasters, &recorded(gas().key(), 0, 1, changed(gas(), true)))
        .then_sends(&gas().key(), adopt(gas(), true))
        .then_nothing();
    reacts(&UpdateMenus, &recorded(gas().key(), 0, 1, master(gas())))
        .then_sends(&gas().key(), AdoptMaster { product: gas() })
        .then_nothing();
}

#[test]
fn the_bus_sees_products_as_the_topic_has_them() {
    assert_eq!(
        text(changed(gas(), true).on_bus(Number::NONE)),
        r#"{"productId":"CD1001","productName":"GAS","price":2000,"resend":true}"#
    );
    assert_eq!(
        text(ProductMasterEvent::MasterChanged(gas()).on_bus(Number::NONE)),
        r#"{"productId":"CD1001","productName":"GAS","price":2000}"#
    );
    assert!(!ProductMenuEvent::MenuChanged(gas()).is_public());
}

#[test]
fn products_and_their_replicas_keep_the_laws() {
    laws::<Product>([vec![changed(gas(), false), changed(priced(1), true)]]);
    laws::<ProductMaster>([vec![ProductMasterEvent::MasterChanged(gas())]]);
    laws::<ProductMenu>([vec![ProductMenuEvent::MenuChanged(gas())]]);
}
