use super::*;

fn place(quantity: i32) -> PlaceOrder {
    PlaceOrder { product_id: 1, quantity, status: Some("order".to_owned()), within: LINK }
}

fn placing(round: u32) -> OrderEvent {
    OrderEvent::PlacingStarted { number: Number::new(1), product_id: 1, quantity: 3, round, within: LINK }
}

fn ordered(delivery: u64) -> OrderEvent {
    OrderEvent::Ordered { product_id: 1, quantity: 3, delivery }
}

fn placed() -> Vec<OrderEvent> {
    vec![placing(1), ordered(7)]
}

fn canceling(delivery: u64, round: u32) -> OrderEvent {
    OrderEvent::CancellationStarted { delivery, round, within: LINK }
}

fn continued(delivery: u64, round: u32) -> OrderEvent {
    OrderEvent::CancellationContinued { delivery, round }
}

fn marked(delivery: u64, status: DeliveryStatus) -> OrderEvent {
    OrderEvent::DeliveryMarked { delivery, status }
}

fn order_canceled() -> OrderEvent {
    OrderEvent::OrderCanceled { product_id: 1, quantity: 3 }
}

fn given_up(reason: &str) -> OrderEvent {
    OrderEvent::PlacingGivenUp { reason: reason.to_owned() }
}

fn item(status: OrderProgress) -> OrderItem {
    OrderItem { id: 1, product_id: 1, quantity: 3, status }
}

fn delivery(id: u64) -> DeliveryItem {
    DeliveryItem { id, order_id: 1, product_id: 1, quantity: 3, status: DeliveryStatus::Started }
}

fn create() -> CreateDelivery {
    CreateDelivery { order_id: 1, product_id: 1, quantity: 3, status: Some("delivery".to_owned()) }
}

fn stopped<R>() -> AskError<R> {
    AskError::Unavailable(Unavailable::ServiceStopped { service: "store/delivery".to_owned() })
}

const NOT_AVAILABLE: &str = "the service store/delivery is stopped";

#[test]
fn f1_f2_d15_an_order_is_placed_once_its_delivery_exists() {
    given::<Order>([])
        .when(place(3))
        .then_events([placing(1)])
        .then_creates::<Delivery, _>(create())
        .then_step(Step(CREATE_DELIVERY, 1))
        .answered::<Delivery, CreateDelivery>(Ok(delivery(7)))
        .then_events([ordered(7)])
        .then_reply(item(OrderProgress::Ordered))
        .then_resumes_nothing();
}

#[test]
fn d13_the_delivery_has_the_time_that_the_link_allows() {
    let within = Duration::from_millis(700);
    given::<Order>([]).when(PlaceOrder { within, ..place(3) }).then_creates::<Delivery, _>(create()).then_waits(within);
    given::<Order>(placed())
        .when(CancelOrder { within })
        .then_asks::<Delivery, _>(&NumberedId::number(7), CancelDelivery)
        .then_waits(within);
}

#[test]
fn n1_d13_placing_without_the_delivery_service_leaves_nothing() {
    for error in [
        stopped(),
        AskError::Overloaded { retry_after: LINK },
        AskError::Expired(LINK),
        AskError::Rejected(DeliveryRejection::Voided),
    ] {
        let retry_after = if let AskError::Overloaded { retry_after } = error { retry_after } else { RETRY_AFTER };
        let reason = error.to_string();
        given::<Order>([])
            .when(place(3))
            .answered::<Delivery, CreateDelivery>(Err(error))
            .then_events([given_up(&reason)])
            .then_not_done(retry_after)
            .then_resumes_nothing();
    }
}

#[test]
fn d15_a_delivery_of_unknown_outcome_is_called_off_with_the_order() {
    for error in [
        AskError::TimedOut(LINK),
        AskError::Unsettled { reason: "storage".to_owned() },
        AskError::Rejected(DeliveryRejection::AlreadyCreated),
    ] {
        let reason = error.to_string();
        given::<Order>([])
            .when(place(3))
            .answered::<Delivery, CreateDelivery>(Err(error))
            .then_events([given_up(&reason), OrderEvent::DeliveryVoidRequested { round: 1 }])
            .then_not_done(RETRY_AFTER)
            .then_resumes_nothing();
    }
}

