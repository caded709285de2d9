//! A link whose callee is another system: what comes back, what is lost on the way, and what a reload moves.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use serde_json::json;

use super::fixture::*;
use crate::{
    AnswerError, BreakerState, ConsumerStatus, LinkStatus, Remote, RemoteAnswer, RemoteAsk, RemoteError, RemoteTarget,
    SupervisionConfig, System,
    actors::entity::{Address, AskError, CommandId, NumberedId, Outcome, Unavailable},
};

/// What happens to one ask on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    /// None after all.
    Spared,
    NotReached,
    AskLost,
    AnswerLost,
    /// Nobody ever says anything.
    Silence,
}

/// Leads straight to another system; the asks meet these mishaps, one after the other, and then none.
#[derive(Debug, Default)]
struct Wire {
    to: Option<System>,
    mishaps: Mutex<VecDeque<Mishap>>,
    asks: Mutex<Vec<(String, RemoteAsk)>>,
}

impl Remote for Wire {
    fn ask(
        &self,
        target: &RemoteTarget,
        ask: RemoteAsk,
        _: Duration,
    ) -> BoxFuture<'static, Result<RemoteAnswer, RemoteError>> {
        self.asks.lock().unwrap().push((target.url.clone(), ask.clone()));
        let mishap = self.mishaps.lock().unwrap().pop_front();
        let to = self.to.clone().expect("leads somewhere");
        Box::pin(async move {
            match mishap {
                None | Some(Mishap::Spared) => {
                    to.answer(ask).await.map_err(|no| RemoteError::NotReached(no.to_string()))
                }
                Some(Mishap::NotReached) => Err(RemoteError::NotReached("connection refused".to_owned())),
                Some(Mishap::AskLost) => Err(RemoteError::Lost("reset".to_owned())),
                Some(Mishap::AnswerLost) => {
                    to.answer(ask).await.expect("answered");
                    Err(RemoteError::Lost("reset".to_owned()))
                }
                Some(Mishap::Silence) => std::future::pending().await,
            }
        })
    }
}

/// A system with the errands, one with the tallies 1 and 2, and the wire between them.
struct Pair {
    here: System,
    there: System,
    wire: Arc<Wire>,
}

impl Pair {
    async fn new(link: &str) -> Self {
        let there = start(&memory()).await;
        for tally in ["a", "b"] {
            there.entities::<Tally>().ask(&key(tally), Add { n: 1 }).await.expect("added");
        }
        let wire = Arc::new(Wire { to: Some(there.clone()), ..Wire::default() });
        let config = format!("[link.t.errand.tally]\ntarget = \"http://there\"\n{link}");
        let here = start_beside(&memory(), &config, wire.clone()).await;
        Self { here, there, wire }
    }

    fn meets(&self, mishaps: impl IntoIterator<Item = Mishap>) {
        self.wire.mishaps.lock().unwrap().extend(mishaps);
    }

    async fn run(&self, errand: &str, to: u64, n: i64) -> Result<i64, AskError<ErrandRejection>> {
        self.here.entities::<Errand>().ask(&key(errand), RunErrand { to, n }).await
    }

    /// Total and number of additions over there.
    async fn tally(&self, number: u64) -> (i64, u64) {
        let tally =
            self.there.entities::<Tally>().get(&NumberedId::number(number)).await.expect("there").expect("known").state;
        (tally.total, tally.adds)
    }

    fn link(&self) -> LinkStatus {
        self.here.links().remove(0)
    }
}

#[tokio::test(start_paused = true)]
async fn steps_and_the_commands_of_policies_are_decided_where_the_link_leads() {
    let pair = Pair::new("").await;
    assert_eq!(pair.run("e", 2, 5).await, Ok(6));
    settled(&pair.here).await;
    assert_eq!(pair.tally(2).await, (6, 2));
    assert_eq!(pair.tally(1).await, (1001, 2), "the policy's command went there, too");
    let own = pair.here.entities::<Tally>().get(&NumberedId::number(1)).await;
    assert!(matches!(own, Ok(None) | Err(AskError::NotFound { .. })), "nothing of it is here");
    assert_eq!((pair.link().target.as_str(), pair.link().calls, pair.link().failed), ("http://there", 1, 0));
    let asks = pair.wire.asks.lock().unwrap().clone();
    assert_eq!(asks.len(), 2);
    assert!(asks.iter().all(|(url, ask)| url == "http://there" && ask.kind == "t.tally" && ask.command == "add"));
    assert_eq!(asks[0].1.correlation, asks[1].1.correlation, "one request");
}

