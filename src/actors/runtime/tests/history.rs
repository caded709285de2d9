//! History that is deleted once it is older than the configuration keeps.

use std::{path::Path, sync::Arc, time::Duration};

use super::{
    super::{Clock, EventQuery, EventsError, InspectError, LetterError, Service, System, ViewError},
    fixture::*,
};
use crate::{
    actors::{
        entity::{AskError, CommandId, NumberedId, ServiceDeclaration, Timestamp, Unavailable},
        supervision::SupervisionConfig,
    },
    persistence::{Journal, PartitionId, Storage, StorageConfig, StoredSnapshot, Truncation, open},
};

const HISTORY: &str = "[storage]\nhistory = \"90d\"\n";

fn disk(dir: &Path) -> Storage {
    let config = StorageConfig { segment_bytes: 8 << 10, ballast_bytes: 0, ..StorageConfig::new(dir) };
    open(&config).expect("opens")
}

/// The fixture's services, so many days after the others.
async fn start_on(storage: &Storage, day: u64) -> System {
    let config = SupervisionConfig::parse(HISTORY, "test").expect("a configuration");
    let tally = Service::new("tally").listed::<Tally>().policy(CountErrands).view::<AddCount>();
    let errand = Service::new("errand").entity::<Errand>();
    let clock = Clock::starting_at(Timestamp::from_millis(1_000_000 + day * 86_400_000));
    let builder = System::builder(storage.clone()).supervision(config).clock(clock);
    builder.service("t", tally).service("t", errand).start().await.expect("starts")
}

fn journal(storage: &Storage) -> Arc<dyn Journal> {
    storage.unit("main").expect("the unit").journal.clone()
}

fn begins(storage: &Storage) -> Vec<u64> {
    let journal = journal(storage);
    (0..journal.partitions()).map(|partition| journal.first(PartitionId(partition))).collect()
}

/// Lets minutes pass until something was deleted: readers may have to keep their cursors first.
async fn deleted(storage: &Storage) {
    for _ in 0..600 {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(61)).await;
        tokio::time::resume();
        tokio::time::sleep(Duration::from_millis(50)).await;
        if begins(storage).iter().any(|first| *first > 1) {
            return;
        }
    }
    panic!("nothing was deleted");
}

async fn total(system: &System, name: &str) -> (i64, u64) {
    let tally = system.entities::<Tally>().get(&key(name)).await.expect("readable").expect("there").state;
    (tally.total, tally.adds)
}

