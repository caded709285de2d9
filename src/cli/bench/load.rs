//! Users: each sends one request after another and counts what it is told.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::anyhow;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::task::TaskTracker;

use super::{
    client::{Answer, Client, NoAnswer, Site},
    scenario::{Run, Scenario, Turn},
    tally::{Tally, Verdict},
};

/// What all users together remember of what they were told, 8 bytes each; a user whose share is used up ends its load.
const REMEMBERED: usize = 4_000_000;

/// When users send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The next request when the last was answered; after a refusal, when the answer says to come back.
    Answers,
    /// So many requests in a second, all users together, whatever the answers are. Times count from when a request was
    /// due, so that a server that is late cannot hide it.
    PerSecond(u32),
}

/// A load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) scenario: &'static Scenario,
    pub(super) pace: Pace,
    /// Number of the first user: no two loads on the same books share one.
    pub(super) first: u32,
    pub(super) users: u32,
    pub(super) lasting: Duration,
}

/// What all users were told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) tally: Tally,
    pub(super) acknowledged: BTreeSet<u64>,
    /// From the first request to the last answer.
    pub(super) took: Duration,
}

impl Heard {
    /// What was heard before and now.
    pub(super) fn add(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.acknowledged.extend(other.acknowledged);
        self.took += other.took;
    }
}

impl Load {
    /// Puts the load on the site, and returns when every user has its last answer.
    pub(super) async fn run(self, site: &Site, run: &Arc<Run>) -> anyhow::Result<Heard> {
        let (tasks, mut users, begun) = (TaskTracker::new(), JoinSet::new(), Instant::now());
        for nth in 0..self.users {
            let (client, run) = (Client::new(site, &tasks), run.clone());
            users.spawn(self.user(nth, client, run, begun));
        }
        let mut heard = Heard::default();
        while let Some(ended) = users.join_next().await {
            let (tally, acknowledged) = ended.map_err(|error| anyhow!("a user of the load failed: {error}"))?;
            heard.tally.add(tally);
            heard.acknowledged.extend(acknowledged);
        }
        heard.took = begun.elapsed();
        tasks.close();
        tasks.wait().await;
        Ok(heard)
    }

    async fn user(self, nth: u32, mut client: Client, run: Arc<Run>, begun: Instant) -> (Tally, Vec<u64>) {
        let (mut tally, mut acknowledged) = (Tally::default(), Vec::new());
        let (end, share) = (begun + self.lasting, REMEMBERED / self.users.max(1) as usize);
        let mut due = self.first_due(nth, begun);
        let mut turn = Turn { user: self.first + nth, nth: 0, run };
        while due < end && acknowledged.len() < share {
            sleep_until(due).await;
            let sent = if self.pace == Pace::Answers { Instant::now() } else { due };
            let answered = client.send(&(self.scenario.call)(&turn)).await;
            let came_back = answered.as_ref().ok().and_then(Answer::retry_after);
            let told = answered.as_ref().ok().and_then(|answer| (self.scenario.told)(answer, &turn));
            acknowledged.extend(told);
            let verdict = if told.is_some() { Verdict::Ok } else { unwelcome(&answered) };
            let was_refused = matches!(verdict, Verdict::Refused(_));
            tally.count(verdict, sent.elapsed());
            turn.nth += 1;
            due = match self.pace {
                Pace::Answers => Instant::now() + came_back.filter(|_| was_refused).unwrap_or_default(),
                Pace::PerSecond(_) => due + self.period(),
            };
        }
        (tally, acknowledged)
    }

    /// The time between two requests of one user.
    fn period(&self) -> Duration {
        match self.pace {
            Pace::Answers => Duration::ZERO,
            Pace::PerSecond(rate) => Duration::from_secs(1) * self.users / rate.max(1),
        }
    }

    /// Users of a rate begin one after the other, evenly.
    fn first_due(&self, nth: u32, begun: Instant) -> Instant {
        begun + self.period() * nth / self.users.max(1)
    }
}

/// What an answer that is not the hoped-for one says.
fn unwelcome(answered: &Result<Answer, NoAnswer>) -> Verdict {
    match answered {
        Err(NoAnswer { why, sent }) => Verdict::Failed { why: why.clone(), unknown: *sent },
        Ok(answer) => {
            let (status, code) = (answer.status, answer.code());
            let why = format!("{status} {}", code.as_deref().unwrap_or("untyped"));
            let is_refusal = matches!(status, 429 | 503) && code.is_some() && answer.retry_after().is_some();
            // 503 says that nothing was done, and so does the whole of 4xx; of the rest nobody knows.
            let unknown = !(matches!(status, 400..=499) || (status == 503 && code.is_some()));
            if is_refusal { Verdict::Refused(why) } else { Verdict::Failed { why, unknown } }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        Answer { status, headers: map, body: r#"{"code":"EXPIRED"}"#.into() }
    }

    #[test]
    fn a_refusal_is_typed_and_says_when_to_come_back_and_all_else_is_a_failure() {
        let (typed, after) = (("content-type", "application/problem+json"), ("retry-after", "1"));
        let failed = |why: &str, unknown| Verdict::Failed { why: why.to_owned(), unknown };
        assert_eq!(unwelcome(&Ok(answer(503, &[typed, after]))), Verdict::Refused("503 EXPIRED".into()));
        assert_eq!(unwelcome(&Ok(answer(429, &[typed, after]))), Verdict::Refused("429 EXPIRED".into()));
        assert_eq!(unwelcome(&Ok(answer(503, &[typed]))), failed("503 EXPIRED", false));
        assert_eq!(unwelcome(&Ok(answer(503, &[after]))), failed("503 untyped", true));
        assert_eq!(unwelcome(&Ok(answer(504, &[typed, after]))), failed("504 EXPIRED", true));
        assert_eq!(unwelcome(&Ok(answer(500, &[typed]))), failed("500 EXPIRED", true));
        assert_eq!(unwelcome(&Ok(answer(409, &[typed]))), failed("409 EXPIRED", false));
        assert_eq!(unwelcome(&Ok(answer(202, &[]))), failed("202 untyped", true));
        let lost = |sent| Err(NoAnswer { why: "broken off".into(), sent });
        assert_eq!(unwelcome(&lost(true)), failed("broken off", true));
        assert_eq!(unwelcome(&lost(false)), failed("broken off", false));
    }

    #[test]
    fn a_rate_is_spread_evenly_over_the_users() {
        let load = Load {
            scenario: &super::super::scenario::STATION,
            pace: Pace::PerSecond(800),
            first: 0,
            users: 400,
            lasting: Duration::from_secs(1),
        };
        assert_eq!(load.period(), Duration::from_millis(500));
        let begun = Instant::now();
        assert_eq!(load.first_due(200, begun) - begun, Duration::from_millis(250));
    }
}
