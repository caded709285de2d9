//! Who is let in, what he may do, how often he may call; and that it is the same as over HTTP.

use std::{fs, io::Read, net::TcpStream, process::Command};

use serde_json::{Value, json};
use steadfast::grpc::v1::{CancelOrderRequest, GetCommandRequest, GetOrderRequest, ListOrdersRequest, PayRequest};
use tonic::{Code, Request, Status};

use crate::{
    common::{Server, Setup},
    store::{keyed, place, told},
    wire::{connect, connect_tls},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn guarded(more: &str) -> Server {
    let config = format!(
        "[auth]\nsecret_file = \"secret\"\nkeys_file = \"keys\"\n{more}\n[server]\ngrpc_listen = \"127.0.0.1:0\"\n"
    );
    let server = Setup::default().config(&config).prepare();
    fs::write(server.directory().join("secret"), SECRET).unwrap();
    let nobodys = format!("nobody none {}\n", "0".repeat(64));
    fs::write(server.directory().join("keys"), nobodys).unwrap();
    server
}

fn issue(server: &Server, arguments: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_steadfast");
    let output = Command::new(program).arg("token").args(arguments).current_dir(server.directory()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn token(server: &Server, subject: &str, role: &str) -> String {
    issue(server, &["--secret-file", "secret", "--subject", subject, "--role", role])
}

fn by<M>(token: &str, mut request: Request<M>) -> Request<M> {
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

fn pay() -> PayRequest {
    PayRequest { product_id: 1, quantity: 1, price: 1 }
}

#[track_caller]
fn is(refused: &Status, code: Code, called: &str) {
    let said = (refused.code(), told(refused, "code"), told(refused, "outcome"));
    assert_eq!(said, (code, Some(called.to_owned()), Some("not done".to_owned())), "{refused:?}");
}

#[tokio::test]
async fn a_caller_is_known_by_a_token_or_a_key_and_his_roles_say_what_he_may_do() {
    let mut server = guarded("");
    let made: Value =
        serde_json::from_str(&issue(&server, &["--api-key", "--subject", "shop", "--role", "customer", "--json"]))
            .unwrap();
    fs::write(server.directory().join("keys"), made["line"].as_str().unwrap()).unwrap();
    server.start();
    let mut client = connect(server.grpc_listen().unwrap()).await;
    let (owner, key) = (token(&server, "anna", "owner"), made["key"].as_str().unwrap());

    let unknown = client.place_order(place(1)).await.unwrap_err();
    is(&unknown, Code::Unauthenticated, "UNAUTHORIZED");
    assert!(told(&unknown, "command-id").is_none());
    for wrong in [format!("{owner}x"), "sf_unknown".to_owned(), String::new()] {
        is(&client.pay(by(&wrong, Request::new(pay()))).await.unwrap_err(), Code::Unauthenticated, "UNAUTHORIZED");
    }
    is(&client.list_orders(ListOrdersRequest::default()).await.unwrap_err(), Code::Unauthenticated, "UNAUTHORIZED");

    assert_eq!(client.place_order(by(&owner, Request::new(place(1)))).await.unwrap().into_inner().id, 1);
    client.pay(by(key, Request::new(pay()))).await.unwrap();
    let mut with_key = Request::new(pay());
    with_key.metadata_mut().insert("x-api-key", key.parse().unwrap());
    client.pay(with_key).await.unwrap();
    for forbidden in [
        client.place_order(by(key, Request::new(place(1)))).await.unwrap_err(),
        client.cancel_order(by(key, Request::new(CancelOrderRequest { id: 1 }))).await.unwrap_err(),
        client.pay(by(&owner, Request::new(pay()))).await.unwrap_err(),
    ] {
        is(&forbidden, Code::PermissionDenied, "FORBIDDEN");
    }
    // Whoever has a role may read, and who has none in the store may not.
    client.get_order(by(key, Request::new(GetOrderRequest { id: 1 }))).await.unwrap();
    let guest = token(&server, "guest", "stay/guest");
    is(
        &client.get_order(by(&guest, Request::new(GetOrderRequest { id: 1 }))).await.unwrap_err(),
        Code::PermissionDenied,
        "FORBIDDEN",
    );
    let asked = Request::new(GetCommandRequest { command_id: "store.order:7:k".into() });
    is(&client.get_command(by(&guest, asked)).await.unwrap_err(), Code::PermissionDenied, "FORBIDDEN");
    let listed = client.list_orders(by(key, Request::new(ListOrdersRequest::default()))).await.unwrap().into_inner();
    assert_eq!(listed.orders.len(), 1, "what was refused became nothing");
}

#[tokio::test]
async fn the_same_key_of_two_callers_is_two_commands() {
    let mut server = guarded("");
    server.start();
    let mut client = connect(server.grpc_listen().unwrap()).await;
    let (anna, bert) = (token(&server, "anna", "owner"), token(&server, "bert", "owner"));
    let mut placed = Vec::new();
    for caller in [&anna, &bert, &anna] {
        placed.push(client.place_order(by(caller, keyed(place(1), "k"))).await.unwrap().into_inner().id);
    }
    assert_eq!(placed, [1, 2, 1]);
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_come_back_and_it_is_one_account_with_http() {
    let mut server = guarded("[limits.rate]\nper_subject = 3\nwithin = \"1h\"");
    server.start();
    let mut client = connect(server.grpc_listen().unwrap()).await;
    let anna = token(&server, "anna", "owner");
    let over_http = crate::common::Request::new("POST", "/products").json(&json!({"quantity": 1, "price": 1}));
    server.client().send(&over_http.header("Authorization", &format!("Bearer {anna}"))).is(201);
    let told_of = client.place_order(by(&anna, Request::new(place(1)))).await.unwrap();
    let left = told_of.metadata().get("ratelimit").unwrap().to_str().unwrap().to_owned();
    assert!(left.starts_with("\"subject\";r=1;"), "{left}");
    client.place_order(by(&anna, Request::new(place(1)))).await.unwrap();
    let refused = client.place_order(by(&anna, Request::new(place(1)))).await.unwrap_err();
    is(&refused, Code::ResourceExhausted, "RATE_LIMITED");
    assert!(told(&refused, "retry-after").unwrap().parse::<u64>().unwrap() >= 1, "{refused}");
    let bert = token(&server, "bert", "owner");
    client.place_order(by(&bert, Request::new(place(1)))).await.unwrap();
}

#[tokio::test]
async fn behind_a_certificate_calls_come_over_tls_and_http_1_is_closed() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let config = "[server]\ngrpc_listen = \"127.0.0.1:0\"\ntls = { cert_file = \"tls.crt\", key_file = \"tls.key\" }\n";
    let mut server = Setup::default().config(config).prepare();
    fs::write(server.directory().join("tls.crt"), made.cert.pem()).unwrap();
    fs::write(server.directory().join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    server.start();
    let mut client = connect_tls(server.grpc_listen().unwrap(), made.cert.der().clone()).await;
    assert_eq!(client.place_order(place(2)).await.unwrap().into_inner().quantity, 2);

    let plain = Setup::default().config("[server]\ngrpc_listen = \"127.0.0.1:0\"\n").start();
    let mut old = TcpStream::connect(plain.grpc_listen().unwrap()).unwrap();
    std::io::Write::write_all(&mut old, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // closed, or reset since what was sent was not read
    drop(old.read_to_end(&mut answer));
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn an_address_that_others_can_reach_asks_who_they_are_or_says_that_it_does_not() {
    let config = "[server]\ngrpc_listen = \"0.0.0.0:0\"\n";
    let exited = Setup::default().config(config).prepare().run();
    assert_eq!(exited.status.code(), Some(2), "{}", exited.stderr);
    assert!(exited.stderr.contains("nobody is asked who he is"), "{}", exited.stderr);
    Setup::default().config(config).flag("--open").start();
}
