//! Views as operators see them: which there are, and their rebuilds.

use std::sync::Arc;

use super::{
    consumer::{Consumer, Lane},
    projector::{Rebuild, RebuildError, RebuildStatus},
    system::System,
};
use crate::persistence::PartitionId;

impl System {
    /// Begins to build the rows of a view anew from the first event on, beside those in use. Reads are served from the
    /// old rows until the new ones are compared with them and, all at once, take their place; a process that ends
    /// before leaves the old ones. Views are rebuilt one at a time; others wait for their turn. `view` is its name as
    /// [`consumers`](Self::consumers) tells it, or the part behind the dot.
    ///
    /// # Errors
    /// [`RebuildError`]
    pub fn rebuild_view(&self, system: &str, view: &str) -> Result<RebuildStatus, RebuildError> {
        let (consumer, rebuild) = self.view(system, view)?;
        self.accepts(consumer.system, consumer.service).map_err(RebuildError::Unavailable)?;
        let first = |lane: &Lane| lane.unit.journal.first(PartitionId(lane.partition));
        if let Some(lane) = consumer.lanes.iter().find(|lane| first(lane) > 1) {
            let (view, unit, partition, first) = (consumer.name, &lane.unit.name, lane.partition, first(lane));
            return Err(RebuildError::HistoryDeleted(format!(
                "{view} would be made of all events, and the first that is there of {unit}/{partition} is at position \
                 {first}: older history was deleted"
            )));
        }
        let asked = rebuild.ask(consumer.system, consumer.name)?;
        consumer.wake.notify_one();
        Ok(asked)
    }

    /// The last rebuild of a view since the process started; `None` when there was none.
    ///
    /// # Errors
    /// [`RebuildError::Unknown`]
    pub fn view_rebuild(&self, system: &str, view: &str) -> Result<Option<RebuildStatus>, RebuildError> {
        Ok(self.view(system, view)?.1.status())
    }

    /// Every view, as `<system>/<view>`.
    pub fn view_names(&self) -> Vec<String> {
        let views = self.inner.rebuilds.iter();
        views.map(|(consumer, _)| format!("{}/{}", consumer.system, consumer.name)).collect()
    }

    fn view(&self, system: &str, view: &str) -> Result<&(Arc<Consumer>, Arc<Rebuild>), RebuildError> {
        let is_it = |consumer: &Consumer| {
            let short = consumer.name.split_once('.').map_or(consumer.name, |(_, short)| short);
            consumer.system.eq_ignore_ascii_case(system) && (consumer.name == view || short == view)
        };
        let known = self.inner.rebuilds.iter().find(|(consumer, _)| is_it(consumer));
        known.ok_or_else(|| RebuildError::Unknown(format!("{system}/{view}")))
    }
}
