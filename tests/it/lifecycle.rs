//! How the process starts, refuses to start, and ends.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::json;

use crate::{
    common::{Client, Request, SOON, Server, Setup, eventually},
    shop::{product, quiet, rows, stock},
};

#[test]
fn a_terminated_process_is_not_ready_first_answers_what_is_in_flight_and_exits_with_0() {
    let mut server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    product(&client, 10);
    // A request whose body has not arrived yet is in flight until it does.
    let mut flying = TcpStream::connect(server.listen()).unwrap();
    flying.set_read_timeout(Some(SOON)).unwrap();
    let body = br#"{"quantity":7,"price":7}"#;
    let head = format!("POST /products HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    flying.write_all(head.as_bytes()).unwrap();
    flying.write_all(&body[..5]).unwrap();
    client.get("/products").is(200); // by now the other one has been accepted

    server.signal_terminate();
    let down = eventually(SOON, "not ready", || {
        Some(admin.try_send(&Request::new("GET", "/readyz")).ok()?).filter(|answer| answer.status == 503)
    });
    assert_eq!(down.json()["status"], "DOWN");
    eventually(SOON, "no new connections", || TcpStream::connect(server.listen()).is_err().then_some(()));
    flying.write_all(&body[5..]).unwrap();
    let mut answer = String::new();
    flying.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    server.start();
    assert_eq!(server.client().json("/products/2")["quantity"], json!(7));
}

/// What a balancer does: it asks for readiness and sends nothing to who is not ready. Or, on a connection that is kept,
/// what a client does: it leaves when it is told to.
#[test]
fn an_operator_drains_a_process_under_load_and_no_request_fails() {
    let mut server = Setup::default().config("[server]\nready_down = \"2s\"\n").start();
    let (client, admin) = (server.client(), server.admin());
    let new = Request::new("POST", "/products").json(&json!({"quantity": 1, "price": 1}));
    let mut flying = TcpStream::connect(server.listen()).unwrap();
    flying.set_read_timeout(Some(SOON)).unwrap();
    let body = br#"{"quantity":7,"price":7}"#;
    let head = format!("POST /products HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    flying.write_all(head.as_bytes()).unwrap();
    let (mut created, ended) = thread::scope(|scope| {
        let balanced = || {
            let mut created = Vec::new();
            while client.get("/readyz").status == 200 {
                created.push(client.send(&new).is(201).created());
            }
            created
        };
        let kept = || {
            let (mut created, mut connection) = (Vec::new(), client.connect().unwrap());
            loop {
                let answer = connection.try_send(&new).unwrap().is(201);
                let leaves = answer.header("connection") == Some("close");
                created.push(answer.created());
                if leaves {
                    return created;
                }
            }
        };
        let loads = [scope.spawn(balanced), scope.spawn(balanced), scope.spawn(kept), scope.spawn(kept)];
        eventually(SOON, "some products", || (rows(&client, "products").len() > 30).then_some(()));
        for _ in 0..2 {
            let told = admin.send(&Request::new("POST", "/admin/drain")).is(202).json();
            assert_eq!(told, json!({"status": "draining"}), "the same again changes nothing");
            assert_eq!(client.get("/readyz").is(503).json()["status"], "DOWN");
        }
        let created: Vec<u64> = loads.into_iter().flat_map(|load| load.join().unwrap()).collect();
        eventually(SOON, "no new connections", || TcpStream::connect(server.listen()).is_err().then_some(()));
        flying.write_all(body).unwrap();
        let mut answer = String::new();
        flying.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        (created, server.wait())
    });
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let audit = fs::read_to_string(server.data().join("audit.log")).unwrap();
    assert_eq!(audit.lines().filter(|line| line.contains("/admin/drain")).count(), 4, "asked and done, twice: {audit}");
    server.start();
    let client = server.client();
    let mut there: Vec<u64> = Vec::new();
    for page in 0.. {
        let rows = client.json(&format!("/products?size=1000&page={page}"))["_embedded"]["products"].clone();
        let ids: Vec<u64> = rows.as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
        if ids.is_empty() {
            break;
        }
        there.extend(ids);
    }
    created.sort_unstable();
    assert_eq!(there.len(), created.len() + 1, "nothing lost or doubled, and the one that was flying");
    assert!(created.iter().all(|id| there.contains(id)));
}

#[test]
fn a_process_that_is_terminated_under_load_loses_nothing_that_it_acknowledged() {
    let mut server = Server::store();
    product(&server.client(), 1000);
    let stop = AtomicBool::new(false);
    let (acknowledged, ended) = thread::scope(|scope| {
        let client = server.client();
        let load = |client: Client| {
            let stop = &stop;
            move || {
                let mut acknowledged = Vec::new();
                let order = Request::new("POST", "/orders").json(&json!({"productId": 1, "quantity": 1}));
                // Until the connection is refused or broken; then nobody knows, and nothing is claimed.
                while let Ok(mut connection) = client.connect() {
                    while let Ok(answer) = connection.try_send(&order) {
                        match answer.status {
                            201 => acknowledged.push(answer.created()),
                            503 => assert!(answer.header("retry-after").is_some(), "{answer}"),
                            _ => panic!("{answer}"),
                        }
                        if stop.load(Ordering::Relaxed) {
                            return acknowledged;
                        }
                    }
                }
                acknowledged
            }
        };
        let loads: Vec<_> = (0..6).map(|_| scope.spawn(load(client.clone()))).collect();
        eventually(SOON, "some orders", || (rows(&client, "orders").len() > 30).then_some(()));
        let ended = server.terminate();
        stop.store(true, Ordering::Relaxed);
        let acknowledged: Vec<u64> = loads.into_iter().flat_map(|load| load.join().unwrap()).collect();
        (acknowledged, ended)
    });
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("did not end in time"), "{}", ended.stderr);
    server.start();
    quiet(&server);
    let client = server.client();
    let orders: Vec<u64> = rows(&client, "orders").iter().map(|row| row["id"].as_u64().unwrap()).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !orders.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", acknowledged.len());
    assert!(acknowledged.len() > 30);
    assert_eq!(stock(&client, 1), 1000 + i64::try_from(rows(&client, "deliveries").len()).unwrap());
    assert_eq!(orders.len(), rows(&client, "deliveries").len());
}

#[test]
fn an_address_in_use_is_exit_4() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--admin-listen"] {
        let mut server = Setup::default().flag(flag).flag(&address).prepare();
        let ended = server.run();
        assert_eq!(ended.status.code(), Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains(&address) && ended.stderr.contains(flag), "{}", ended.stderr);
        assert!(!server.data().exists(), "nothing was opened");
    }
}

