//! What only shows from within: a run's own counts and cursors.

use super::{super::tests::fixture::*, *};
use crate::actors::{
    entity::{Address, AskError, Position, Timestamp, Unavailable},
    runtime::host::Host as AnyHost,
};

/// A dispatcher of [`CountErrands`] that nobody runs, beside a system that does.
async fn idle() -> (super::super::System, Dispatcher) {
    let system = start(&memory()).await;
    let target = system.entities::<Tally>().0;
    let kinds = target.kinds.clone();
    let progress = AnyHost::new(target.service.clone(), target.unit.clone(), target.config, kinds.clone());
    let consumer = Consumer::new("t.idle", ("t", "tally"), std::slice::from_ref(&target.unit), &[]);
    let carrier = Arc::new(Commands { policy: Arc::new(CountErrands), target });
    (system, Dispatcher { carrier, progress: Entities(progress), consumer, kinds })
}

pub(super) fn of_event(offset: u64) -> Outgoing {
    let event: Recorded<Errand> = Recorded {
        id: key("e"),
        number: crate::actors::entity::Number::NONE,
        sequence: 1,
        position: Position { unit: "main".into(), partition: 0, offset },
        at: Timestamp::from_millis(0),
        correlation: "".into(),
        event: ErrandEvent::Finished { to: 1, total: 1 },
    };
    let fact = Fact { position: event.position.clone(), correlation: "".into(), event: Arc::new(event) };
    Outgoing { partition: 0, fact: Arc::new(fact), index: 0, lane: by_number(1) }
}

pub(super) fn by_number(number: u64) -> Lane {
    Lane::Target(Address::Number(crate::actors::entity::Number::new(number)))
}

/// A stop and the end of a delivery can be seen by one select; the delivery that gave up because of the stop
/// used to be settled as if it was done, and was lost with the next journaled cursor.
#[tokio::test]
async fn a_command_that_gave_up_because_of_a_stop_is_not_passed_by_the_cursor() {
    let (_system, idle) = idle().await;
    let mut window = Window::default();
    window.open(7, 1);
    let known = PolicyProgress::default();
    let partition = Partition { read: 9, ahead: None, window, journaled: 0, dispatched: true, known };
    let mut run = Dispatching {
        delivery: Arc::new(Delivery {
            carrier: idle.carrier.clone(),
            progress: idle.progress.clone(),
            consumer: idle.consumer.clone(),
            stop: Stop::new(),
        }),
        consumer: idle.consumer.clone(),
        progress: idle.progress.clone(),
        kinds: idle.kinds.clone(),
        partitions: vec![partition],
        lanes: Lanes::default(),
        on_their_way: FuturesUnordered::new(),
        first: 0,
    };
    idle.consumer.busy.store(1, Ordering::Release);
    run.settle(Came::given_up(of_event(7)));
    assert_eq!(run.partitions[0].cursor(), 6);
    run.settle(Came::settled(of_event(7)));
    assert_eq!((run.partitions[0].cursor(), idle.consumer.busy.load(Ordering::Acquire)), (9, 0));
}

/// A run that was killed leaves its count behind; quiesce then waited for ever.
#[tokio::test]
async fn a_run_begins_with_nothing_on_its_way() {
    let (_system, idle) = idle().await;
    idle.consumer.busy.store(300, Ordering::Release);
    drop(idle.start(Stop::new()).await.expect("starts"));
    assert_eq!(idle.consumer.busy.load(Ordering::Acquire), 0);
}

/// Planned while nobody had the number, it had a lane of its own; once somebody had, a later one went ahead, and this one
/// was taken for a repeat and lost.
#[tokio::test]
async fn a_command_for_what_was_not_there_when_it_was_planned_is_told_as_not_found() {
    let (system, idle) = idle().await;
    let (early, late) = (of_event(11).fact, of_event(12).fact);
    let planned_early = idle.carrier.plan(0, &early).remove(0);
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    let planned_late = idle.carrier.plan(0, &late).remove(0);
    assert_eq!(idle.carrier.attempt(&late, 0, &planned_late).await, Tried::Done);
    let told = idle.carrier.attempt(&early, 0, &planned_early).await;
    assert!(matches!(told, Tried::Refused(Undelivered { not_found: true, .. })), "{told:?}");
    assert_eq!(system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await, Ok(1002), "one of them was done");
}

/// What is not known was counted as failed: ten times, and a command that was done was put aside as a letter.
#[test]
fn what_is_not_known_yet_waits_and_what_is_over_counts() {
    let classify = commands::classify::<Tally>;
    let reason = || "lost".to_owned();
    for unknown in [
        AskError::TimedOut(Duration::from_secs(30)),
        AskError::Unsettled { reason: reason() },
        AskError::Accepted,
        AskError::InProgress { retry_after: Duration::from_secs(1) },
        AskError::Expired(Duration::from_secs(30)),
    ] {
        assert!(matches!(classify(unknown.clone()), Tried::Later { .. }), "{unknown:?}");
    }
    for over in [AskError::Unavailable(Unavailable::Panicked), AskError::Unreadable { reason: reason() }] {
        assert!(matches!(classify(over.clone()), Tried::Failed { .. }), "{over:?}");
    }
}
