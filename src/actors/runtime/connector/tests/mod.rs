//! A history whose entries leave the house, by connectors that are not nice.

use std::{
    collections::BTreeMap,
    sync::{Mutex, mpsc},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::*;

mod ill;
mod room;

use crate::{
    actors::{
        entity::{
            Command, CommandContext, Decision, DomainEvent, Entity, Key, Notice, Number, NumberedId, Outbound,
            Recorded, ServiceDeclaration, persist,
        },
        runtime::{Service, StartError, System, WaitingLetter},
        supervision::SupervisionConfig,
    },
    persistence::{Storage, StorageConfig, open},
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Note;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum NoteEvent {
    Noted { text: String },
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum NoteRejection {}

impl DomainEvent for NoteEvent {
    const PUBLIC: &'static [&'static str] = &[];
    fn name(&self) -> &'static str {
        "Noted"
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for Note {
    const KIND: &'static str = "t.note";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = NoteEvent;
    type Rejection = NoteRejection;
    const COMMANDS: &'static [&'static str] = &[Write::NAME];
    fn evolve(&mut self, _: &NoteEvent) {}
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Write {
    text: String,
}

impl Command<Note> for Write {
    const NAME: &'static str = "write";
    type Reply = ();
    fn decide(self, _: &Note, _: &CommandContext) -> Decision<Note, ()> {
        Ok(persist([NoteEvent::Noted { text: self.text }]).reply(()))
    }
}

struct NoteOut;

impl Outbound for NoteOut {
    const NAME: &'static str = "t.note-out";
    const CHANNEL: &'static str = "pager";
    type Source = Note;
    fn notify(&self, event: &Recorded<Note>) -> Option<Notice> {
        let NoteEvent::Noted { text } = &event.event;
        assert_ne!(text, "impossible", "an outbound that panics");
        (text != "secret").then(|| Notice::new("somebody", text))
    }
}

/// Carried by a channel of its own, so that nothing of the other one is felt here.
struct NoteToo;

impl Outbound for NoteToo {
    const NAME: &'static str = "t.note-too";
    const CHANNEL: &'static str = "mail";
    type Source = Note;
    fn notify(&self, event: &Recorded<Note>) -> Option<Notice> {
        let NoteEvent::Noted { text } = &event.event;
        Some(Notice::new("somebody", text))
    }
}

type Answer = Arc<dyn Fn(&Notification, usize) -> Result<(), DeliveryError> + Send + Sync>;

/// Remembers every try, and answers as the test says: by the notice, and how often it came before.
#[derive(Clone)]
struct Gateway {
    tries: Arc<Mutex<Vec<Notification>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Gateway {
    fn new(answer: impl Fn(&Notification, usize) -> Result<(), DeliveryError> + Send + Sync + 'static) -> Self {
        Self { tries: Arc::default(), answer: Arc::new(Mutex::new(Arc::new(answer))) }
    }

    fn good() -> Self {
        Self::new(|_, _| Ok(()))
    }

    fn answers(&self, answer: impl Fn(&Notification, usize) -> Result<(), DeliveryError> + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    fn tries(&self) -> Vec<Notification> {
        self.tries.lock().unwrap().clone()
    }

    /// The texts in the order in which they came.
    fn texts(&self) -> Vec<String> {
        self.tries().into_iter().map(|notification| notification.text).collect()
    }
}

impl Connector for Gateway {
    fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        let before = {
            let mut tries = self.tries.lock().unwrap();
            tries.push(notification.clone());
            tries.iter().filter(|earlier| earlier.id == notification.id).count() - 1
        };
        let answer = self.answer.lock().unwrap().clone();
        answer(notification, before)
    }
}

/// Quick pauses; the pager's threads are given up soon.
const QUICK: &str = r#"
[bulkhead.t-pager]
threads = 1
hard_limit = "100ms"
[connector.t.pager]
deadline = "100ms"
attempts = 3
backoff = { min = "1ms", max = "4ms" }
[connector.t.mail]
attempts = 1
"#;

fn memory() -> Storage {
    open(&StorageConfig::memory()).expect("memory opens")
}

fn services() -> Vec<Service> {
    vec![Service::new("notes").entity::<Note>().notifies(NoteOut).notifies(NoteToo)]
}

async fn start(storage: &Storage, config: &str, pager: &Gateway, mail: &Gateway) -> System {
    let config = SupervisionConfig::parse(config, "test.toml").expect("valid");
    let (pager, mail) = (pager.clone(), mail.clone());
    let connect = move |config: &ConnectorConfig| -> Arc<dyn Connector> {
        // The two differ in their deadlines.
        let is_mail = config.deadline == ConnectorConfig::of("t", "mail").deadline;
        Arc::new(if is_mail { mail.clone() } else { pager.clone() })
    };
    let builder = System::builder(storage.clone()).supervision(config).connectors(connect);
    builder.system("t", services()).start().await.expect("starts")
}

async fn write(system: &System, key: &str, text: &str) {
    let id = NumberedId::Key(Key::new(key).expect("a key"));
    system.entities::<Note>().ask(&id, Write { text: text.to_owned() }).correlation("c").await.expect("written");
}

async fn settled(system: &System) {
    system.quiesce(Duration::from_secs(20)).await.expect("everything comes to rest");
}

async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), waiting).await.is_ok(), "{what}");
}

