//! The systems that this program runs: a row for each, and nothing else knows them all.

use std::net::SocketAddr;

use steadfast::{
    AnySettings, ConfigError, Configuration, Service, ServiceModel, Settings, ShownValue, SupervisionConfig, System,
    http::{self, Resource},
    library, procurement, station, stay, store,
};

type ReadSwitches = fn(&SupervisionConfig) -> Result<(AnySettings, Vec<ShownValue>), ConfigError>;

/// One system as the program sees it.
pub(super) struct Known {
    /// In paths, names of services and the configuration.
    pub(super) name: &'static str,
    /// The gateway port of the old system.
    pub(super) port: u16,
    /// The ports of the old services.
    pub(super) service_ports: &'static [(&'static str, u16)],
    pub(super) services: fn() -> Vec<Service>,
    pub(super) model: fn() -> Vec<ServiceModel>,
    pub(super) resources: fn(&System) -> Vec<Resource>,
    /// Its switches; `None` for a system that has none.
    settings: Option<ReadSwitches>,
}

/// In a process with several systems, the service ports of the n-th are higher by n times this.
const APART: u16 = 1000;
/// The name that stands for all of them, and the port of their common gateway.
pub(super) const ALL: &str = "all";
const ALL_PORT: u16 = 8088;

/// In this order their service ports are apart.
static FLEET: &[Known] = &[STORE, STAY, LIBRARY, STATION, PROCUREMENT];

const STORE: Known = Known {
    name: store::NAME,
    port: 8088,
    service_ports: &[("order", 8081), ("delivery", 8082), ("product", 8083), ("payment", 8084), ("alarm", 8085)],
    services: store::services,
    model: store::services,
    resources: http::store,
    settings: None,
};

const STAY: Known = Known {
    name: stay::NAME,
    port: 8080,
    service_ports: &[
        ("room", 8081),
        ("booking", 8082),
        ("pay", 8083),
        ("mypage", 8084),
        ("review", 8085),
        ("alarm", 8086),
    ],
    services: stay::services,
    model: stay::services,
    resources: http::stay,
    settings: Some(switches::<stay::StaySettings>),
};

const LIBRARY: Known = Known {
    name: library::NAME,
    port: 8088,
    service_ports: &[("order", 8081), ("rent", 8082), ("delivery", 8083), ("mypage", 8084)],
    services: library::services,
    model: library::services,
    resources: http::library,
    settings: None,
};

const STATION: Known = Known {
    name: station::NAME,
    port: 8080,
    service_ports: &[("POS", 8081), ("Station", 8082), ("Order", 8083), ("Logistics", 8084)],
    services: station::services,
    model: station::services,
    resources: http::station,
    settings: Some(switches::<station::StationSettings>),
};

const PROCUREMENT: Known = Known {
    name: procurement::NAME,
    port: 8088,
    service_ports: &[
        ("procurementmanagement", 8081),
        ("procurementrequest", 8082),
        ("goodsdelivery", 8083),
        ("mypage", 8084),
        ("notification", 8085),
    ],
    services: procurement::services,
    model: procurement::services,
    resources: http::procurement,
    settings: Some(switches::<procurement::ProcurementSettings>),
};

/// What `--system` takes.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FLEET.iter().map(|known| known.name).chain([ALL])
}

/// The systems that one process runs.
#[derive(Clone, Copy)]
pub(super) struct Fleet(&'static [Known]);

impl Fleet {
    /// The one with this name, or all of them.
    pub(super) fn named(name: &str) -> Self {
        let one = FLEET.iter().position(|known| known.name == name);
        Self(one.and_then(|at| FLEET.get(at..=at)).unwrap_or(FLEET))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'static Known> {
        self.0.iter()
    }

    /// Whether it is one system, whose resources are at the root as well.
    pub(super) fn is_single(self) -> bool {
        self.0.len() == 1
    }

    /// The public port unless another is given.
    fn port(self) -> u16 {
        match self.0 {
            [only] => only.port,
            _ => ALL_PORT,
        }
    }

    /// The public address unless another is given.
    pub(super) fn address(self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port()))
    }

    /// System, service and port of every service port.
    pub(super) fn service_ports(self) -> impl Iterator<Item = (&'static Known, &'static str, u16)> {
        let apart = if self.is_single() { 0 } else { APART };
        self.0.iter().zip(0_u16..).flat_map(move |(known, nth)| {
            known.service_ports.iter().map(move |(service, port)| (known, *service, port + nth * apart))
        })
    }

    /// Whether one of these services, `<system>/<service>`, is of one of these systems.
    pub(super) fn has_any(self, services: &[String]) -> bool {
        let systems = services.iter().filter_map(|service| service.split_once('/')).map(|(system, _)| system);
        systems.into_iter().any(|system| self.0.iter().any(|known| known.name.eq_ignore_ascii_case(system)))
    }

    /// The whole configuration: also what only the systems understand of it is read and checked, and `shown` with it.
    ///
    /// # Errors
    /// A switch that its system cannot read, or that no system of this program would.
    pub(super) fn configure(
        self,
        supervision: SupervisionConfig,
        mut shown: Vec<ShownValue>,
    ) -> Result<Configuration, ConfigError> {
        let readers: Vec<_> = FLEET.iter().filter(|known| known.settings.is_some()).map(|known| known.name).collect();
        supervision.refuse_switches_of_others(&readers)?;
        let mut settings = Vec::new();
        for read in self.0.iter().filter_map(|known| known.settings) {
            let (switches, values) = read(&supervision)?;
            settings.push(switches);
            shown.extend(values);
        }
        if supervision.server.listen.is_none() {
            shown.push(ShownValue::default_of("server.listen", format!("\"{}\"", self.address())));
        }
        shown.sort();
        Ok(Configuration { supervision, settings, shown })
    }

    /// Every resource of every system.
    pub(super) fn resources(self, system: &System) -> Vec<Resource> {
        self.0.iter().flat_map(|known| (known.resources)(system)).collect()
    }
}

/// Reads the switches of one type, with the environment's own names for them.
fn switches<S: Settings>(config: &SupervisionConfig) -> Result<(AnySettings, Vec<ShownValue>), ConfigError> {
    let variable = |name: &str| std::env::var(name).ok();
    Ok((AnySettings::of(config.settings::<S>(variable)?), config.shown_settings::<S>(variable)?))
}