#[test]
fn a_data_directory_in_use_is_exit_4() {
    let first = Server::store();
    let data = first.data();
    let mut second = Setup::default().flag("--data").flag(data.to_str().unwrap()).prepare();
    let ended = second.run();
    assert_eq!(ended.status.code(), Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains(data.to_str().unwrap()), "{}", ended.stderr);
    product(&first.client(), 1);
}

#[test]
fn a_data_directory_that_is_a_file_is_exit_2() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for data in [file.path().to_owned(), file.path().join("data")] {
        let mut server = Setup::default().flag("--data").flag(data.to_str().unwrap()).prepare();
        let ended = server.run();
        assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(data.to_str().unwrap()) && ended.stderr.contains("--data"), "{}", ended.stderr);
    }
}

#[test]
fn a_bad_configuration_is_exit_2_with_file_line_and_rule() {
    for (config, line, word) in [
        ("[server]\nlistne = \"x\"\n", 2, "listne"),
        ("\n\n[entity]\nmailbox = 0\n", 4, "mailbox"),
        ("[server]\ndrain = \"5 parsecs\"\n", 2, "drain"),
        ("[server\n", 1, "supervision.toml"),
    ] {
        let mut server = Setup::default().config(config).prepare();
        let ended = server.run();
        assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
        for part in ["supervision.toml", word, &line.to_string()] {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
        assert!(!server.data().exists(), "nothing was opened");
    }
    let mut server = Setup::default().environment("STEADFAST__ENTITY__MAILBOX", "none").prepare();
    let ended = server.run();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("STEADFAST__ENTITY__MAILBOX"), "{}", ended.stderr);
}

#[test]
fn everything_but_the_journal_can_be_deleted() {
    let mut server = Server::store();
    let client = server.client();
    product(&client, 10);
    for _ in 0..3 {
        client.http("POST :8088/orders productId=1 quantity=2").created();
    }
    client.http("DELETE :8088/orders/2").is(204);
    quiet(&server);
    let own = |client: &Client| {
        let collections = ["orders", "deliveries", "products", "messages", "orderStatuses", "productPages"];
        let strip = |mut row: serde_json::Value| {
            row.as_object_mut().unwrap().remove("_links");
            row
        };
        collections.map(|collection| rows(client, collection).into_iter().map(strip).collect::<Vec<_>>())
    };
    let before = own(&client);
    assert_eq!(server.terminate().status.code(), Some(0));
    let mut deleted = 0;
    for unit in ["main", "alarm"] {
        let sled = server.data().join(unit).join("sled");
        if sled.exists() {
            fs::remove_dir_all(sled).unwrap();
            deleted += 1;
        }
    }
    assert_eq!(deleted, 2, "{:?}", fs::read_dir(server.data().join("main")).unwrap().collect::<Vec<_>>());
    server.start();
    quiet(&server);
    let client = server.client();
    assert_eq!(own(&client), before);
    assert_eq!(client.http("POST :8088/orders productId=1 quantity=2").created(), 4, "numbers are not used again");
}