async fn letters(system: &System) -> Vec<WaitingLetter> {
    system.dead_letters().await.expect("readable")
}

#[tokio::test]
async fn every_notice_goes_out_once_with_an_id_of_its_own_and_in_the_order_of_its_source() {
    let (pager, mail) = (Gateway::good(), Gateway::good());
    let system = start(&memory(), QUICK, &pager, &mail).await;
    for n in 0..30 {
        write(&system, &format!("n{}", n % 3), &format!("{n}")).await;
    }
    write(&system, "n0", "secret").await;
    settled(&system).await;
    let told = pager.tries();
    let ids: std::collections::BTreeSet<&str> = told.iter().map(|notification| notification.id.as_str()).collect();
    assert_eq!((told.len(), ids.len(), mail.tries().len()), (30, 30, 31));
    assert!(mail.tries().iter().all(|mail| !ids.contains(mail.id.as_str())), "an id of its own for each channel");
    for source in 1..=3 {
        let of_one: Vec<u32> =
            told.iter().filter(|n| n.number == Number::new(source)).map(|n| n.text.parse().unwrap()).collect();
        assert!(of_one.is_sorted() && of_one.len() == 10, "{of_one:?}");
    }
    let first = told.iter().find(|notification| notification.text == "0").unwrap();
    assert_eq!(
        (first.system.as_str(), first.channel.as_str(), first.kind.as_str(), first.event.as_str()),
        ("t", "pager", "t.note", "Noted")
    );
    assert_eq!((first.receiver.as_str(), first.correlation_id.as_str()), ("somebody", "c"));
    let consumers = system.consumers().await;
    assert!(consumers.iter().any(|consumer| consumer.name == NoteOut::NAME && consumer.service == "notes"));
}

#[tokio::test]
async fn a_receiver_that_fails_is_asked_again_under_the_same_id() {
    let pager = Gateway::new(|_, before| match before {
        0 => Err(DeliveryError::failed("busy")),
        1 => Err(DeliveryError::Failed { reason: "busy".to_owned(), retry_after: Some(Duration::from_millis(3)) }),
        _ => Ok(()),
    });
    let system = start(&memory(), QUICK, &pager, &Gateway::good()).await;
    write(&system, "a", "x").await;
    settled(&system).await;
    let ids: Vec<String> = pager.tries().into_iter().map(|notification| notification.id).collect();
    assert_eq!(ids, vec![ids[0].clone(); 3]);
    assert!(letters(&system).await.is_empty());
}

