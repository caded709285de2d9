//! `steadfast config`: is the file right?

use std::path::PathBuf;

use clap::Subcommand;
use steadfast::SupervisionConfig;

use super::{Exit, listeners::guarded, say};

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Validates a file and says where the first broken rule is.
    Check {
        /// The file.
        #[arg(default_value = "supervision.toml")]
        file: PathBuf,
    },
}

impl Config {
    pub(super) fn run(self) -> Result<(), Exit> {
        let Self::Check { file } = self;
        // An absent file is an empty one when serving; whoever asks about a file means that there is one.
        if !file.exists() {
            return Err(Exit::Usage(anyhow::anyhow!("{} does not exist", file.display())));
        }
        let config =
            SupervisionConfig::load_with(&file, std::env::vars()).map_err(|error| Exit::Usage(error.into()))?;
        let public: Vec<_> = config.server.listen.into_iter().collect();
        guarded(&public, config.server.admin_listen, &config)?;
        say(&format!("{} is valid", file.display()));
        Ok(())
    }
}