#[test]
fn d13_a_placing_that_was_given_up_may_be_tried_again_in_a_new_round() {
    let past = [placing(1), given_up("stopped")];
    given::<Order>(past.clone()).when(CancelOrder { within: LINK }).then_rejected(OrderRejection::Gone);
    given::<Order>(past)
        .when(place(3))
        .then_events([placing(2)])
        .then_creates::<Delivery, _>(create())
        .then_step(Step(CREATE_DELIVERY, 2))
        .answered::<Delivery, CreateDelivery>(Ok(delivery(8)))
        .then_reply(item(OrderProgress::Ordered));
}

#[test]
fn d11_a_late_second_answer_changes_nothing() {
    let ok = || FinishPlacing { outcome: Ok(delivery(9)) };
    given::<Order>(placed()).when(ok()).then_nothing_written().then_reply(item(OrderProgress::Ordered));
    given::<Order>([placing(1), given_up("")]).when(ok()).then_nothing_written().then_not_done(RETRY_AFTER);
    let second_round = || given::<Order>([placing(1), given_up(""), placing(2)]);
    second_round().answering(Step(CREATE_DELIVERY, 1)).when(ok()).then_nothing_written().then_not_done(RETRY_AFTER);
    second_round().answering(Step(CREATE_DELIVERY, 2)).when(ok()).then_events([ordered(9)]);

    let gone = || FinishCancellation { outcome: Ok(()) };
    let past = |more: &[OrderEvent]| given::<Order>([placed(), more.to_vec()].concat());
    past(&[canceling(7, 1), order_canceled()]).when(gone()).then_nothing_written().then_reply(());
    past(&[]).when(gone()).then_nothing_written().then_not_done(RETRY_AFTER);
    past(&[canceling(7, 1), continued(7, 2)])
        .answering(Step("cancel-delivery", 1))
        .when(gone())
        .then_nothing_written()
        .then_not_done(RETRY_AFTER);
}

#[test]
fn d11_recovery_asks_what_the_journal_shows_begun() {
    let asks = |events: Vec<OrderEvent>| {
        let resumed = given::<Order>(events).state().resume();
        resumed.iter().map(|asked| (asked.step(), asked.address().cloned())).collect::<Vec<_>>()
    };
    assert_eq!(asks(vec![placing(1)]), [(Step(CREATE_DELIVERY, 1), None)]);
    assert_eq!(asks(placed()), []);
    let seventh = Some(Address::Number(Number::new(7)));
    assert_eq!(asks([placed(), vec![canceling(7, 1)]].concat()), [(Step("cancel-delivery", 1), seventh)]);
    assert_eq!(asks([placed(), vec![canceling(7, 1), order_canceled()]].concat()), []);
}

#[test]
fn an_order_in_placing_is_nobody_elses() {
    let hidden = given::<Order>([placing(1)]);
    assert_eq!((hidden.state().item(), hidden.state().presence()), (None, Presence::Hidden));
    hidden.when(place(3)).then_rejected(OrderRejection::Placing);
    given::<Order>([placing(1)]).when(CancelOrder { within: LINK }).then_rejected(OrderRejection::Gone);
    given::<Order>(placed()).when(place(3)).then_rejected(OrderRejection::AlreadyPlaced);
}

#[test]
fn d1_a_missing_status_means_order_and_any_other_is_invalid() {
    for status in [None, Some(String::new()), Some("order".to_owned())] {
        given::<Order>([]).when(PlaceOrder { status, ..place(3) }).then_events([placing(1)]);
    }
    let wrong = InvalidValue::WrongStatus { expected: "order".to_owned(), given: "delivery".to_owned() };
    assert_eq!(told(&wrong), (RefusalClass::Invalid, "INVALID_STATUS", Some("status")));
    given::<Order>([])
        .when(PlaceOrder { status: Some("delivery".to_owned()), ..place(3) })
        .then_rejected(OrderRejection::Invalid(wrong));
}