#[tokio::test]
async fn what_fails_too_often_is_a_dead_letter_that_can_be_delivered_later() {
    let pager = Gateway::new(|_, _| Err(DeliveryError::failed("out of order")));
    let storage = memory();
    let system = start(&storage, QUICK, &pager, &Gateway::good()).await;
    write(&system, "a", "x").await;
    settled(&system).await;
    assert_eq!(pager.tries().len(), 3, "as many tries as are configured");
    let waiting = letters(&system).await;
    let [WaitingLetter { id, policy, letter }] = waiting.as_slice() else { panic!("one letter: {waiting:?}") };
    assert_eq!(
        (policy.as_str(), letter.kind.as_str(), letter.address.as_str()),
        (NoteOut::NAME, "connector/t.pager", "somebody")
    );
    assert_eq!((letter.reason.as_str(), letter.attempts, letter.command.as_str()), ("out of order", 3, "notify"));
    assert_eq!(letter.body["text"], "x");
    let error = system.retry_dead_letter(id).await.unwrap_err();
    assert_eq!(error.to_string(), "not available: out of order");
    // It is not tried again by itself, not even by the next start.
    let again = storage.reopen_memory().expect("memory");
    drop(system);
    let system = start(&again, QUICK, &pager, &Gateway::good()).await;
    settled(&system).await;
    assert_eq!((pager.tries().len(), letters(&system).await.len()), (4, 1));
    pager.answers(|_, _| Ok(()));
    system.retry_dead_letter(id).await.expect("delivered");
    assert!(letters(&system).await.is_empty());
    let ids: std::collections::BTreeSet<String> = pager.tries().into_iter().map(|n| n.id).collect();
    assert_eq!(ids.len(), 1, "the same id for all tries");
}

#[tokio::test]
async fn what_is_refused_is_a_dead_letter_at_once_and_stays_one_until_it_is_given_up() {
    let pager = Gateway::new(|_, _| Err(DeliveryError::refused("no such number")));
    let system = start(&memory(), QUICK, &pager, &Gateway::good()).await;
    write(&system, "a", "x").await;
    settled(&system).await;
    let waiting = letters(&system).await;
    assert_eq!((pager.tries().len(), waiting.len(), waiting[0].letter.attempts), (1, 1, 1));
    let error = system.retry_dead_letter(&waiting[0].id).await.unwrap_err();
    assert_eq!(error.to_string(), "refused again: no such number");
    system.discard_dead_letter(&waiting[0].id).await.expect("given up");
    assert!(letters(&system).await.is_empty());
}

#[tokio::test]
async fn a_stopped_service_sends_nothing_and_misses_nothing() {
    let pager = Gateway::new(|_, _| Err(DeliveryError::failed("away")));
    let patient = QUICK.replace("attempts = 3", "attempts = 1000");
    let system = start(&memory(), &patient, &pager, &Gateway::good()).await;
    write(&system, "a", "x").await;
    until("it is tried", async || !pager.tries().is_empty()).await;
    system.stop_service("t/notes").await.expect("stopped");
    let tries = pager.tries().len();
    let state = system.consumers().await.into_iter().find(|consumer| consumer.name == NoteOut::NAME).unwrap().state;
    assert_eq!(state, "stopped");
    pager.answers(|_, _| Ok(()));
    system.start_service("t/notes").await.expect("started");
    settled(&system).await;
    assert_eq!(pager.tries().len(), tries + 1, "none while it was stopped, and the one that was left");
}

