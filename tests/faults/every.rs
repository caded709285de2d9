//! The n-th operation of the storage fails, tears, is lost or is delayed, for n = 1, 2, .. until a run meets no fault;
//! after each, the shop is opened again where it has to be, every command is sent until it has an answer, and every
//! law of the shop is checked. In memory with paused time for every n; on real files for a sample of n.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use steadfast::{
    CommandId, Entity, EventQuery, Key, NumberedId, Outcome, System,
    persistence::{Backend, Fault, Faults, Storage, StorageConfig, open},
    store::{
        self, CancelDelivery, CancelOrder, CancelPayment, ChangeProduct, Delivery, Message, Order, OrderStatus, Pay,
        Payment, PlaceOrder, Product, ProductPage, RegisterProduct,
    },
};

use crate::{
    books::{Books, Events},
    common::Response,
    laws,
    load::{Act, Command, Done, UNKNOWN_PRODUCT},
    rounds::setting,
};

/// What is done in every run; numbers are those of what the acts before made, in their order.
const SCRIPT: [Act; 9] = [
    Act::Register { quantity: 4, price: 10 },
    Act::Place { product: 1, quantity: 3 },
    Act::Place { product: 1, quantity: 2 },
    Act::CancelOrder { order: 1 },
    Act::Pay { product: 1, quantity: 1 },
    Act::Pay { product: 1, quantity: 50 }, // more than there is: refunded
    Act::Price { product: 1, price: 11 },
    Act::CancelPayment { payment: 1 },
    Act::Place { product: UNKNOWN_PRODUCT, quantity: 1 }, // a dead letter
];

/// Tries of one command, and of coming to rest.
const TRIES: usize = 40;

/// Between two tries; with paused time nobody waits for it.
const BETWEEN: Duration = Duration::from_millis(100);

/// A shop in this process.
struct Inside {
    config: StorageConfig,
    /// Without the fault in front of it.
    storage: Storage,
    faults: Arc<Faults>,
    system: System,
}

impl Inside {
    async fn open(config: StorageConfig, faults: Arc<Faults>) -> Self {
        let storage = open(&config).unwrap();
        // A system that does not even start with the fault is started without it.
        if let Ok(system) = start(&storage.with_faults(&faults)).await {
            return Self { config, storage, faults, system };
        }
        assert!(faults.fired().is_some());
        let storage = again(&config, &storage);
        let system = start(&storage).await.unwrap();
        Self { config, storage, faults, system }
    }

    fn is_broken(&self) -> bool {
        !self.system.not_ready().is_empty()
    }

    /// As a supervisor of processes would: ends this one and starts another on the same data, without faults.
    async fn reopen(&mut self) {
        self.system.shutdown(Duration::from_secs(30)).await;
        self.storage = again(&self.config, &self.storage);
        self.system = start(&self.storage).await.unwrap();
    }

