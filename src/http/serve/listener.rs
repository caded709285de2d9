use std::{
    io,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use rustix::net::listen;
use tokio::net::TcpListener;

/// Connections that may wait to be accepted, as far as the system allows (`net.core.somaxconn`). With the 128 of the standard
/// library, of many clients that come at once some wait a second for a SYN that was dropped.
pub(crate) const BACKLOG: i32 = 4096;

/// An address could not be bound. Ask `source.kind()` whether it is in use.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// A bound socket that outlives a failure of the server behind it: clients that connect meanwhile wait.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    socket: Mutex<Option<std::net::TcpListener>>,
    is_inherited: bool,
}

impl Listener {
    /// Binds `address` now; port 0 picks a free one.
    ///
    /// # Errors
    /// What the system says, so that an occupied address is known before anything else is started.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = std::net::TcpListener::bind(address).and_then(|socket| {
            listen(&socket, BACKLOG)?;
            Self::of(socket, false)
        });
        bound.map_err(|source| BindError { address, source })
    }

    /// Takes over a socket that somebody else has bound and keeps open: whoever connects while nobody serves waits in its
    /// backlog. It is not closed before the process ends.
    ///
    /// # Errors
    /// It is no socket that listens.
    pub fn inherited(socket: std::net::TcpListener) -> io::Result<Self> {
        Self::of(socket, true)
    }

    fn of(socket: std::net::TcpListener, is_inherited: bool) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { address: socket.local_addr()?, socket: Some(socket).into(), is_inherited })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// The socket for one run; bound again when the last run was stopped.
    pub(crate) fn open(&self) -> Result<TcpListener, BindError> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if socket.is_none() {
            *socket = Self::bind(self.address)?.socket.into_inner().unwrap_or_default();
        }
        let cloned =
            socket.as_ref().map_or_else(|| Err(io::ErrorKind::NotConnected.into()), std::net::TcpListener::try_clone);
        cloned.and_then(TcpListener::from_std).map_err(|source| BindError { address: self.address, source })
    }

    /// Lets the system refuse connections from now on, unless the socket is not ours to close.
    pub(crate) fn close(&self) {
        if !self.is_inherited {
            self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, time::Duration};

    use super::*;

    #[test]
    fn three_hundred_clients_that_come_at_once_need_not_wait_to_be_accepted() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let clients = allowed.trim().parse::<usize>().unwrap().min(300);
        // Beyond the backlog a SYN is dropped, and comes again after a second.
        let connect = |_| TcpStream::connect_timeout(&listener.address(), Duration::from_millis(900));
        let connections: Result<Vec<_>, _> = (0..clients).map(connect).collect();
        assert_eq!(connections.unwrap().len(), clients);
    }
}