#[test]
fn d5_an_order_names_a_product_and_at_least_one_of_it() {
    for quantity in [0, -3, i32::MIN] {
        let few = OrderRejection::Invalid(InvalidValue::TooSmall { field: Field::Quantity, least: 1 });
        assert_eq!(told(&few), (RefusalClass::Invalid, "INVALID_VALUE", Some("quantity")));
        given::<Order>([]).when(place(quantity)).then_rejected(few);
    }
    let none = OrderRejection::Invalid(InvalidValue::NoId(Field::ProductId));
    assert_eq!(told(&none), (RefusalClass::Invalid, "MISSING_VALUE", Some("productId")));
    for id in [None, Some(0), Some(-1)] {
        given::<Order>([]).when(PlaceOrder { product_id: named(id), ..place(3) }).then_rejected(none.clone());
    }
    given::<Order>([]).when(place(1)).then_creates::<Delivery, _>(CreateDelivery { quantity: 1, ..create() });
}

#[test]
fn f6_d15_an_order_is_canceled_once_its_delivery_is() {
    given::<Order>(placed())
        .when(CancelOrder { within: LINK })
        .then_events([canceling(7, 1)])
        .then_asks::<Delivery, _>(&NumberedId::number(7), CancelDelivery)
        .then_step(Step("cancel-delivery", 1))
        .answered::<Delivery, CancelDelivery>(Ok(()))
        .then_events([order_canceled()])
        .then_reply(())
        .then_resumes_nothing()
        .when(CancelOrder { within: LINK })
        .then_rejected(OrderRejection::Gone);
    given::<Order>([]).when(CancelOrder { within: LINK }).then_rejected(OrderRejection::Gone);
    assert_eq!(told(&OrderRejection::Gone), (RefusalClass::Gone, "NO_SUCH_ORDER", None));
}

#[test]
fn n1_d13_canceling_without_the_delivery_service_changes_nothing_and_may_be_repeated() {
    let refused = given::<Order>(placed())
        .when(CancelOrder { within: LINK })
        .answered::<Delivery, CancelDelivery>(Err(stopped()))
        .then_events([OrderEvent::CancellationGivenUp { reason: NOT_AVAILABLE.to_owned() }])
        .then_not_done(RETRY_AFTER)
        .then_resumes_nothing();
    assert_eq!(refused.state().item(), Some(item(OrderProgress::Ordered)));
    refused
        .when(CancelOrder { within: LINK })
        .then_events([canceling(7, 2)])
        .then_step(Step("cancel-delivery", 2))
        .answered::<Delivery, CancelDelivery>(Ok(()))
        .then_events([order_canceled()]);
}

#[test]
fn a_cancellation_of_unknown_outcome_goes_forward_in_a_new_round() {
    given::<Order>(placed())
        .when(CancelOrder { within: LINK })
        .answered::<Delivery, CancelDelivery>(Err(AskError::TimedOut(LINK)))
        .then_events([continued(7, 2)])
        .then_asks::<Delivery, _>(&NumberedId::number(7), CancelDelivery)
        .then_step(Step("cancel-delivery", 2))
        .answered::<Delivery, CancelDelivery>(Err(AskError::Rejected(DeliveryRejection::Gone)))
        .then_events([order_canceled()])
        .then_reply(());
}

#[test]
fn while_an_order_is_canceled_another_cancellation_has_to_wait() {
    let past = [placed(), vec![canceling(7, 1)]].concat();
    given::<Order>(past.clone()).when(CancelOrder { within: LINK }).then_rejected(OrderRejection::Canceling);
    assert_eq!(told(&OrderRejection::Canceling).0, RefusalClass::Conflict);
    assert_eq!(given::<Order>(past).state().item(), Some(item(OrderProgress::Ordered)), "it is still there");
}