#[tokio::test]
async fn a_crash_loses_no_notice_and_repeats_one_under_its_id() {
    let (pager, mail) = (Gateway::good(), Gateway::good());
    let mut storage = memory();
    for round in 0..4 {
        let system = start(&storage, QUICK, &pager, &mail).await;
        for n in 0..5 {
            write(&system, &format!("{round}-{n}"), &format!("{round}-{n}")).await;
        }
        // The crash finds the notices anywhere.
        let again = storage.reopen_memory().expect("memory");
        drop(system);
        storage = again;
    }
    let system = start(&storage, QUICK, &pager, &mail).await;
    settled(&system).await;
    let by_id: BTreeMap<String, String> = pager.tries().into_iter().map(|n| (n.id, n.text)).collect();
    let mut texts: Vec<String> = by_id.into_values().collect();
    texts.sort();
    let expected: Vec<String> = (0..4).flat_map(|round| (0..5).map(move |n| format!("{round}-{n}"))).collect();
    assert_eq!(texts, expected);
}

#[tokio::test]
async fn without_connectors_notices_wait_in_their_history() {
    let storage = memory();
    let system = System::builder(storage.clone()).system("t", services()).start().await.expect("starts");
    write(&system, "a", "early").await;
    settled(&system).await;
    assert!(system.bulkheads().iter().all(|bulkhead| bulkhead.kind == "semaphore"));
    assert!(system.consumers().await.is_empty());
    let again = storage.reopen_memory().expect("memory");
    drop(system);
    let pager = Gateway::good();
    let system = start(&again, QUICK, &pager, &Gateway::good()).await;
    settled(&system).await;
    assert_eq!(pager.texts(), ["early"]);
}

#[tokio::test]
async fn the_tree_shows_the_bulkheads_and_a_stopped_one_costs_no_attempt() {
    let pager = Gateway::good();
    let system = start(&memory(), QUICK, &pager, &Gateway::good()).await;
    let tree = system.tree().await;
    let names: Vec<&str> = tree.children.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(names, ["storage", "services", "bulkheads", "edge"]);
    let pools: Vec<&str> = tree.children[2].children.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(pools, ["t-mail", "t-pager"]);
    let guardian = system.guardian().await;
    guardian.stop_child(&["bulkheads", "t-pager"]).await.expect("stopped");
    write(&system, "a", "x").await;
    until("it waits", async || {
        let consumers = system.consumers().await;
        consumers.iter().any(|consumer| consumer.name == NoteOut::NAME && consumer.state == "waiting")
    })
    .await;
    guardian.start_child(&["bulkheads", "t-pager"]).await.expect("started");
    settled(&system).await;
    assert_eq!(pager.tries().len(), 1);
}

#[tokio::test]
async fn what_is_put_together_wrongly_does_not_start() {
    let with = |config: &str| {
        let config = SupervisionConfig::parse(config, "test.toml").expect("valid");
        let connect = |_: &ConnectorConfig| -> Arc<dyn Connector> { Arc::new(Gateway::good()) };
        System::builder(memory()).supervision(config).connectors(connect)
    };
    let elsewhere = Service::new("elsewhere").notifies(NoteOut);
    let notes = Service::new("notes").entity::<Note>();
    let refused = with("").service("t", notes).service("t", elsewhere).start().await;
    assert!(matches!(refused, Err(StartError::ForeignSource { .. })), "{refused:?}");
    let twice = Service::new("notes").entity::<Note>().notifies(NoteOut).notifies(NoteOut);
    let refused = with("").service("t", twice).start().await;
    assert!(matches!(refused, Err(StartError::NameTaken { name: "t.note-out" })), "{refused:?}");
    for (config, unused) in [
        ("[connector.t.pagre]", Some("connector.t.pagre")),
        ("[bulkhead.t-pagre]", Some("bulkhead.t-pagre")),
        ("[bulkhead.slow]", Some("bulkhead.slow")),
        ("[bulkhead.slow]\n[connector.t.pager]\nbulkhead = \"slow\"", None),
        ("[connector.other.sms]\n[bulkhead.other-sms]", None),
    ] {
        let started = with(config).system("t", services()).start().await;
        let section = match started {
            Ok(_) => None,
            Err(StartError::Unused { section }) => Some(section),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(section.as_deref(), unused, "{config}");
    }
}
