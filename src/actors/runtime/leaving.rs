//! An operator's wish that the process ends. The runtime only keeps it: whoever runs the process ends it as at SIGTERM.

use super::system::System;

impl System {
    /// Wishes that the process ends as it does at SIGTERM. From now on the system is not [ready](Self::not_ready); all else
    /// goes on until whoever runs the process, who waits for [`drain_wanted`](Self::drain_wanted), shuts it down. The same
    /// again changes nothing, and nothing takes it back.
    pub fn drain(&self) {
        self.inner.drain.cancel();
    }

    /// Whether somebody wishes it.
    pub fn is_draining(&self) -> bool {
        self.inner.drain.is_cancelled()
    }

    /// Waits until somebody wishes it.
    ///
    /// # Cancel safety
    /// Waits only.
    pub async fn drain_wanted(&self) {
        self.inner.drain.cancelled().await;
    }
}
