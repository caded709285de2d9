//! Open architecture: the example's subscriber, added to a station that knows nothing of it.

#[path = "../../../examples/commission/settlement.rs"]
mod settlement;
#[path = "../../../examples/commission/story.rs"]
mod story;

use settlement::Settlement;
use steadfast::{
    Key, NumberedId,
    station::{Milli, Sale, SaleEvent, Ticket},
    testkit::{history, recorded},
};
use story::Station;

/// All days together: the test may run over midnight.
async fn settled(station: &Station) -> Settlement {
    let days = station.settlements().await.unwrap();
    days.into_values().fold(Settlement::default(), |sum, day| Settlement {
        sales: sum.sales + day.sales,
        cancellations: sum.cancellations + day.cancellations,
        amount: sum.amount + day.amount,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn station_n11_a_subscriber_is_added_later_settles_all_of_history_and_can_be_taken_away() {
    let directory = tempfile::tempdir().unwrap();
    let station = Station::start(directory.path(), false).await.unwrap();
    station.fill(1000).await.unwrap();
    for till in 1..=3 {
        station.sell(till, 10 * till).await.unwrap();
    }
    station.cancel(3).await.unwrap();
    assert_eq!(station.stock().await.unwrap().to_string(), "970");
    assert!(station.settlements().await.unwrap().is_empty());
    station.stop().await;

    let station = Station::start(directory.path(), true).await.unwrap();
    let history = Settlement { sales: 3, cancellations: 1, amount: 60_000_000 };
    assert_eq!(settled(&station).await, history, "what was sold before it was there");
    assert_eq!(history.fee(), 1_800_000);
    station.sell(4, 5).await.unwrap();
    let more = Settlement { sales: 4, amount: 70_000_000, ..history };
    assert_eq!(settled(&station).await, more, "and since");
    station.stop().await;

    let station = Station::start(directory.path(), false).await.unwrap();
    assert_eq!(station.stock().await.unwrap().to_string(), "965", "the station is as it was");
    station.sell(5, 5).await.unwrap();
    station.stop().await;

    let station = Station::start(directory.path(), true).await.unwrap();
    let missed = Settlement { sales: 5, amount: 80_000_000, ..more };
    assert_eq!(settled(&station).await, missed, "nothing was missed while it was away");
    station.stop().await;
}

#[test]
fn station_n11_it_does_not_matter_in_which_order_sales_are_heard_of() {
    let ticket = |qty: i64| {
        let qty = Milli::of(qty * 1000).unwrap();
        let (product_id, product_name) = ("CD1001".to_owned(), "GAS".to_owned());
        Ticket { product_id, product_name, price: 2000, qty, amount: qty.times(2000).unwrap() }
    };
    let sale = |number: u64, events: Vec<SaleEvent>| {
        let id = NumberedId::Key(Key::new(format!("s{number}")).unwrap());
        (1..).zip(events).map(|(nth, event)| recorded::<Sale>(id.clone(), number, nth, event)).collect::<Vec<_>>()
    };
    let given_up = SaleEvent::SaleGivenUp { reason: "x".to_owned() };
    let rows = history::<Settlement>()
        .entity(sale(1, vec![SaleEvent::Sold(ticket(10)), SaleEvent::CanceledSold(ticket(10))]))
        .entity(sale(2, vec![given_up, SaleEvent::Sold(ticket(20))]))
        .then_order_does_not_matter();
    let day = rows.get(&"2020-09-13".to_owned()).unwrap();
    assert_eq!((day.sales, day.cancellations, day.amount), (2, 1, 40_000_000));
}
