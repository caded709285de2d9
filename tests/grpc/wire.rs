//! One HTTP/2 connection under a generated client: what tonic's own transport would be.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use steadfast::grpc::v1::store_client::StoreClient;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};
use tonic::body::Body;

/// Cheap to clone; all clones are one connection, which ends with the last.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    sender: http2::SendRequest<Body>,
    _connection: Arc<JoinSet<()>>,
}

/// A client of a new connection.
pub(crate) async fn connect(address: &str) -> StoreClient<Wire> {
    over(TcpStream::connect(address).await.unwrap(), format!("http://{address}")).await
}

/// The same behind this certificate, which is for localhost.
pub(crate) async fn connect_tls(address: &str, trusted: CertificateDer<'static>) -> StoreClient<Wire> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    over(stream, "https://localhost".to_owned()).await
}

async fn over<S>(stream: S, origin: String) -> StoreClient<Wire>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut driver = JoinSet::new();
    // how it ended each call tells
    driver.spawn(async move { drop(connection.await) });
    let wire = Wire { sender, _connection: Arc::new(driver) };
    StoreClient::with_origin(wire, origin.parse().unwrap())
}

impl tower::Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sender.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.sender.send_request(request))
    }
}
