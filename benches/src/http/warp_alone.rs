//! A bare warp handler that answers what a product's `GET` answers: the least that a read over HTTP costs.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde::Serialize;
use warp::Filter;

use super::process::Process;

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

/// Serves until it is killed; prints its address.
pub(crate) fn serve() -> Result<()> {
    let product = warp::path!("products" / u64).and(warp::get()).map(|id| {
        let link = || Link { href: format!("http://localhost/products/{id}") };
        let links = Links { own: link(), product: link() };
        warp::reply::json(&Product { id, quantity: 1_000_000_000, price: 1000, status: "register", links })
    });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        warp::serve(product).incoming(listener).run().await;
        Ok(())
    })
}

/// The handler in a process of its own.
pub(crate) fn start() -> Result<(Process, SocketAddr)> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(ALONE).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = Process::start(&mut command)?;
    let mut line = String::new();
    BufReader::new(process.output().context("it has an output")?).read_line(&mut line)?;
    let address = line.trim().parse().context("the handler names no address")?;
    Ok((process, address))
}
