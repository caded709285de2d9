//! `steadfast config`: is the file right, and what holds?

use std::{collections::BTreeMap, io::ErrorKind, path::PathBuf};

use clap::{Args, Subcommand};
use steadfast::{
    Configuration, ShownValue, SupervisionConfig, System,
    http::{Guard, GuardError},
    outbound,
    persistence::{self, StorageConfig},
};

use super::{
    Exit, complain,
    fleet::{self, Fleet},
    layers::Layers,
    listeners::{grpc_is_served, guarded},
    say,
    serve::storage_config,
};

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Validates a file and says where the first broken rule is.
    Check {
        /// The file.
        #[arg(default_value = "supervision.toml")]
        file: PathBuf,
    },
    /// Shows every key with the value that a server started with these flags has, and where it comes from.
    Show(Box<Show>),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    layers: Layers,
    /// As a JSON array of objects.
    #[arg(long)]
    json: bool,
}

impl Config {
    pub(super) fn run(self) -> Result<(), Exit> {
        match self {
            Self::Check { file } => check(&file),
            Self::Show(show) => show.run(),
        }
    }
}

/// All of it, also the switches of every system, and the files of keys that it names.
fn check(file: &std::path::Path) -> Result<(), Exit> {
    // An absent file is an empty one when serving; whoever asks about a file means that there is one.
    if !file.exists() {
        return Err(Exit::Usage(anyhow::anyhow!("{} does not exist", file.display())));
    }
    let config = SupervisionConfig::load_with(file, std::env::vars()).map_err(|error| Exit::Usage(error.into()))?;
    let public: Vec<_> = config.server.listen.into_iter().chain(config.server.grpc_listen).collect();
    guarded(&public, config.server.admin_listen, &config)?;
    match Guard::of(&config) {
        // They may be where it is meant for, and not here.
        Err(GuardError::Unreadable { path, source }) if source.kind() == ErrorKind::NotFound => {
            complain(&format!("{} is not here, and was not looked at", path.display()));
        }
        guard => guard.map(drop).map_err(|error| Exit::Usage(error.into()))?,
    }
    let fleet = Fleet::named(fleet::ALL);
    if config.server.grpc_listen.is_some() {
        grpc_is_served(fleet)?;
    }
    let Configuration { supervision, settings, .. } =
        fleet.configure(config, Vec::new()).map_err(|error| Exit::Usage(error.into()))?;
    // What every system would say of it at its start, over a journal of none.
    let memory = persistence::Backend::Memory;
    let units =
        StorageConfig { journal: memory, backends: BTreeMap::new(), ..storage_config(fleet, &supervision.storage) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| Exit::Other(error.into()))?;
    let _entered = runtime.enter();
    let storage = persistence::open(&units).map_err(|error| Exit::Usage(error.into()))?;
    let mut builder = System::builder(storage).supervision(supervision).connectors(outbound::connector);
    for known in fleet.iter() {
        builder = builder.system(known.name, (known.services)());
    }
    for settings in settings {
        builder = builder.settings(settings);
    }
    builder.check().map_err(|error| Exit::Usage(error.into()))?;
    say(&format!("{} is valid", file.display()));
    Ok(())
}

impl Show {
    fn run(self) -> Result<(), Exit> {
        let configuration = self.layers.read().map_err(|error| Exit::Usage(error.into()))?;
        if self.json {
            let text = serde_json::to_string_pretty(&configuration.shown).map_err(|error| Exit::Other(error.into()))?;
            say(&text);
            return Ok(());
        }
        let lines: Vec<(String, &ShownValue)> =
            configuration.shown.iter().map(|shown| (format!("{} = {}", shown.key, shown.value), shown)).collect();
        // A long list would push all origins out of sight.
        let width = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= 72).max().unwrap_or(0);
        for (line, shown) in &lines {
            say(&format!("{line:width$}  # {}", shown.origin));
        }
        Ok(())
    }
}
