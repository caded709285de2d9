//! Nothing is lost and nothing appears, in whatever order policies run, whatever happens on the links, and whenever
//! the process ends.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};

use super::{
    story::{cancel_sale, confirm, place, sell, stage},
    *,
};

#[derive(Clone, Debug)]
enum Act {
    Place { qty: i64 },
    CancelOrder { order: u64, faults: Vec<Fault> },
    Confirm { order: u64 },
    Sell { thousandths: i64, faults: Vec<Fault> },
    CancelSale { sale: u64 },
    Correct { thousandths: i64 },
    Reprice { price: i64 },
    ArriveLate,
    Crash,
    React { pick: usize },
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    vec(prop::sample::select(Fault::ALL.to_vec()), 0..2)
}

fn act() -> impl Strategy<Value = Act> {
    let number = 1..=6_u64;
    prop_oneof![
        3 => (1..50_i64).prop_map(|qty| Act::Place { qty }),
        1 => (number.clone(), faults()).prop_map(|(order, faults)| Act::CancelOrder { order, faults }),
        3 => number.clone().prop_map(|order| Act::Confirm { order }),
        5 => (1..30_000_i64, faults()).prop_map(|(thousandths, faults)| Act::Sell { thousandths, faults }),
        3 => number.prop_map(|sale| Act::CancelSale { sale }),
        1 => (-9_999..9_999_i64).prop_map(|thousandths| Act::Correct { thousandths }),
        1 => (0..5000_i64).prop_map(|price| Act::Reprice { price }),
        1 => Just(Act::ArriveLate),
        1 => Just(Act::Crash),
        16 => any::<usize>().prop_map(|pick| Act::React { pick }),
    ]
}

/// Most of what is tried is refused; what was done shows in the books.
fn perform(world: &mut World, act: &Act) {
    match act {
        Act::Place { qty } => drop(place(world, *qty)),
        Act::CancelOrder { order, faults } => {
            let order = NumberedId::number(*order);
            drop(world.ask::<Order, _>(&order, CancelOrder { within: LINK }, faults));
        }
        Act::Confirm { order } => drop(confirm(world, *order)),
        Act::Sell { thousandths, faults } => drop(sell(world, Milli::of(*thousandths).unwrap(), faults)),
        Act::CancelSale { sale } => drop(cancel_sale(world, *sale)),
        Act::Correct { thousandths } => {
            let by = Milli::of(*thousandths).unwrap();
            let entry = FlowEntry::correction(gas().product_id, None, by, Some("count".to_owned()));
            drop(world.create::<StockFlow, _>(RecordFlow { entry }, &[]));
        }
        Act::Reprice { price } => drop(world.ask::<Product, _>(&gas().key(), SyncProduct { price: Some(*price) }, &[])),
        Act::ArriveLate => drop(world.arrive_late()),
        Act::Crash => world.crash(),
        Act::React { pick } => drop(world.react(*pick)),
    }
}

/// The rows that stand.
fn rows(world: &World) -> Vec<FlowEntry> {
    let streams = world.kind::<StockFlow>().streams().iter();
    let standing = streams.filter(|stream| stream.state.presence() == Presence::Listed);
    standing
        .map(|stream| {
            let last = stream.events.iter().rev().find_map(|recorded| match &recorded.event {
                StockFlowEvent::Received(entry) => Some(entry.clone()),
                StockFlowEvent::MovementBegun { .. }
                | StockFlowEvent::MovementGivenUp { .. }
                | StockFlowEvent::ReceiptCalledOff
                | StockFlowEvent::SaleVoided
                | StockFlowEvent::ReversalBegun { .. }
                | StockFlowEvent::ReversalGivenUp { .. }
                | StockFlowEvent::SaleReversed(_) => None,
            });
            last.expect("a row that is listed was received")
        })
        .collect()
}

fn sum(of: impl Iterator<Item = Milli>) -> i64 {
    of.map(Milli::thousandths).sum()
}

/// What was sold, and what was taken back, by the number of the sale.
fn sold(world: &World) -> (BTreeMap<u64, Ticket>, BTreeSet<u64>) {
    let (mut sold, mut canceled) = (BTreeMap::new(), BTreeSet::new());
    for recorded in world.kind::<Sale>().streams().iter().flat_map(|stream| &stream.events) {
        match &recorded.event {
            SaleEvent::Sold(ticket) => drop(sold.insert(recorded.number.get(), ticket.clone())),
            SaleEvent::CanceledSold(_) => drop(canceled.insert(recorded.number.get())),
            SaleEvent::SaleBegun { .. } | SaleEvent::SaleGivenUp { .. } | SaleEvent::SaleVoidRequested { .. } => {}
        }
    }
    (sold, canceled)
}