    /// Does what helps: opens it again when it is broken, gives way to what is delayed otherwise.
    async fn mend(&mut self) {
        if self.is_broken() {
            self.reopen().await;
        } else {
            self.faults.release();
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Sends a command until it has a definite answer.
    async fn insist(&mut self, command: Command) -> Done {
        for _ in 0..TRIES {
            if let Some(answer) = send(&self.system, &command).await {
                return Done { command, answer };
            }
            self.mend().await;
        }
        panic!("no answer to {command:?}: {:?}", self.system.not_ready());
    }

    /// Everything that followed has happened.
    async fn rest(&mut self) {
        let mut lags = Vec::new();
        for _ in 0..TRIES {
            match self.system.quiesce(Duration::from_secs(5)).await {
                Ok(()) if !self.is_broken() => return,
                Ok(()) => {}
                Err(late) => lags = late,
            }
            self.mend().await;
        }
        panic!("it does not come to rest: {lags:?} {:?}", self.system.not_ready());
    }
}

async fn start(storage: &Storage) -> Result<System, steadfast::StartError> {
    System::builder(storage.clone()).system(store::NAME, store::services()).start().await
}

/// The same data, opened again.
fn again(config: &StorageConfig, storage: &Storage) -> Storage {
    storage.reopen_memory().unwrap_or_else(|| {
        storage.close();
        open(config).unwrap()
    })
}

/// `None` while the answer is not known, or is "not now".
pub(crate) async fn send(system: &System, command: &Command) -> Option<Response> {
    let new = || NumberedId::Key(Key::derived("every", &[command.key.as_bytes()]));
    let within = store::DELIVERY_WITHIN;
    let number = NumberedId::number;
    match command.act {
        Act::Register { quantity, price } => {
            let act = RegisterProduct { quantity: int(quantity), price: int(price) };
            ask::<Product, _>(system, command, new(), act, 201).await
        }
        Act::Place { product, quantity } => {
            let act = PlaceOrder { product_id: product, quantity: int(quantity), status: None, within };
            ask::<Order, _>(system, command, new(), act, 201).await
        }
        Act::Pay { product, quantity } => {
            let act = Pay { product_id: product, quantity: int(quantity), price: 7 };
            ask::<Payment, _>(system, command, new(), act, 201).await
        }
        Act::Price { product, price } => {
            let act = ChangeProduct { quantity: None, price: Some(int(price)) };
            ask::<Product, _>(system, command, number(product), act, 200).await
        }
        Act::CancelOrder { order } => {
            ask::<Order, _>(system, command, number(order), CancelOrder { within }, 204).await
        }
        Act::CancelDelivery { delivery } => {
            ask::<Delivery, _>(system, command, number(delivery), CancelDelivery, 204).await
        }
        Act::CancelPayment { payment } => ask::<Payment, _>(system, command, number(payment), CancelPayment, 204).await,
    }
}

fn int(value: i64) -> i32 {
    value.try_into().unwrap()
}

async fn ask<E, C>(system: &System, command: &Command, to: E::Id, act: C, status: u16) -> Option<Response>
where
    E: Entity,
    C: steadfast::Command<E>,
{
    let id = CommandId::derived("every", &[command.key.as_bytes()]);
    match system.entities::<E>().ask(&to, act).command_id(id).answered().await {
        Ok(answered) => {
            let body = serde_json::to_vec(&answered.reply).unwrap();
            Some(Response { status, headers: Vec::new(), body })
        }
        Err(error) => match error.outcome() {
            Outcome::Refused => Some(Response { status: 404, headers: Vec::new(), body: Vec::new() }),
            Outcome::NotDone | Outcome::Unknown => None,
        },
    }
}

/// Everything that the shop shows.
async fn books(system: &System) -> Books {
    const ALL: usize = 10_000;
    let mut items: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    macro_rules! list {
        ($collection:literal, $entity:ty, $item:expr) => {{
            let rows = system.list::<$entity>().scan(&[], None, ALL).await.unwrap();
            let item: fn(&$entity, steadfast::Number) -> Option<Value> = $item;
            let shown = rows.iter().filter_map(|(_, row)| item(&row.state, row.number)).collect();
            items.insert($collection, shown);
        }};
    }
    list!("orders", Order, |order, _| order.item().map(|item| json!(item)));
    list!("deliveries", Delivery, |delivery, number| delivery.item(number).map(|item| json!(item)));
    list!("products", Product, |product, number| product.item(number).map(|item| json!(item)));
    list!("payments", Payment, |payment, number| payment.item(number).map(|item| json!(item)));
    list!("messages", Message, |message, number| message.item(number).map(|item| json!(item)));
    let rows = system.views::<OrderStatus>().scan(&[], None, ALL).await.unwrap();
    items.insert("orderStatuses", rows.iter().map(|(_, row)| json!(row.item())).collect());
    let rows = system.views::<ProductPage>().scan(&[], None, ALL).await.unwrap();
    items.insert("productPages", rows.iter().map(|(_, row)| json!(row)).collect());
    Books::of(items, system.dead_letters().await.unwrap().len())
}

async fn events(system: &System) -> Events {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = system.events(EventQuery { after: after.clone(), limit: 1000, ..EventQuery::default() }).await;
        let page = page.unwrap();
        let end = page.events.is_empty() && after.as_ref() == Some(&page.next);
        all.extend(page.events);
        after = Some(page.next);
        if end {
            return Events::of(all);
        }
    }
}

/// One run; whether the fault was met.
async fn run(config: StorageConfig, fault: Fault, n: u64) -> bool {
    let faults = Faults::nth(n, fault);
    let mut shop = Inside::open(config, Arc::clone(&faults)).await;
    let mut done = Vec::new();
    for (index, act) in SCRIPT.into_iter().enumerate() {
        let act = named(act, &done);
        done.push(shop.insist(Command { key: format!("{index}"), act }).await);
    }
    shop.rest().await;
    // What follows only looks.
    faults.disarm();
    let fired = faults.fired();
    check(&shop.system, &done).await;
    // And once more from what is on the disk alone.
    shop.reopen().await;
    shop.rest().await;
    check(&shop.system, &done).await;
    shop.system.shutdown(Duration::from_secs(30)).await;
    fired.is_some()
}

/// The act with the numbers that were given: one may have been skipped.
fn named(act: Act, done: &[Done]) -> Act {
    let nth = |n: u64, wanted: fn(&Act) -> bool| {
        let mut made = done.iter().filter(|done| wanted(&done.command.act));
        made.nth(usize::try_from(n - 1).unwrap()).unwrap().id()
    };
    let product = |n| if n == UNKNOWN_PRODUCT { n } else { nth(n, |act| matches!(act, Act::Register { .. })) };
    match act {
        Act::Register { .. } | Act::CancelDelivery { .. } => act,
        Act::Place { product: n, quantity } => Act::Place { product: product(n), quantity },
        Act::Pay { product: n, quantity } => Act::Pay { product: product(n), quantity },
        Act::Price { product: n, price } => Act::Price { product: product(n), price },
        Act::CancelOrder { order } => Act::CancelOrder { order: nth(order, |act| matches!(act, Act::Place { .. })) },
        Act::CancelPayment { payment } => {
            Act::CancelPayment { payment: nth(payment, |act| matches!(act, Act::Pay { .. })) }
        }
    }
}

async fn check(system: &System, done: &[Done]) {
    let (events, books) = (events(system).await, books(system).await);
    laws::check(&events, &books, &done.iter().collect::<Vec<_>>());
}

fn units() -> Vec<String> {
    vec!["alarm".to_owned()]
}

/// Every n until a run meets no fault. Returns how many were met.
async fn every(fault: Fault) -> u64 {
    for n in 1.. {
        let config = StorageConfig { units: units(), partitions: 4, ..StorageConfig::memory() };
        if !run(config, fault, n).await {
            return n - 1;
        }
    }
    unreachable!("some run meets no fault")
}

#[tokio::test(start_paused = true)]
async fn whichever_operation_fails_the_shop_keeps_its_laws() {
    let met = every(Fault::Fail).await;
    assert!(met > 50, "only {met} operations");
}

#[tokio::test(start_paused = true)]
async fn whichever_write_is_torn_the_shop_keeps_its_laws() {
    let met = every(Fault::Tear).await;
    assert!(met > 25, "only {met} operations");
}

#[tokio::test(start_paused = true)]
async fn whichever_write_is_done_and_not_told_the_shop_keeps_its_laws() {
    let met = every(Fault::Lose).await;
    assert!(met > 30, "only {met} operations");
}

#[tokio::test(start_paused = true)]
async fn whichever_append_is_delayed_beyond_every_deadline_the_shop_keeps_its_laws() {
    let met = every(Fault::Delay).await;
    assert!(met > 25, "only {met} operations");
}

/// The operations that real files are tried with: the first ones, some in the middle of the script, one near its end.
const SAMPLE: [u64; 4] = [1, 4, 11, 24];

/// With real files; whether the fault was met.
async fn on_files(journal: Backend, fault: Fault, n: u64) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let config = StorageConfig {
        journal,
        units: units(),
        partitions: 4,
        segment_bytes: 64 << 10,
        sled_cache_bytes: 1 << 20,
        low_space_bytes: 0,
        ballast_bytes: 0,
        ..StorageConfig::new(dir.path().join("data"))
    };
    run(config, fault, n).await
}

/// A sample of n; every one, and of torn writes too, in the long form.
async fn sample(journal: Backend) {
    if setting::<u8>("STEADFAST_FAULTS_EVERY").is_some() {
        for fault in [Fault::Fail, Fault::Tear, Fault::Lose] {
            let mut met = 0;
            while on_files(journal, fault, met + 1).await {
                met += 1;
            }
            eprintln!("{journal:?}, {fault:?}: {met} operations");
            assert!(met > 25, "only {met} operations");
        }
        return;
    }
    for fault in [Fault::Fail, Fault::Lose] {
        for n in SAMPLE {
            assert!(on_files(journal, fault, n).await, "{fault:?} {n} was not met");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_keep_the_laws_with_a_sample_of_faults() {
    sample(Backend::Segments).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sled_keeps_the_laws_with_a_sample_of_faults() {
    sample(Backend::Sled).await;
}
