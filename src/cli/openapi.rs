//! `steadfast openapi`: the contract, as a running instance serves it at `/openapi.json`.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Args, builder::PossibleValuesParser};
use steadfast::{JournalKind, SupervisionConfig, System, http, persistence};

use super::{
    Exit,
    fleet::{self, Fleet},
    say,
    serve::storage_config,
};

/// What has nothing to do ends at once.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Openapi {
    /// Which system; its resources are then at the root.
    #[arg(long, value_parser = PossibleValuesParser::new(fleet::names()), default_value = fleet::ALL)]
    system: String,
    /// What the operators' listener offers instead.
    #[arg(long, conflicts_with = "system")]
    admin: bool,
    /// The configuration of the instance, which says who is asked who he is; an absent file is an empty one.
    #[arg(long, default_value = "supervision.toml")]
    config: PathBuf,
}

impl Openapi {
    pub(super) fn run(self) -> Result<(), Exit> {
        let config = SupervisionConfig::load_with(&self.config, std::env::vars());
        let config = config.map_err(|error| Exit::Usage(error.into()))?;
        let document = if self.admin {
            http::admin_contract(&config)
        } else {
            of(Fleet::named(&self.system), &config).context("the declarations cannot be read").map_err(Exit::Other)?
        };
        let text = serde_json::to_string_pretty(&document).context("the document cannot be written");
        say(&text.map_err(Exit::Other)?);
        Ok(())
    }
}

/// Resources are declared to a system, so there is one for a moment: in memory, and without listeners.
fn of(fleet: Fleet, told: &SupervisionConfig) -> anyhow::Result<serde_json::Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut config = SupervisionConfig::default();
    config.storage.journal = JournalKind::Memory;
    config.storage.unit_journals.clear();
    let storage = persistence::open(&storage_config(fleet, &config.storage))?;
    runtime.block_on(async move {
        let builder = System::builder(storage).supervision(config);
        let builder = fleet.iter().fold(builder, |builder, known| builder.system(known.name, (known.services)()));
        let system = builder.start().await?;
        let document = http::contract(&fleet.resources(&system), fleet.is_single(), told);
        system.shutdown(ENDS_WITHIN).await;
        Ok(document)
    })
}
