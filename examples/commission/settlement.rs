//! The added service: what is settled with the owner of a managed station, day by day.

use serde::{Deserialize, Serialize};
use steadfast::{
    Follows, Recorded, ServiceDeclaration, Sources, Timestamp, View,
    station::{Milli, Sale, SaleEvent, Ticket},
};

/// The name of the added system.
pub(crate) const NAME: &str = "commission";

/// What the owner gets of each won sold, in thousandths.
const FEE: i128 = 30;

/// The service, as any system declares its own.
pub(crate) fn services<S: ServiceDeclaration>() -> Vec<S> {
    vec![S::service("settlement").view::<Settlement>()]
}

/// One day's sales and what was taken back on that day, found by the day (`yyyy-MM-dd`, UTC).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settlement {
    /// Sales of the day.
    pub(crate) sales: u64,
    /// Cancellations of the day, whenever the sale was.
    pub(crate) cancellations: u64,
    /// What they come to, in thousandths of a won.
    pub(crate) amount: i128,
}

impl Settlement {
    /// The owner's part, in thousandths of a won, to the nearest one towards zero.
    pub(crate) fn fee(&self) -> i128 {
        self.amount * FEE / 1000
    }
}

impl View for Settlement {
    const NAME: &'static str = "commission.settlements";
    const VERSION: u32 = 1;
    type Key = String;
    fn sources() -> Sources<Self> {
        Sources::of::<Sale>()
    }
}

impl Follows<Sale> for Settlement {
    fn key(event: &Recorded<Sale>) -> Option<String> {
        counted(&event.event).map(|_| day(event.at))
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Sale>) {
        let Some((ticket, times)) = counted(&event.event) else { return };
        let row = row.get_or_insert_default();
        let count = if times > 0 { &mut row.sales } else { &mut row.cancellations };
        *count += 1;
        row.amount += times * thousandths(ticket.amount);
    }
}

/// What an event adds to the day: a sale once, a cancellation once less. Everything else is the station's own.
fn counted(event: &SaleEvent) -> Option<(&Ticket, i128)> {
    match event {
        SaleEvent::Sold(ticket) => Some((ticket, 1)),
        SaleEvent::CanceledSold(ticket) => Some((ticket, -1)),
        SaleEvent::SaleBegun { .. } | SaleEvent::SaleGivenUp { .. } | SaleEvent::SaleVoidRequested { .. } => None,
    }
}

fn thousandths(amount: Milli) -> i128 {
    amount.thousandths().into()
}

/// The day of a moment in UTC: the same wherever and whenever history is read again.
fn day(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%Y-%m-%d").to_string()
}
