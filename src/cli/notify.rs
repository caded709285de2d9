//! What the service manager is told: that the process serves, that it is alive, that it stops (`sd_notify`).
//!
//! Without `NOTIFY_SOCKET` in the environment nobody is told anything.

use std::{
    ffi::OsString,
    future::Future,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

/// Where the service manager listens, and how often it wants to hear that the process is alive.
#[derive(Debug)]
pub(super) struct Manager {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that `variable` of the environment names.
    ///
    /// # Errors
    /// It names one in words that cannot be understood, or no socket can be had to talk to it.
    pub(super) fn of(variable: impl Fn(&str) -> Option<OsString>) -> io::Result<Self> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(Self { to: None, watchdog: None });
        };
        let address = match name.as_bytes() {
            [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name)?,
            _ => SocketAddr::from_pathname(&name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not hold us up.
        socket.set_nonblocking(true)?;
        let number = |name: &str| variable(name)?.to_str()?.parse::<u64>().ok();
        // The time is for one process only, and a child inherits our environment.
        let is_ours = variable("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(std::process::id().into());
        let watchdog = number("WATCHDOG_USEC").filter(|micros| is_ours && *micros > 0).map(Duration::from_micros);
        Ok(Self { to: Some((socket, address)), watchdog })
    }

    /// It serves.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", status.replace('\n', " ")));
    }

    /// It was told to stop.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping");
    }

    /// Tells again and again that the process is alive, as long as `is_alive` says so in time: twice in the time after
    /// which the manager takes it for dead. Never ends.
    ///
    /// # Cancel safety
    /// Dropping it stops the telling.
    pub(super) async fn watch<F: Future<Output = ()>>(&self, is_alive: impl Fn() -> F) {
        let Some(limit) = self.watchdog else { return std::future::pending().await };
        let mut turn = tokio::time::interval(limit / 2);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            let within = limit / 4;
            if tokio::time::timeout(within, is_alive()).await.is_ok() {
                self.tell("WATCHDOG=1");
                continue;
            }
            tracing::error!(
                ?within,
                "the supervision tree or the threads for blocking work do not answer; the watchdog is not told that \
                 this process is alive"
            );
        }
    }

    /// A manager that cannot be reached changes nothing about what is served.
    fn tell(&self, what: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(what.as_bytes(), address)
        {
            tracing::warn!(%error, what, "the service manager could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manager's socket and the environment that leads to it.
    fn manager(more: &[(&str, &str)]) -> (tempfile::TempDir, UnixDatagram, Manager) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let variable = |name: &str| {
            let more = more.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
            more.or_else(|| (name == "NOTIFY_SOCKET").then(|| path.clone().into_os_string()))
        };
        let manager = Manager::of(variable).unwrap();
        (directory, socket, manager)
    }

    fn told(socket: &UnixDatagram) -> Vec<String> {
        let mut all = Vec::new();
        let mut buffer = [0; 512];
        while let Ok(length) = socket.recv(&mut buffer) {
            all.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        all
    }

    #[test]
    fn a_manager_is_told_that_it_serves_and_that_it_stops() {
        let (_directory, socket, manager) = manager(&[]);
        manager.ready("serving\nat 8088");
        manager.stopping();
        assert_eq!(told(&socket), ["READY=1\nSTATUS=serving at 8088", "STOPPING=1\nSTATUS=stopping"]);
    }

    #[test]
    fn without_a_manager_nobody_is_told_and_one_that_is_gone_is_no_harm() {
        let nobody = Manager::of(|_| None).unwrap();
        nobody.ready("");
        let (_directory, socket, manager) = manager(&[]);
        drop(socket);
        manager.ready("");
    }

    #[test]
    fn a_watchdog_is_for_the_process_that_it_names() {
        let own = std::process::id().to_string();
        for (pid, expected) in [(None, true), (Some(own.as_str()), true), (Some("1"), false)] {
            let mut more = vec![("WATCHDOG_USEC", "2000000")];
            more.extend(pid.map(|pid| ("WATCHDOG_PID", pid)));
            let (_directory, _socket, manager) = manager(&more);
            assert_eq!(manager.watchdog, expected.then_some(Duration::from_secs(2)), "{pid:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_twice_in_its_time_while_the_process_is_alive_and_not_when_it_is_stuck() {
        let (_directory, socket, manager) = manager(&[("WATCHDOG_USEC", "2000000")]);
        let ten = Duration::from_secs(10) - Duration::from_millis(1);
        let watching = manager.watch(|| std::future::ready(()));
        assert!(tokio::time::timeout(ten, watching).await.is_err(), "it never ends");
        assert_eq!(told(&socket), ["WATCHDOG=1"; 10]);
        let stuck = manager.watch(std::future::pending::<()>);
        assert!(tokio::time::timeout(ten, stuck).await.is_err(), "it never ends");
        assert_eq!(told(&socket), [""; 0]);
    }
}
