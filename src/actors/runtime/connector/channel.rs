use std::{fmt, sync::Arc};

use super::{super::bulkhead::Bulkhead, Connector};
use crate::actors::supervision::ConnectorConfig;

/// One channel of one system: what carries its notices, and where that may block.
#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) bulkhead: Bulkhead,
    pub(crate) config: ConnectorConfig,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("bulkhead", &self.bulkhead).field("config", &self.config).finish_non_exhaustive()
    }
}
