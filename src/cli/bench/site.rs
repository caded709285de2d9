//! A server as a bench sees it: it is prepared, comes to rest, and shows its books.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, anyhow, bail};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::{
    audit::{Books, Effects},
    client::{Call, Client, Site},
    load::Heard,
    scenario::{Fault, Part, Run, Scenario},
};

/// Between two looks at the breakers.
const LOOK: Duration = Duration::from_millis(100);
/// What a page of a collection holds.
const PAGE: u64 = 1000;
/// How long the server is given to finish what a load has begun.
const QUIET_WITHIN: Duration = Duration::from_mins(3);
/// And in one request.
const QUIET_ASKED: Duration = Duration::from_secs(10);

/// A server with its operators' address.
#[derive(Debug)]
pub(super) struct Operated {
    pub(super) public: Site,
    client: Client,
    operator: Client,
}

/// A service that was slow.
#[derive(Debug, Serialize)]
pub(super) struct Slow {
    pub(super) service: &'static str,
    /// How often.
    pub(super) times: u64,
}

impl Operated {
    pub(super) fn new(public: &Site, admin: &Site) -> Self {
        let tasks = TaskTracker::new();
        Self { public: public.clone(), client: Client::new(public, &tasks), operator: Client::new(admin, &tasks) }
    }

    /// Creates what a scenario needs; the numbers.
    ///
    /// # Errors
    /// One of them was not created.
    pub(super) async fn prepare(&mut self, calls: &[Call]) -> anyhow::Result<Vec<u64>> {
        let mut created = Vec::with_capacity(calls.len());
        for call in calls {
            let answer = self.client.must(call).await.context("cannot prepare the load")?;
            created.push(answer.located().ok_or_else(|| anyhow!("cannot prepare the load: {call:?} has no number"))?);
        }
        Ok(created)
    }

    /// Makes a service slow; the address of the fault.
    ///
    /// # Errors
    /// The server does not allow it, or has no such service.
    pub(super) async fn inject(&mut self, fault: &Fault, lasting: Duration) -> anyhow::Result<String> {
        let answer = self.operator.must(&Call::post("/admin/faults").json(&fault.plan(lasting))).await;
        let told = answer.with_context(|| format!("cannot make {} slow", fault.target))?.json();
        let id = told.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
        Ok(format!("/admin/faults/{}", id.ok_or_else(|| anyhow!("the fault has no id: {told}"))?))
    }

    /// Makes everything as quick as before; how often it was slow.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub(super) async fn end_all(&mut self, injected: &mut Vec<(&'static Fault, String)>) -> anyhow::Result<Vec<Slow>> {
        let mut slow = Vec::new();
        for (fault, address) in injected.drain(..) {
            slow.push(Slow { service: fault.target, times: self.end(&address).await? });
        }
        Ok(slow)
    }

    /// Makes a service as quick as before; how often it was slow.
    ///
    /// # Errors
    /// The fault had ended before.
    async fn end(&mut self, fault: &str) -> anyhow::Result<u64> {
        let told = self.operator.must(&Call::delete(fault)).await.context("a service was not slow to the end")?.json();
        told.get("fired").and_then(Value::as_u64).ok_or_else(|| anyhow!("it is not told how often: {told}"))
    }

    /// Waits until nothing is under way any more.
    ///
    /// # Errors
    /// Something still is after [`QUIET_WITHIN`], with what it is.
    pub(super) async fn quiesce(&mut self) -> anyhow::Result<()> {
        let call = Call::get(format!("/admin/quiesce?within={}s", QUIET_ASKED.as_secs()));
        let mut waited = Duration::ZERO;
        loop {
            let answer = self.operator.send(&call).await.context("cannot ask the operators' address")?;
            match answer.status {
                200 => return Ok(()),
                503 if waited < QUIET_WITHIN => waited += QUIET_ASKED,
                status => bail!("it does not come to rest ({status}): {}", answer.json()),
            }
        }
    }

    /// Waits until no breaker keeps calls away any more: each is open for a time, however well the callee is again.
    ///
    /// # Errors
    /// One still does after [`QUIET_WITHIN`].
    pub(super) async fn recover(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let links = self.operator.must(&Call::get("/admin/breakers")).await?.json();
            let is_open = |link: &Value| link.get("state").is_some_and(|state| state == "open");
            let open = links.as_array().and_then(|links| links.iter().find(|link| is_open(link)));
            match open {
                None => return Ok(()),
                Some(link) if begun.elapsed() > QUIET_WITHIN => bail!("its breaker stays open: {link}"),
                Some(_) => sleep(LOOK).await,
            }
        }
    }

    /// The books as they are, beside what was heard.
    ///
    /// # Errors
    /// A collection cannot be read.
    pub(super) async fn books(&mut self, scenario: &Scenario, run: &Run, heard: &Heard) -> anyhow::Result<Books> {
        let items = self.all(scenario.items.collection).await?;
        let standing = items.iter().filter_map(|item| (scenario.items.number)(item, run)).collect();
        let mut effects = Vec::new();
        for partner in scenario.partners {
            let (mut done, mut voided) = (BTreeMap::new(), BTreeMap::new());
            for row in self.all(partner.collection).await? {
                match (partner.part)(&row, run) {
                    Some(Part::Done(of)) => *done.entry(of).or_default() += 1,
                    Some(Part::Void(of)) => *voided.entry(of).or_default() += 1,
                    None => {}
                }
            }
            effects.push(Effects { name: partner.collection, done, voided, void_is_a_row: partner.void_is_a_row });
        }
        Ok(Books { acknowledged: heard.acknowledged.clone(), unknown: heard.tally.unknown, standing, effects })
    }

    /// Every item of a collection.
    async fn all(&mut self, collection: &str) -> anyhow::Result<Vec<Value>> {
        let (mut all, mut page) = (Vec::new(), 0);
        loop {
            let call = Call::get(format!("/{collection}?size={PAGE}&page={page}"));
            let mut body = self.client.must(&call).await.context("cannot read the books")?.json();
            let pages = body.pointer("/page/totalPages").and_then(Value::as_u64);
            let pages = pages.ok_or_else(|| anyhow!("{collection} has no pages"))?;
            match body.pointer_mut(&format!("/_embedded/{collection}")).map(Value::take) {
                Some(Value::Array(items)) => all.extend(items),
                _ => bail!("{collection} shows no items"),
            }
            page += 1;
            if page >= pages {
                return Ok(all);
            }
        }
    }
}