#[tokio::test(start_paused = true)]
async fn a_no_is_the_partner_s_own_and_counts_as_an_answer() {
    let pair = Pair::new("breaker = { consecutive_failures = 1 }").await;
    pair.there.entities::<Tally>().ask(&NumberedId::number(2), Close).await.expect("closed");
    assert_eq!(pair.run("e", 2, 5).await, Err(AskError::Rejected(ErrandRejection::TallyClosed)));
    let missing = pair.run("f", 77, 5).await.expect_err("there is no such tally");
    assert_eq!(missing.outcome(), Outcome::NotDone, "{missing:?}");
    assert_eq!((pair.link().state, pair.link().failed), (BreakerState::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn a_partner_that_is_not_reached_has_done_nothing_and_opens_the_breaker() {
    let pair = Pair::new("breaker = { consecutive_failures = 2 }").await;
    pair.meets([Mishap::NotReached; 2]);
    for errand in ["e", "f"] {
        let refused = pair.run(errand, 2, 5).await.expect_err("not reached");
        assert!(
            matches!(&refused, AskError::Unavailable(Unavailable::Partner { reason, .. })
            if reason.contains("http://there: connection refused")),
            "{refused:?}"
        );
    }
    assert_eq!((pair.link().state, pair.link().failed), (BreakerState::Open, 2));
    pair.run("g", 2, 5).await.expect_err("open");
    assert_eq!(pair.wire.asks.lock().unwrap().len(), 2, "the third was not sent");
    assert_eq!(pair.tally(2).await, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_on_the_way_is_asked_again_under_the_same_id_and_done_once() {
    for mishap in [Mishap::AskLost, Mishap::AnswerLost, Mishap::Silence] {
        for times in [1, 3, 20] {
            let pair = Pair::new("breaker = { minimum_calls = 1000 }").await;
            pair.meets(vec![mishap; times]);
            // The asker's patience may end before the outcome is known; the errand goes on.
            match pair.run("e", 2, 5).await {
                Ok(total) => assert_eq!(total, 6),
                Err(error) => assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}"),
            }
            while pair
                .here
                .entities::<Errand>()
                .get(&key("e"))
                .await
                .expect("there")
                .expect("known")
                .state
                .result
                .is_none()
            {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            settled(&pair.here).await;
            assert_eq!(pair.tally(2).await, (6, 2), "{mishap:?}, {times} times");
            let asks = pair.wire.asks.lock().unwrap();
            assert!(asks.len() > times, "the mishaps came to pass");
            let first = &asks[0].1;
            assert!(asks.iter().take(times + 1).all(|(_, ask)| ask.id == first.id));
        }
    }
}

/// Ten lost answers used to be ten failures: a command that was done over there was put aside as a letter, and done
/// again when that was delivered.
#[tokio::test(start_paused = true)]
async fn a_policy_s_command_whose_answer_is_lost_is_asked_again_and_never_put_aside() {
    for mishap in [Mishap::AskLost, Mishap::AnswerLost, Mishap::Silence] {
        let pair = Pair::new("").await;
        pair.meets([Mishap::Spared]);
        pair.meets([mishap; 15]);
        assert_eq!(pair.run("e", 2, 5).await, Ok(6), "its step was spared");
        let waits = |consumers: Vec<ConsumerStatus>| {
            consumers.iter().any(|known| known.name == "t.count-errands" && known.state == "waiting" && known.lag > 0)
        };
        wait_for(async || waits(pair.here.consumers().await)).await;
        let unfinished = pair.here.quiesce(Duration::ZERO).await.expect_err("waits");
        assert!(unfinished.iter().any(|what| what.starts_with("t.count-errands (waiting)")), "{unfinished:?}");
        pair.here.quiesce(Duration::from_mins(20)).await.expect("it is answered in the end");
        assert_eq!(pair.tally(1).await, (1001, 2), "{mishap:?}: done once");
        assert!(pair.here.dead_letters().await.expect("readable").is_empty(), "{mishap:?}");
        let asks = pair.wire.asks.lock().unwrap();
        assert_eq!(asks.len(), 1 + 15 + 1, "the mishaps came to pass");
        assert!(asks.iter().skip(1).all(|(_, ask)| ask.id == asks[1].1.id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_for_another_process_is_delivered_under_the_id_of_its_command() {
    let pair = Pair::new("").await;
    pair.there.entities::<Tally>().ask(&NumberedId::number(1), Close).await.expect("closed");
    pair.run("e", 2, 5).await.expect("done");
    settled(&pair.here).await;
    let letter = pair.here.dead_letters().await.expect("readable").remove(0);
    let refused = pair.here.retry_dead_letter(&letter.id).await.expect_err("it is still closed");
    assert!(refused.to_string().contains("refused again"), "{refused}");
    let asks = pair.wire.asks.lock().unwrap();
    assert_eq!((asks.len(), &asks[1].1.id), (3, &asks[2].1.id));
}

#[tokio::test(start_paused = true)]
async fn a_partner_has_less_time_than_the_link_so_that_a_late_no_is_still_heard() {
    let pair = Pair::new("").await;
    pair.run("e", 2, 5).await.expect("done");
    let ask = pair.wire.asks.lock().unwrap()[0].1.clone();
    assert_eq!(ask.within_ms, 950, "of one second");
}

#[tokio::test(start_paused = true)]
async fn a_reload_moves_the_calls_that_begin_later() {
    let pair = Pair::new("").await;
    pair.here.entities::<Tally>().ask(&key("own"), Add { n: 100 }).await.expect("added");
    assert_eq!(pair.run("e", 1, 5).await, Ok(6), "over there");
    let say = |target: &str| {
        let config = format!("[link.t.errand.tally]\ntarget = \"{target}\"");
        let config = SupervisionConfig::parse(&config, "test").expect("valid");
        pair.here.inner.kinds.links().reconfigure(&config)
    };
    assert_eq!(say("local"), ["t.errand.tally"]);
    assert_eq!(pair.run("f", 1, 5).await, Ok(105), "here");
    assert_eq!(pair.link().target, "local");
    say("http://elsewhere:8083/");
    pair.run("g", 2, 5).await.expect("the wire leads there all the same");
    assert_eq!(pair.wire.asks.lock().unwrap().last().expect("asked").0, "http://elsewhere:8083");
}

#[tokio::test(start_paused = true)]
async fn without_a_carrier_nobody_is_reached() {
    let here = start_with(&memory(), "[link.t.errand.tally]\ntarget = \"http://there\"").await;
    let refused = here.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 5 }).await.expect_err("no carrier");
    assert_eq!(refused.outcome(), Outcome::NotDone);
    assert!(refused.to_string().contains("nothing here carries asks"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn only_what_is_declared_is_answered_and_a_repeat_gets_the_first_answer() {
    let there = start(&memory()).await;
    let ask = |command: &str, body, id| RemoteAsk {
        kind: "t.tally".to_owned(),
        to: Address::Key(crate::Key::new("x").expect("a key")),
        command: command.to_owned(),
        body,
        id: CommandId::from_bits(id),
        correlation: "c".to_owned(),
        within_ms: 1000,
    };
    for _ in 0..2 {
        assert_eq!(there.answer(ask("add", json!({"n": 4}), 1)).await, Ok(RemoteAnswer::Reply(json!(4))));
    }
    let zero = there.answer(ask("add", json!({"n": 0}), 2)).await;
    assert_eq!(zero, Ok(RemoteAnswer::Error(AskError::Rejected(json!("Zero")))));
    assert!(matches!(there.answer(ask("close", json!(null), 3)).await, Err(AnswerError::Unknown { .. })));
    assert!(matches!(there.answer(ask("add", json!({"m": 1}), 4)).await, Err(AnswerError::Unreadable { .. })));
    assert_eq!(there.entities::<Tally>().get(&key("x")).await.expect("there").expect("known").state.adds, 1);
}
