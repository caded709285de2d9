//! Bare warp handlers: one answers what a product's `GET` answers, the least that a read over HTTP costs; the other appends
//! to a file before it answers what a message's `PATCH` answers, the least that a durable command costs.

use std::{convert::Infallible, io::Write, net::SocketAddr, path::Path, sync::Arc};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use warp::{Filter, Reply, http::StatusCode};

use super::process::Process;
use crate::floor::{BareFile, Grouped};

/// Names the process that is nothing else.
pub(crate) const ALONE: &str = "serve-warp";

#[derive(Serialize)]
struct Product {
    id: u64,
    quantity: u32,
    price: u32,
    status: &'static str,
    #[serde(rename = "_links")]
    links: Links,
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    own: Link,
    product: Link,
}

#[derive(Serialize)]
struct Link {
    href: String,
}

/// Bytes of a record, as the journal has them of a message that is written anew.
const RECORD: usize = 312;

#[derive(Serialize)]
struct Message {
    id: u64,
    content: String,
    #[serde(rename = "_links")]
    links: MessageLinks,
}

#[derive(Serialize)]
struct MessageLinks {
    #[serde(rename = "self")]
    own: Link,
    message: Link,
}

#[derive(Deserialize)]
struct Rewritten {
    content: String,
}

/// Answers once it is durable that a message is another.
async fn rewrite(id: u64, rewritten: Rewritten, journal: Arc<Grouped>) -> Result<Box<dyn Reply>, Infallible> {
    if journal.append().await.is_err() {
        return Ok(Box::new(StatusCode::SERVICE_UNAVAILABLE));
    }
    let link = || Link { href: format!("http://localhost/messages/{id}") };
    let links = MessageLinks { own: link(), message: link() };
    Ok(Box::new(warp::reply::json(&Message { id, content: rewritten.content, links })))
}

/// Serves until it is killed; prints its address. What is appended goes to a file below `dir`.
pub(crate) fn serve(dir: &Path) -> Result<()> {
    let file = tempfile::NamedTempFile::new_in(dir)?;
    let journal = Arc::new(Grouped::new(BareFile::new(file.path())?, RECORD));
    drop(file); // its name; nobody would remove it after a kill
    let message = warp::path!("messages" / u64)
        .and(warp::patch())
        .and(warp::body::json())
        .and(warp::any().map(move || journal.clone()))
        .and_then(rewrite);
    let product = warp::path!("products" / u64).and(warp::get()).map(|id| {
        let link = || Link { href: format!("http://localhost/products/{id}") };
        let links = Links { own: link(), product: link() };
        warp::reply::json(&Product { id, quantity: 1_000_000_000, price: 1000, status: "register", links })
    });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        warp::serve(product.or(message)).incoming(listener).run().await;
        Ok(())
    })
}

/// The handlers in a process of their own.
pub(crate) fn start(dir: &Path) -> Result<(Process, SocketAddr)> {
    Process::serving(ALONE, dir)
}
