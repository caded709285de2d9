//! One HTTP/2 connection under a generated client: what tonic's own transport would be.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use steadfast::grpc::v1::store_client::StoreClient;
use tokio::net::TcpStream;
use tonic::body::Body;

/// Cheap to clone; all clones are one connection.
#[derive(Clone, Debug)]
pub(crate) struct Wire(http2::SendRequest<Body>);

/// A client of a new connection.
pub(crate) async fn connect(address: &str) -> StoreClient<Wire> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    // It ends with the last sender, or with the server: each call tells.
    tokio::spawn(async move { drop(connection.await) });
    StoreClient::with_origin(Wire(sender), format!("http://{address}").parse().unwrap())
}

impl tower::Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