#[test]
fn d12_an_order_whose_delivery_is_gone_can_be_canceled() {
    for gone in [
        AskError::Rejected(DeliveryRejection::Gone),
        AskError::NotFound { kind: "store.delivery".to_owned(), address: "7".to_owned() },
    ] {
        given::<Order>(placed())
            .when(CancelOrder { within: LINK })
            .answered::<Delivery, CancelDelivery>(Err(gone))
            .then_events([order_canceled()])
            .then_reply(());
    }
    given::<Order>([placed(), vec![marked(7, DeliveryStatus::Canceled)]].concat())
        .when(CancelOrder { within: LINK })
        .then_events([order_canceled()])
        .then_reply(());
}

#[test]
fn d12_d16_without_its_own_delivery_the_earliest_other_is_canceled() {
    use DeliveryStatus::Started;
    let past = [placed(), vec![marked(7, Started), marked(12, Started), marked(9, Started)]].concat();
    given::<Order>(past)
        .when(CancelOrder { within: LINK })
        .then_asks::<Delivery, _>(&NumberedId::number(7), CancelDelivery)
        .answered::<Delivery, CancelDelivery>(Err(AskError::Rejected(DeliveryRejection::Gone)))
        .then_events([OrderEvent::DeliveryFoundGone { delivery: 7 }, continued(9, 2)])
        .then_asks::<Delivery, _>(&NumberedId::number(9), CancelDelivery)
        .then_step(Step("cancel-delivery", 2))
        .answered::<Delivery, CancelDelivery>(Ok(()))
        .then_events([order_canceled()])
        .then_reply(());
}

#[test]
fn d16_an_order_remembers_a_limited_number_of_other_deliveries() {
    let most = u64::try_from(Order::MAX_OTHERS).unwrap();
    let full = (0..most).map(|n| marked(100 + n, DeliveryStatus::Started));
    let full: Vec<_> = placed().into_iter().chain(full).collect();
    let others = |events: &[OrderEvent]| json(given::<Order>(events.to_vec()).state())["others"].clone();
    assert_eq!(others(&full).as_array().map(Vec::len), Some(Order::MAX_OTHERS));

    let more = [full.clone(), vec![marked(500, DeliveryStatus::Started)]].concat();
    assert_eq!(others(&more), others(&full), "the smallest numbers are kept");
    let earlier = others(&[full, vec![marked(50, DeliveryStatus::Started)]].concat());
    assert_eq!((&earlier[0], earlier.as_array().map(Vec::len)), (&json(50), Some(Order::MAX_OTHERS)));
}

#[test]
fn f2_an_order_shows_what_its_delivery_does() {
    let mark = |status| MarkDelivery { delivery: 7, status };
    let status = |order: &Order| json(order.item())["status"].clone();
    let delivering = given::<Order>(placed())
        .when(mark(DeliveryStatus::Started))
        .then_events([marked(7, DeliveryStatus::Started)])
        .then_reply(());
    assert_eq!(status(delivering.state()), "delivery");
    let open = delivering
        .when(mark(DeliveryStatus::Started))
        .then_nothing_written()
        .when(mark(DeliveryStatus::Canceled))
        .then_events([marked(7, DeliveryStatus::Canceled)]);
    assert_eq!(status(open.state()), "cancel delivery");
}

#[test]
fn d17_an_order_may_hear_of_its_delivery_before_it_is_placed() {
    use DeliveryStatus::{Canceled, Started};
    let early = given::<Order>([placing(1)])
        .when(MarkDelivery { delivery: 7, status: Started })
        .then_events([marked(7, Started)])
        .then_reply(());
    assert_eq!(early.state().item(), None);
    early.then_events([marked(7, Started)]);

    given::<Order>([placing(1), marked(7, Started)])
        .when(FinishPlacing { outcome: Ok(delivery(7)) })
        .then_reply(item(OrderProgress::Ordered));
    let placed = given::<Order>([placing(1), marked(7, Started), ordered(7)]);
    assert_eq!(placed.state().item(), Some(item(OrderProgress::Delivering)));

    let canceled = [placing(1), marked(7, Started), marked(7, Canceled), ordered(7)];
    given::<Order>(canceled).when(CancelOrder { within: LINK }).then_events([order_canceled()]);
}

