use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::{task::spawn_blocking, time::sleep};

use super::Guard;
use crate::{Clock, Failure, Process, ReadBy, Reloads, Running, Stop, SupervisionConfig, http::Audit};

/// Between two looks at the files: whoever renews a certificate does not wait for it, and a look is a few calls of stat.
const LOOK: Duration = Duration::from_secs(2);

/// Reads the files of keys again when they change. Those who replace a file may do so in several steps: what cannot be
/// used is told, changes nothing, and is looked at again when it changes again.
#[derive(Clone, Debug)]
pub struct KeyWatch {
    guard: Guard,
    audit: Audit,
    clock: Clock,
}

/// What tells one state of a file from another: when it was changed, how long it is, which file it is.
type Sight = Vec<Option<(SystemTime, u64, u64)>>;

impl KeyWatch {
    pub(super) fn new(guard: Guard, audit: Audit, clock: Clock) -> Self {
        Self { guard, audit, clock }
    }

    async fn run(self, stop: Stop) {
        let mut seen = self.look().await;
        loop {
            tokio::select! {
                () = stop.requested() => return,
                () = sleep(LOOK) => {}
            }
            let sight = self.look().await;
            if sight != seen {
                seen = sight;
                self.reload().await;
            }
        }
    }

    async fn look(&self) -> Sight {
        let guard = self.guard.clone();
        spawn_blocking(move || files(&guard.config()).iter().map(|file| state(file)).collect())
            .await
            .unwrap_or_default()
    }

    async fn reload(&self) {
        let guard = self.guard.clone();
        let read = async {
            let read = spawn_blocking(move || guard.prepare(&guard.config()).map(|apply| apply())).await;
            read.unwrap_or_else(|error| Err(format!("reading them failed: {error}")))
        };
        match self.audit.around(ReadBy::File, "keys", &self.clock, read).await {
            Ok(changed) => tracing::info!(?changed, "files of keys were read again"),
            Err(why) => {
                tracing::error!(%why, "files of keys changed and cannot be used; what held goes on holding");
            }
        }
    }
}

impl Process for KeyWatch {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let this = self.clone();
        async move { Ok(this.run(stop).map(Ok).boxed()) }.boxed()
    }
}

/// The files that are worth a look.
fn files(config: &SupervisionConfig) -> Vec<PathBuf> {
    let auth = &config.auth;
    let keys = [&config.admin.token_file, &auth.secret_file, &auth.jwks_file, &auth.keys_file];
    let tls = config.server.tls.iter().flat_map(|tls| [&tls.cert_file, &tls.key_file]);
    keys.into_iter().flatten().chain(tls).cloned().collect()
}

fn state(file: &Path) -> Option<(SystemTime, u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let state = fs::metadata(file).ok()?;
    Some((state.modified().ok()?, state.len(), state.ino()))
}
