//! Open architecture: a gas station that is embedded as a library gets a subscriber that it does not know of.
//!
//! `commission` settles with the owner of a managed station, per day, from `Sold` and `CanceledSold` alone. It is added
//! when the station has long been selling, reads history from the beginning, and can be taken away again; the station's
//! code and data are not touched. What a subscriber needs is a view (or a policy) and one line where the system is put
//! together.
//!
//! ```text
//! cargo run --example commission [DIRECTORY]
//! ```
#![expect(clippy::print_stdout, reason = "the example's own output")]

mod settlement;
mod story;

use std::path::PathBuf;

use story::Station;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = std::env::args_os().nth(1).map_or_else(|| std::env::temp_dir().join("commission"), PathBuf::from);
    println!("data in {}", directory.display());

    println!("\nThe station alone: it fills up and sells.");
    let station = Station::start(&directory, false).await?;
    station.fill(1000).await?;
    let mut last = 0;
    for till in 1..=3 {
        last = station.sell(till, 10 * till).await?;
    }
    station.cancel(last).await?;
    println!("there are {} litres left", station.stock().await?);
    station.stop().await;

    println!("\nWith the subscriber: what was before is settled, and what comes now.");
    let station = Station::start(&directory, true).await?;
    report(&station).await?;
    station.sell(4, 5).await?;
    report(&station).await?;
    station.stop().await;

    println!("\nWithout it again: nothing has changed for the station.");
    let station = Station::start(&directory, false).await?;
    println!("there are {} litres left", station.stock().await?);
    station.stop().await;
    Ok(())
}

async fn report(station: &Station) -> anyhow::Result<()> {
    for (day, settled) in station.settlements().await? {
        let (amount, fee) = (settled.amount / 1000, settled.fee() / 1000);
        println!("{day}: {} sold, {} canceled, {amount} won, fee {fee} won", settled.sales, settled.cancellations);
    }
    Ok(())
}
