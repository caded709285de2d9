use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::Arc,
};

use super::{
    super::{bulkhead::ThreadPool, limits},
    Connect, Connector,
};
use crate::actors::supervision::{ConnectorConfig, SupervisionConfig};

/// One channel of one system: what carries its notices, and where that may block.
#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) bulkhead: ThreadPool,
    pub(crate) config: ConnectorConfig,
}

/// The channels of all systems while they are put together, and the bulkheads that they share.
pub(crate) struct Channels {
    /// `None`: nothing leaves this house.
    connect: Option<Connect>,
    config: SupervisionConfig,
    /// As `<system>.<channel>`, in small letters, whether they are connected or not.
    declared: BTreeMap<String, Option<Channel>>,
    bulkheads: BTreeMap<String, ThreadPool>,
}

impl Channels {
    pub(crate) fn new(connect: Option<Connect>, config: SupervisionConfig) -> Self {
        Self { connect, config, declared: BTreeMap::new(), bulkheads: BTreeMap::new() }
    }

    /// The channel of this name, made the first time; `None` when nothing leaves this house.
    pub(crate) fn channel(&mut self, system: &str, channel: &str) -> Option<Channel> {
        let open = match self.declared.entry(format!("{system}.{channel}").to_ascii_lowercase()) {
            Entry::Occupied(known) => return known.get().clone(),
            Entry::Vacant(open) => open,
        };
        let connected = self.connect.as_ref().map(|connect| {
            let config = self.config.connector(system, channel);
            let limits = limits::threads(self.config.bulkhead(&config.bulkhead));
            let bulkhead = self.bulkheads.entry(config.bulkhead.clone());
            let bulkhead = bulkhead.or_insert_with(|| ThreadPool::new(&config.bulkhead, limits)).clone();
            Channel { connector: connect(&config), bulkhead, config }
        });
        open.insert(connected).clone()
    }

    /// Whether a system has declared this channel, as `<system>.<channel>`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.declared.contains_key(name)
    }

    /// The bulkheads that some channel runs in.
    pub(crate) fn bulkheads(&self) -> impl Iterator<Item = (&str, &ThreadPool)> {
        self.bulkheads.iter().map(|(name, bulkhead)| (name.as_str(), bulkhead))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("bulkhead", &self.bulkhead)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
