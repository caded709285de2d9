//! SIGKILL in the middle of one order's placing or canceling, which write to two entities.

use std::{collections::BTreeSet, thread, time::Duration};

use crate::{
    books::{Books, Events},
    laws,
    load::{Act, Command, Done, insist},
    shop::{Shop, pause},
};

/// Orders that are killed, each once while placed and once while canceled.
const ORDERS: u64 = 10;

/// How long a command takes on a slow machine; the kill comes somewhere within.
const COMMAND: Duration = Duration::from_millis(20);

/// What a kill found, by what the next process showed before anybody asked again.
#[derive(Debug, Default)]
struct Found {
    answered: u32,
    done: u32,
    not_done: u32,
}

#[test]
fn a_kill_while_an_order_is_placed_or_canceled_leaves_all_of_it_or_nothing() {
    let mut rng = fastrand::Rng::new();
    eprintln!("moments of seed {}", rng.get_seed());
    let mut shop = Shop::open();
    let mut done = vec![answered(&shop, Command { key: "p".into(), act: Act::Register { quantity: 0, price: 1 } })];
    let (mut placing, mut canceling) = (Found::default(), Found::default());
    for number in 1..=ORDERS {
        let product = done[0].id();
        let command = Command { key: format!("place-{number}"), act: Act::Place { product, quantity: 3 } };
        kill_during(&mut shop, &command, &mut rng, &mut placing, |shop| standing(shop).len() as u64 == number);
        done.push(answered(&shop, command));
        check(&shop, &done, number);
        let order = done.last().unwrap().id();

        let command = Command { key: format!("cancel-{number}"), act: Act::CancelOrder { order } };
        kill_during(&mut shop, &command, &mut rng, &mut canceling, |shop| !standing(shop).contains(&order));
        done.push(answered(&shop, command));
        check(&shop, &done, number - 1);
        let again = Command { key: format!("again-{number}"), act: Act::Place { product, quantity: 3 } };
        done.push(answered(&shop, again));
    }
    eprintln!("placing: {placing:?}, canceling: {canceling:?}");
    for found in [&placing, &canceling] {
        assert!(found.done + found.not_done > 0, "no kill met its command under way: {found:?}");
    }
}

/// Sends `command`, kills the process a moment later, starts it again, and looks whether the command was done.
fn kill_during(
    shop: &mut Shop,
    command: &Command,
    rng: &mut fastrand::Rng,
    found: &mut Found,
    is_done: impl Fn(&Shop) -> bool,
) {
    let mut wire = shop.wire();
    let answer = thread::scope(|scope| {
        let sending = scope.spawn(move || command.send(&mut wire));
        pause(COMMAND.mul_f64(rng.f64().powi(2)));
        shop.kill();
        sending.join().unwrap()
    });
    shop.start();
    shop.quiesce();
    // Nobody repeats the command yet: what was begun is finished, or was never begun.
    half_orders(shop);
    let happened = is_done(shop);
    match (answer.is_ok(), happened) {
        (true, true) => found.answered += 1,
        (true, false) => panic!("{command:?} was answered and is gone: {answer:?}"),
        (false, true) => found.done += 1,
        (false, false) => found.not_done += 1,
    }
}

fn answered(shop: &Shop, command: Command) -> Done {
    let answer = insist(&command, &mut shop.wire(), &mut 0).unwrap();
    let expected = if matches!(command.act, Act::CancelOrder { .. }) { 204 } else { 201 };
    assert_eq!(answer.status, expected, "{command:?}: {answer}");
    Done { command, answer }
}

fn standing(shop: &Shop) -> BTreeSet<u64> {
    shop.all("orders").0.iter().map(|order| order["id"].as_u64().unwrap()).collect()
}

/// No order without its delivery, no delivery without its order.
fn half_orders(shop: &Shop) {
    let delivered: Vec<u64> =
        shop.all("deliveries").0.iter().map(|delivery| delivery["orderId"].as_u64().unwrap()).collect();
    let orders: Vec<u64> = standing(shop).into_iter().collect();
    assert_eq!(orders, delivered, "orders and what is delivered");
    for order in orders {
        assert_eq!(shop.get(&format!("/deliveries?orderId={order}")).json()["orderId"].as_u64(), Some(order));
    }
}

/// After the command was repeated: all laws, and this many orders.
fn check(shop: &Shop, done: &[Done], orders: u64) {
    let (books, events) = (Books::read(shop), Events::read(shop));
    laws::check(&events, &books, &done.iter().collect::<Vec<_>>());
    assert_eq!(books.items("orders").len() as u64, orders);
}
