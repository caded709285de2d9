//! The listener of calls: HTTP/2 only, on the same machinery as the others, so with the same deadlines, TLS and drain.

use std::{net::SocketAddr, sync::Arc};

use futures::future::BoxFuture;

use super::{StoreService, door::Door};
use crate::{
    Failure, Process, Running, Stop,
    http::{AccessLog, Guard, HttpLimits, Listener, Readiness, serve},
};

/// The store over gRPC, as a supervised process.
#[derive(Clone, Debug)]
pub struct GrpcServer {
    listener: Arc<Listener>,
    door: Door,
    readiness: Readiness,
}

impl GrpcServer {
    /// Serves the calls of `service` to whom `guard` lets in. The limits are those of the public listener.
    pub fn new(
        listener: Listener,
        service: StoreService,
        limits: HttpLimits,
        readiness: Readiness,
        guard: &Guard,
    ) -> Self {
        let door = Door::new(service, guard.clone(), limits);
        Self { listener: Arc::new(listener), door, readiness }
    }

    /// With a line for each call in `access`.
    #[must_use]
    pub fn logging(mut self, access: Option<AccessLog>) -> Self {
        self.door = self.door.logging(access);
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }
}

impl Process for GrpcServer {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        serve(self.listener.clone(), self.door.clone(), self.readiness.clone(), stop)
    }
}