#[tokio::test]
async fn what_is_old_is_deleted_and_everything_answers_as_before_also_when_the_tables_are_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let storage = disk(dir.path());
    let system = start_on(&storage, 0).await;
    let tallies = system.entities::<Tally>();
    for n in 1..=300 {
        let name = ["a", "b", "c"][usize::try_from(n % 3).expect("small")];
        tallies.ask(&key(name), Add { n }).await.expect("added");
    }
    tallies.ask(&key("idle"), Add { n: 7 }).await.expect("added");
    settled(&system).await;
    assert_eq!(begins(&storage), vec![1; 16], "nothing is old yet");
    drop(system.shutdown(Duration::from_secs(5)).await);
    drop(tallies);
    drop(storage);

    let storage = disk(dir.path());
    let system = start_on(&storage, 91).await;
    let (id, other) = (CommandId::from_bits(77), CommandId::from_bits(78));
    let tallies = system.entities::<Tally>();
    let first = tallies.ask(&key("a"), Add { n: 5 }).command_id(id).await.expect("added");
    settled(&system).await;
    deleted(&storage).await;
    let cut = begins(&storage);
    assert!(!dir.path().join("main/journal/0000000001.seg").exists());
    let before = [total(&system, "a").await, total(&system, "b").await, total(&system, "idle").await];
    assert_eq!((before[0].1, before[2]), (101, (7, 1)));
    let second = tallies.ask(&key("a"), Add { n: 1 }).command_id(other).await.expect("added");
    settled(&system).await;
    let adds = system.views::<AddCount>().get(&1).await.expect("readable").expect("a row").adds;
    assert_eq!(adds, total(&system, "b").await.1, "a view that had read everything goes on");
    let page = system.events(EventQuery { limit: 1000, ..EventQuery::default() }).await.expect("what is left");
    assert!(!page.events.is_empty());
    let partition = cut.iter().position(|first| *first > 2).expect("a partition that has lost events");
    let after = Some(format!("main.{partition}.1"));
    let refused = system.events(EventQuery { after, ..EventQuery::default() }).await;
    assert!(matches!(refused, Err(EventsError::Deleted { first, .. }) if first == cut[partition]), "{refused:?}");
    let after = Some(format!("main.{partition}.1"));
    let refused = system.follow(EventQuery { after, ..EventQuery::default() }).await.err();
    assert!(matches!(refused, Some(EventsError::Deleted { .. })), "{refused:?}");
    drop(system.shutdown(Duration::from_secs(5)).await);
    drop(tallies);
    drop(storage);

    std::fs::remove_dir_all(dir.path().join("main/sled")).expect("tables");
    let storage = disk(dir.path());
    assert_eq!(begins(&storage), cut);
    let system = start_on(&storage, 91).await;
    let tallies = system.entities::<Tally>();
    assert_eq!([total(&system, "b").await, total(&system, "idle").await], before[1..]);
    assert_eq!(tallies.ask(&key("a"), Add { n: 5 }).command_id(id).await.expect("known"), first);
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).command_id(other).await.expect("known"), second);
    assert_eq!(total(&system, "a").await.1, 102, "nothing was added again");
    tallies.ask(&key("new"), Add { n: 1 }).await.expect("added");
    let new = tallies.get(&key("new")).await.expect("readable").expect("there");
    let idle = tallies.get(&key("idle")).await.expect("readable").expect("there");
    assert!(new.number > idle.number, "numbers go on");
    // The policy has its cursor in the journal, the view has lost what it had read.
    tallies.ask(&key("c"), Add { n: 1 }).await.expect("added");
    let errand = system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 1 }).await.expect("finished");
    let one = NumberedId::number(1);
    while tallies.get(&one).await.expect("readable").expect("there").state.total < errand + 1000 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let refused = system.views::<AddCount>().get(&1).await;
    assert!(
        matches!(&refused, Err(ViewError::Incomplete(why)) if why.contains("older history was deleted")),
        "{refused:?}"
    );
    let consumers = system.consumers().await;
    let state = |name: &str| consumers.iter().find(|status| status.name == name).expect("there");
    assert_eq!(state("t.count-errands").state, "running");
    assert_eq!(state("t.add-counts").state, "refused");
    let why = state("t.add-counts").refused.as_ref().expect("a reason");
    assert!(why.contains("the first that is there is"), "{why}");
    drop(system.shutdown(Duration::from_secs(5)).await);
}

/// Whoever puts a delivery aside may want its event once more.
#[tokio::test]
async fn the_event_behind_a_dead_letter_is_kept() {
    let storage = memory();
    let system = start_on(&storage, 0).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("one"), Add { n: -13 }).await.expect("added");
    tallies.ask(&key("one"), Add { n: 13 }).await.expect("added");
    let errands = system.entities::<Errand>();
    assert_eq!(errands.ask(&key("e"), RunErrand { to: 1, n: 13 }).await.expect("finished"), 13);
    settled(&system).await;
    for n in 1..50 {
        tallies.ask(&key(&n.to_string()), Add { n }).await.expect("added");
        errands.ask(&key(&n.to_string()), RunErrand { to: 2, n }).await.expect("finished");
    }
    settled(&system).await;
    let letters = system.dead_letters().await.expect("readable");
    assert_eq!(letters.len(), 1);
    let place: Vec<u64> = letters[0].id.split(':').skip(2).map(|part| part.parse().expect("a number")).collect();
    drop(system.shutdown(Duration::from_secs(5)).await);

    let storage = storage.reopen_memory().expect("memory");
    let system = start_on(&storage, 91).await;
    settled(&system).await;
    deleted(&storage).await;
    let (partition, offset) = (usize::try_from(place[0]).expect("small"), place[1]);
    assert!(begins(&storage)[partition] <= offset, "{:?}", letters[0].id);
    let again = system.retry_dead_letter(&letters[0].id).await;
    assert!(matches!(again, Err(LetterError::StillRefused(_))), "{again:?}");
    drop(system.shutdown(Duration::from_secs(5)).await);
}

