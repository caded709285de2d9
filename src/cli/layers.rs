//! The layers of the configuration as the command line has them: file, environment, flags; later wins.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum, builder::PossibleValuesParser};
use steadfast::{ConfigError, Configuration, FlagValue, SupervisionConfig};

use super::fleet::{self, Fleet};

#[derive(Debug, Clone, Args)]
pub(super) struct Layers {
    /// Which system; its resources are then at the root as well.
    #[arg(long, value_parser = PossibleValuesParser::new(fleet::names()), default_value = fleet::ALL)]
    system: String,
    /// The public address; port 0 takes a free one [default: 127.0.0.1 and the system's gateway port, 8088 for all].
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The operators' address [default: 127.0.0.1:9900].
    #[arg(long)]
    admin_listen: Option<SocketAddr>,
    /// The data directory [default: ./data].
    #[arg(long)]
    data: Option<String>,
    /// The configuration; an absent file is an empty one.
    #[arg(long, default_value = "supervision.toml")]
    config: PathBuf,
    /// A listener for each service as well, on the host of the public address [default when given: fixed].
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "fixed")]
    service_ports: Option<Ports>,
    /// Serves addresses that other machines can reach although nobody is asked who he is ([auth] open).
    #[arg(long)]
    open: bool,
    /// What keeps the journal [default: segments].
    #[arg(long, value_enum)]
    journal: Option<Journal>,
    /// Writes the bound addresses and the process id here, as JSON, once it serves.
    #[arg(long)]
    ready_file: Option<String>,
}

/// Listeners for each service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ports {
    /// On the ports of the old services; with all systems, 1000 apart.
    Fixed,
    /// On free ports, which the ready file tells.
    Free,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Journal {
    Segments,
    Sled,
    Memory,
}

impl Layers {
    pub(super) fn fleet(&self) -> Fleet {
        Fleet::named(&self.system)
    }

    /// The file, which may be absent.
    pub(super) fn file(&self) -> &Path {
        &self.config
    }

    /// Reads them all.
    ///
    /// # Errors
    /// The first broken rule and where it stands.
    pub(super) fn read(&self) -> Result<Configuration, ConfigError> {
        let (supervision, shown) = SupervisionConfig::load_layers(&self.config, std::env::vars(), self.flags())?;
        self.fleet().configure(supervision, shown)
    }

    fn flags(&self) -> impl Iterator<Item = FlagValue> {
        let flag = |flag, key, value: Option<String>| value.map(|value| FlagValue { flag, key, value });
        [
            flag("--listen", "server.listen", self.listen.map(|address| address.to_string())),
            flag("--admin-listen", "server.admin_listen", self.admin_listen.map(|address| address.to_string())),
            flag("--data", "storage.data", self.data.clone()),
            flag("--service-ports", "server.service_ports", self.service_ports.as_ref().map(said)),
            flag("--journal", "storage.journal", self.journal.as_ref().map(said)),
            flag("--open", "auth.open", self.open.then(|| "true".to_owned())),
            flag("--ready-file", "server.ready_file", self.ready_file.clone()),
        ]
        .into_iter()
        .flatten()
    }
}

/// The word of the command line, which is that of the file.
fn said(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