#[test]
fn d17_the_newest_delivery_counts_in_whatever_order_they_are_heard_of() {
    use DeliveryStatus::{Canceled, Started};
    let seventh = [marked(7, Started), marked(7, Canceled)];
    let ninth = [marked(9, Started)];
    for marks in [[seventh.to_vec(), ninth.to_vec()].concat(), [ninth.to_vec(), seventh.to_vec()].concat()] {
        let order = given::<Order>([placed(), marks].concat());
        assert_eq!(order.state().item(), Some(item(OrderProgress::Delivering)));
    }
}

#[test]
fn f6_a_canceled_order_ignores_its_delivery() {
    let gone = || given::<Order>([placed(), vec![canceling(7, 1), order_canceled()]].concat());
    let mark = MarkDelivery { delivery: 7, status: DeliveryStatus::Canceled };
    gone().when(mark.clone()).then_nothing_written().then_reply(());
    given::<Order>([placing(1), given_up("")]).when(mark).then_nothing_written().then_reply(());
    assert_eq!((gone().state().item(), gone().state().presence()), (None, Presence::Removed));
}

#[test]
fn d4_an_order_is_fixed_but_may_be_sent_back_as_it_is() {
    let same = || ChangeOrder { product_id: Some(1), quantity: Some(3), status: Some("order".to_owned()) };
    let nothing = ChangeOrder { product_id: None, quantity: None, status: None };
    for change in [same(), nothing] {
        given::<Order>(placed()).when(change).then_nothing_written().then_reply(item(OrderProgress::Ordered));
    }
    for change in [
        ChangeOrder { product_id: Some(2), ..same() },
        ChangeOrder { quantity: Some(0), ..same() },
        ChangeOrder { status: Some("delivery".to_owned()), ..same() },
    ] {
        given::<Order>(placed()).when(change).then_rejected(OrderRejection::Immutable);
    }
    assert_eq!(told(&OrderRejection::Immutable), (RefusalClass::Conflict, "IMMUTABLE", None));
    given::<Order>([]).when(same()).then_rejected(OrderRejection::Gone);
}

#[test]
fn the_bus_sees_orders_and_cancellations_only() {
    let number = Number::new(1);
    assert_eq!(
        json(ordered(7).on_bus(number)),
        serde_json::json!({"id": 1, "productId": 1, "quantity": 3, "status": "order"})
    );
    assert_eq!(json(order_canceled().on_bus(number))["status"], "cancel");
    let public: Vec<_> = samples().into_iter().flatten().filter(DomainEvent::is_public).map(|e| e.name()).collect();
    assert_eq!(public, ["Ordered", "OrderCanceled"]);
    assert_eq!(
        serde_json::to_string(&item(OrderProgress::Ordered)).unwrap(),
        r#"{"id":1,"productId":1,"quantity":3,"status":"order"}"#
    );
}

fn samples() -> Vec<Vec<OrderEvent>> {
    vec![
        vec![placing(1), given_up("timed out"), OrderEvent::DeliveryVoidRequested { round: 1 }],
        vec![
            placing(1),
            ordered(7),
            marked(7, DeliveryStatus::Started),
            marked(9, DeliveryStatus::Started),
            canceling(7, 1),
            OrderEvent::CancellationGivenUp { reason: "stopped".to_owned() },
            canceling(7, 2),
            continued(7, 3),
            OrderEvent::DeliveryFoundGone { delivery: 7 },
            continued(9, 4),
            order_canceled(),
        ],
    ]
}

#[test]
fn orders_keep_the_laws() {
    laws::<Order>(samples());
}
