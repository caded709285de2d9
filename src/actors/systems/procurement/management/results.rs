//! How the inspection went, as far as the delivery order has heard.

use serde::{Deserialize, Serialize};

use super::{DeliveryManagement, Errand, ManagementEvent, ManagementRejection, Phase, REFUSED_AGENCY};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::procurement::values::Company,
};

impl DeliveryManagement {
    /// At most this many results are remembered: what was before the last of them matters only until it is
    /// known to stand, and at most one is in the air at a time.
    pub const MAX_RESULTS: usize = 8;
    /// At most this many voided rounds are remembered one by one; what comes later than that many voids
    /// after it is voided too.
    pub const MAX_VOIDED: usize = 64;

    /// How the inspection went, as far as anybody told.
    pub(super) fn passed(&self) -> Option<bool> {
        self.results.last().map(|(_, passed)| *passed)
    }

    fn is_voided(&self, round: u32) -> bool {
        let forgotten = self.voided.len() >= Self::MAX_VOIDED;
        self.voided.contains(&round) || (forgotten && self.voided.first().is_some_and(|oldest| round < *oldest))
    }

    pub(super) fn heard(&mut self, round: u32, passed: bool) {
        self.results.retain(|(known, _)| *known != round);
        let at = self.results.partition_point(|(known, _)| *known < round);
        self.results.insert(at, (round, passed));
        if self.results.len() > Self::MAX_RESULTS {
            self.results.remove(0);
        }
    }

    pub(super) fn void(&mut self, round: u32) {
        self.results.retain(|(known, _)| *known != round);
        if let Err(at) = self.voided.binary_search(&round) {
            self.voided.insert(at, round);
        }
        if self.voided.len() > Self::MAX_VOIDED {
            self.voided.remove(0);
        }
    }

    /// The round after all that are known, for an announcement that has none.
    fn latest(&self) -> u32 {
        let known = self.results.last().map(|(round, _)| *round);
        known.max(self.voided.last().copied()).unwrap_or(0)
    }
}

/// Tells the order how the inspection went. Emits nothing in public (D-11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnnounceResult {
    /// The round of the request that announces; none when somebody else does, who cannot give it up.
    pub announcement: Option<u32>,
    /// Who delivered; what is not given stays (D-7).
    pub company: Company,
    /// How it went.
    pub passed: bool,
}

impl Command<DeliveryManagement> for AnnounceResult {
    const NAME: &'static str = "announce-result";
    type Reply = ();
    fn decide(self, order: &DeliveryManagement, _: &CommandContext) -> Decision<DeliveryManagement, ()> {
        order.standing()?;
        if order.demand.proc_agency.as_deref() == Some(REFUSED_AGENCY) {
            return Err(ManagementRejection::AgencyRefused);
        }
        self.company.check()?;
        let Self { announcement, company, passed } = self;
        if announcement.is_some_and(|round| order.is_voided(round)) {
            return Err(ManagementRejection::Voided);
        }
        let company = company.over(&order.company);
        if announcement.is_none() && company == order.company && order.passed() == Some(passed) {
            return Ok(Effects::reply(()));
        }
        let round = announcement.unwrap_or_else(|| order.latest());
        Ok(persist([ManagementEvent::ResultAnnounced { round, passed, company }]).reply(()))
    }
}

/// Tells the order that the inspection failed (D-8). A later round that it has heard of counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HearFailure {
    /// The round of the request that recorded it.
    pub round: u32,
}

impl Command<DeliveryManagement> for HearFailure {
    const NAME: &'static str = "hear-failure";
    type Reply = ();
    fn decide(self, order: &DeliveryManagement, _: &CommandContext) -> Decision<DeliveryManagement, ()> {
        let (round, company) = (self.round, order.company.clone());
        match order.phase {
            Phase::Standing => {
                Ok(persist([ManagementEvent::ResultAnnounced { round, passed: false, company }]).reply(()))
            }
            Phase::New | Phase::Gone => Ok(order.pass_on(Errand::Fail(round))),
        }
    }
}

/// Makes sure that an announcement that was given up does not count, whether it came before, comes later, or
/// never comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoidAnnouncement {
    /// Its round.
    pub round: u32,
}

impl Command<DeliveryManagement> for VoidAnnouncement {
    const NAME: &'static str = "void-announcement";
    type Reply = ();
    fn decide(self, order: &DeliveryManagement, _: &CommandContext) -> Decision<DeliveryManagement, ()> {
        let round = self.round;
        match order.phase {
            Phase::Standing if !order.is_voided(round) => {
                Ok(persist([ManagementEvent::AnnouncementVoided { round }]).reply(()))
            }
            // Neither an order that is gone nor one that never was hears of anything.
            Phase::New | Phase::Standing | Phase::Gone => Ok(Effects::reply(())),
        }
    }
}
