//! A counter and an object that asks one: what the benches measure of Restate.

use std::env;

use restate_sdk::prelude::*;

const COUNT: &str = "count";

struct Counter;

#[object]
impl Counter {
    #[handler]
    async fn add(&self, context: ObjectContext<'_>, amount: u64) -> Result<u64, TerminalError> {
        let count = context.get::<u64>(COUNT).await?.unwrap_or_default() + amount;
        context.set(COUNT, count);
        Ok(count)
    }
}

struct Asker;

#[object]
impl Asker {
    /// Asks the counter of the same key, and adds up what it answers.
    #[handler]
    async fn ask(&self, context: ObjectContext<'_>, amount: u64) -> Result<u64, TerminalError> {
        let answer = context.object_client::<CounterClient>(context.key()).add(amount).call().await?;
        let sum = context.get::<u64>(COUNT).await?.unwrap_or_default() + answer;
        context.set(COUNT, sum);
        Ok(sum)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = env::args().nth(1).ok_or("which address?")?.parse()?;
    HttpServer::new(Endpoint::builder().bind(Counter).bind(Asker).build()).listen_and_serve(address).await;
    Ok(())
}