/// Tallies `a` and `b` of nine adds each, their history deleted behind base records of this shape with the
/// state that is made of their sequence.
async fn based(shape: u32, state: fn(u64) -> String) -> Storage {
    let storage = memory();
    let system = tallies_on(&storage).await;
    for name in ["a", "b"] {
        for n in 1..=9 {
            system.entities::<Tally>().ask(&key(name), Add { n }).await.expect("added");
        }
    }
    settled(&system).await;
    drop(system.shutdown(Duration::from_secs(5)).await);
    let storage = storage.reopen_memory().expect("memory");
    let dealt_with = vec![u64::MAX; 16];
    let what = Truncation { before_millis: u64::MAX, dealt_with: &dealt_with };
    let base = |sequence| {
        let saved = format!(r#"{{"state":{},"number":1,"keys":[],"marks":[],"open":[]}}"#, state(sequence));
        StoredSnapshot { sequence, shape, bytes: saved.into() }
    };
    let done = journal(&storage).truncate(what, &mut |_, sequence| Ok(base(sequence))).expect("deleted");
    assert_eq!(done.bases, 2);
    storage
}

async fn tallies_on(storage: &Storage) -> System {
    let service = Service::new("tally").entity::<Tally>();
    System::builder(storage.clone()).service("t", service).start().await.expect("starts")
}

/// What an operator asks about what is deleted.
#[tokio::test(start_paused = true)]
async fn what_was_before_the_base_record_is_not_told_and_what_came_since_is() {
    let sum_to = |adds| format!(r#"{{"total":{},"adds":{adds},"closed":false}}"#, adds * (adds + 1) / 2);
    let storage = based(1, sum_to).await;
    let system = tallies_on(&storage).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 5 }).await.expect("added");
    let first = system.entity_history("tally", "a", None, 100).await.expect("what is there").events[0].sequence;
    assert!(first > 1, "something is deleted");
    let before = system.entity_history("tally", "a", Some(0), 100).await;
    assert_eq!(before, Err(InspectError::Deleted { first }));
    let refused = system.entity_at("tally", "a", 1).await;
    let Err(InspectError::Deleted { first: told }) = refused else { panic!("{refused:?}") };
    for (sequence, total) in [(told, told * (told + 1) / 2), (10, 50)] {
        let past = system.entity_at("tally", "a", sequence).await.expect("told");
        assert_eq!(past.state["total"], total, "{past:?}");
    }
    drop(system.shutdown(Duration::from_secs(5)).await);
}

/// There is no way back to events that are deleted: what cannot be read is named, and its neighbours live.
#[tokio::test(start_paused = true)]
async fn an_entity_whose_base_record_cannot_be_read_is_quarantined_by_name() {
    let storage = based(7, |_| r#"{"sum":1}"#.to_owned()).await;
    let system = tallies_on(&storage).await;
    let refused = system.entities::<Tally>().get(&key("a")).await.expect_err("there is no way back");
    let AskError::Unavailable(Unavailable::Quarantined { reason }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("base record") && reason.contains("shape 7"), "{reason}");
    system.entities::<Tally>().ask(&key("c"), Add { n: 1 }).await.expect("others live");
    drop(system.shutdown(Duration::from_secs(5)).await);
}

/// A release that changes the state's fields reads what the release before it kept.
#[tokio::test(start_paused = true)]
async fn a_base_record_of_an_earlier_shape_is_migrated_and_goes_on() {
    let sum_to = |adds| format!(r#"{{"sum":{},"adds":{adds},"closed":false}}"#, adds * (adds + 1) / 2);
    let mut storage = based(0, sum_to).await;
    for (before, after) in [((45, 9), (46, 10)), ((46, 10), (47, 11))] {
        let system = tallies_on(&storage).await;
        assert_eq!(total(&system, "a").await, before);
        system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
        assert_eq!(total(&system, "a").await, after);
        drop(system.shutdown(Duration::from_secs(5)).await);
        storage = storage.reopen_memory().expect("memory");
    }
}
