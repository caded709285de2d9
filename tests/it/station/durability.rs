//! Sales, cancellations and receipts while the process is killed again and again.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::json;

use super::{cancel, check_books, fill, sell, started, stock};
use crate::common::{Client, Request, Response};

/// The answer, if one came; without one nobody knows what was done.
fn maybe(client: &Client, target: &str, parameters: &[(&str, &str)]) -> Option<Response> {
    client.try_send(&Request::new("POST", target).form(parameters)).ok()
}

#[test]
fn station_d8_n12_the_books_agree_after_every_kill() {
    let mut server = started();
    fill(&server, "100000");
    for round in 0..3 {
        let (client, stop) = (server.client(), AtomicBool::new(false));
        thread::scope(|scope| {
            for cashier in 0..4_u64 {
                let (client, stop) = (&client, &stop);
                scope.spawn(move || {
                    for nth in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let litres = format!("{}.{:03}", cashier + 1, nth % 1000);
                        let sold = maybe(client, "/sales", &[("productId", "CD1001"), ("qty", &litres)]);
                        let number =
                            sold.and_then(|answer| answer.header("location")?.rsplit('/').next()?.parse().ok());
                        if let Some(sale) = number.filter(|sale: &u64| sale.is_multiple_of(3)) {
                            maybe(client, "/cancelSales", &[("saleId", &sale.to_string())]);
                        }
                    }
                });
            }
            // some of what they do is under way when it ends
            crate::common::eventually(crate::common::SOON, "some sales", || {
                let sales = client.try_send(&Request::new("GET", "/sales?size=1")).ok()?.json();
                let sold = sales["page"]["totalElements"].as_u64()?;
                (sold > 60 * (round + 1)).then_some(())
            });
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        server.start();
        check_books(&server);
    }
    let client = server.client();
    let before = stock(&client);
    let sale = super::number(&sell(&client, "1").is(200));
    assert_eq!(cancel(&client, sale).is(200).json(), json!(true));
    check_books(&server);
    assert_eq!(stock(&client), before);
}