/// Stock = receipts - sales + cancellations + corrections = the sum of the rows; each sale has its row and each row of
/// a sale has its sale.
fn check_stock(world: &World) {
    let rows = rows(world);
    let stock = world.kind::<Stock>().keyed(&gas().key()).map_or(0, |stream| stream.state.total().thousandths());
    assert_eq!(stock, sum(rows.iter().map(|row| row.qty)), "the sum of the rows");
    let (sold, canceled) = sold(world);
    let receipts = sum(rows.iter().filter(|row| row.order_id.is_some()).map(|row| row.qty));
    let corrections = sum(rows.iter().filter(|row| row.order_id.is_none() && row.sale_id.is_none()).map(|row| row.qty));
    let went = sum(sold.values().map(|ticket| ticket.qty));
    let back = sum(canceled.iter().filter_map(|sale| sold.get(sale)).map(|ticket| ticket.qty));
    assert_eq!(stock, receipts - went + back + corrections, "receipts - sales + cancellations + corrections");
    let of_sales = |out: bool| {
        let rows = rows.iter().filter(|row| row.sale_id.is_some() && (row.qty < Milli::ZERO) == out);
        rows.map(|row| (row.sale_id.unwrap(), row.qty)).collect::<Vec<_>>()
    };
    let mut went: Vec<_> = of_sales(true);
    went.sort_unstable();
    assert_eq!(
        went,
        sold.iter().map(|(sale, ticket)| (*sale, ticket.qty.negated())).collect::<Vec<_>>(),
        "sale <=> row"
    );
    let mut came: Vec<_> = of_sales(false);
    came.sort_unstable();
    let returned = canceled.iter().map(|sale| (*sale, sold.get(sale).expect("it was sold").qty));
    assert_eq!(came, returned.collect::<Vec<_>>(), "cancellation <=> row");
    for event in world.kind::<Stock>().events() {
        let StockEvent::StockMoved { by, total, .. } = event;
        assert!(*by >= Milli::ZERO || *total >= Milli::ZERO, "a sale made the stock negative: {event:?}");
    }
}

fn check_sales(world: &World) {
    let (sold, canceled) = sold(world);
    let standing = sold.iter().filter(|(sale, _)| !canceled.contains(sale)).map(|(_, ticket)| ticket);
    let (qty, amount) = standing
        .fold((0, 0), |(qty, amount), ticket| (qty + ticket.qty.thousandths(), amount + ticket.amount.thousandths()));
    let item = world.rows::<SalesSummary>().get(&gas().key()).map(|row| row.item(&gas().key()));
    let shown = item.map(|item| (Milli::try_from(item.qty), Milli::try_from(item.amount)));
    let expected = (!sold.is_empty()).then(|| (Ok(Milli::of(qty).unwrap()), Ok(Milli::of(amount).unwrap())));
    assert_eq!(shown, expected, "the sales that stand");
    let listed = world.kind::<Sale>().items(Sale::item).len();
    assert_eq!(listed, sold.len() - canceled.len());
}

/// One shipment and one receipt per order that stands, none of one that does not; the status is what the books say.
fn check_orders(world: &World) {
    let mut shipments: Vec<_> =
        world.kind::<Shipment>().items(Shipment::item).iter().map(|item| item.order_id).collect();
    shipments.sort_unstable();
    let receipts = world.kind::<StockFlow>().items(StockFlow::item);
    let receipts: BTreeMap<_, _> = receipts.iter().filter_map(|row| Some((row.order_id?, row.qty))).collect();
    let standing: Vec<_> = world.kind::<Order>().items(Order::item).iter().map(|item| item.order_id).collect();
    assert_eq!(shipments, standing, "one shipment each");
    assert_eq!(receipts.keys().copied().collect::<Vec<_>>(), standing, "one receipt each");
    let rows = world.rows::<OrderStatus>();
    for stream in world.kind::<Order>().streams() {
        let order = stream.number.get();
        let status = rows.get(&order).and_then(|row| row.item(order)).map(|item| item.status);
        let expected = match receipts.get(&order) {
            None => OrderProgress::Canceled,
            Some(qty) if *qty > 0.0 => OrderProgress::Confirmed,
            Some(_) => OrderProgress::Received,
        };
        assert_eq!(status, Some(expected), "order {order}");
    }
}

fn check_prices(world: &World) {
    let own = world.kind::<Product>().items(Product::item);
    assert_eq!(world.kind::<ProductMaster>().items(ProductMaster::item), own);
    assert_eq!(world.kind::<ProductMenu>().items(ProductMenu::item), own);
}

fn check(world: &World) {
    check_stock(world);
    check_sales(world);
    check_orders(world);
    check_prices(world);
    assert!(world.dead_letters().is_empty(), "{:?}", world.dead_letters());
}

proptest! {
    #[test]
    fn d2_d8_n12_stock_sales_and_orders_are_conserved_over_random_histories_with_crashes(
        acts in vec(act(), 1..80),
    ) {
        let mut world = stage();
        for act in &acts {
            perform(&mut world, act);
        }
        world.settle();
        check(&world);
    }

    #[test]
    fn n12_totals_return_exactly_after_selling_and_canceling(
        before in vec(1..30_000_i64, 0..5),
        sales in vec(1..30_000_i64, 1..20),
        price in 0..1_000_000_i64,
    ) {
        let mut world = stage();
        place(&mut world, 1000).unwrap();
        world.ask::<Product, _>(&gas().key(), SyncProduct { price: Some(price) }, &[]).unwrap();
        world.settle();
        confirm(&mut world, 1).unwrap();
        for thousandths in before {
            sell(&mut world, Milli::of(thousandths).unwrap(), &[]).unwrap();
        }
        let books = |world: &World| {
            let stock = world.kind::<Stock>().keyed(&gas().key()).unwrap().state.total();
            (stock, world.rows::<SalesSummary>().get(&gas().key()).map(|row| row.item(&gas().key())))
        };
        let (stock, summary) = books(&world);
        let sold: Vec<u64> = sales
            .iter()
            .map(|thousandths| sell(&mut world, Milli::of(*thousandths).unwrap(), &[]).unwrap().sale_id)
            .collect();
        for sale in sold {
            cancel_sale(&mut world, sale).unwrap();
        }
        world.settle();
        let (stock_after, summary_after) = books(&world);
        prop_assert_eq!(stock_after, stock);
        let amounts = |item: Option<SalesSummaryItem>| item.map_or((0.0, 0.0), |item| (item.qty, item.amount));
        prop_assert_eq!(amounts(summary_after), amounts(summary));
        check(&world);
    }
}
