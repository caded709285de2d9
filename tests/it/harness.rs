//! The harness tells the truth: what it sends is what `HTTPie` sends, and its processes live and die as it says.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use serde_json::json;

use crate::common::{Client, Request, Server};

/// What arrives for a command line.
fn sent(line: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        // a request of this size arrives in one piece
        let read = stream.read(&mut buffer).unwrap();
        text.extend_from_slice(&buffer[..read]);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        String::from_utf8(text).unwrap().replace(&listener.local_addr().unwrap().to_string(), "HOST")
    });
    Client::new(&address).http(line).is(204);
    server.join().unwrap()
}

#[test]
fn a_command_line_becomes_the_bytes_of_httpie() {
    let common = "Host: HOST\r\nUser-Agent: HTTPie/3.2.4\r\nAccept-Encoding: gzip, deflate\r\n";
    assert_eq!(
        sent("http PATCH :8088/orders/1 name='편의 점' \"count\":=3 If-Match:'\"1\"'"),
        format!(
            "PATCH /orders/1 HTTP/1.1\r\n{common}Connection: keep-alive\r\nContent-Length: 31\r\n\
             Accept: application/json, */*;q=0.5\r\nContent-Type: application/json\r\nIf-Match: \"1\"\r\n\r\n\
             {{\"name\":\"편의 점\",\"count\":3}}"
        )
    );
    assert_eq!(
        sent("http ':8088/deliveries?orderId=1' size==2"),
        format!("GET /deliveries?orderId=1&size=2 HTTP/1.1\r\n{common}Accept: */*\r\nConnection: keep-alive\r\n\r\n")
    );
    assert_eq!(
        sent("http -f POST :8088/products name='a b&' price=1"),
        format!(
            "POST /products HTTP/1.1\r\n{common}Accept: */*\r\nConnection: keep-alive\r\nContent-Length: 19\r\n\
             Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\nname=a+b%26&price=1"
        )
    );
}

#[test]
fn a_server_keeps_its_data_when_it_is_killed_and_started_again() {
    let mut server = Server::store();
    assert_eq!(server.client().http("POST :8088/products quantity=10 price=1000").created(), 1);
    let pid = server.pid();
    server.restart();
    assert_ne!(server.pid(), pid);
    assert_eq!(server.client().json("/products/1")["quantity"], json!(10));
    let mut kept = server.client().connect().unwrap();
    for _ in 0..2 {
        assert_eq!(kept.try_send(&Request::new("GET", "/products/1")).unwrap().status, 200);
    }
    drop(kept);
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}
