//! Nothing that a client sends makes a 500, and nothing of it stops the server: some thousands of broken requests over
//! real sockets, from a seed that a failure prints.

use std::{
    fmt::Write as _,
    io::{Read, Write as _},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

use crate::common::{Request, Setup};

/// Requests of each of the clients.
const REQUESTS: u64 = 500;
const CLIENTS: u64 = 6;

/// `SplitMix64`: all that a test needs of randomness, the same on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap();
        of[at]
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

const METHODS: &[&str] =
    &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW", "get", "G\0T", "", "PRI", "CONNECT"];

const PATHS: &[&str] = &[
    "/store/orders",
    "/store/orders/1",
    "/store/orders/%31",
    "/store/orders/-1",
    "/store/orders/99999999999999999999",
    "/store/products",
    "/store/products/1",
    "/store/deliveries?orderId=",
    "/store/deliveries?orderId=x",
    "/store/messages",
    "/store/orderStatuses",
    "/stay/rooms",
    "/stay/rooms?usedate=20201399",
    "/stay/rooms?minPrice=1e400",
    "/stay/bookings",
    "/stay/bookings/1",
    "/stay/mypages/search/findByBookId?bookId=%00",
    "/library/orders",
    "/library/orders/1",
    "/library/mypages/search/findByOrderId",
    "/station/orders/placeOrder",
    "/station/product/CD1001",
    "/station/product/%ff%fe",
    "/station/stocks/confirmStock",
    "/station/stockFlows",
    "/station/sales",
    "/station/cancelSales",
    "/procurement/deliveryrequests",
    "/procurement/deliverymanagements/1",
    "/procurement/goodsdeliveries/1",
    "/procurement/inspectionResults/1",
    "/",
    "//",
    "/%",
    "/%zz",
    "*",
    "http://x/store/orders",
    "/commands/x",
    "/commands/AAAAAAAA",
    "/store/commands/%2e%2e",
    "/../../etc/passwd",
    "/store/orders?page=-1&size=1e9",
    "/store/orders?sort=,,,",
    "/store/orders?page=18446744073709551616",
    "/openapi.json",
    "/profile/orders",
    "/livez/x",
    "/actuator/health",
    "/store/orders/search/",
    "/store/orders/1/2/3/4",
    "/store/%ED%98%B8",
];

const HEADERS: &[&str] = &[
    "Content-Type: application/json",
    "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: \u{7f}",
    "Content-Type: application/merge-patch+json",
    "Idempotency-Key: a",
    "Idempotency-Key: ",
    "Idempotency-Key: \t\u{e9}",
    "If-Match: *",
    "If-Match: \"x\"",
    "If-Match: W/\"1\"",
    "If-None-Match: \"1\"",
    "Prefer: respond-async",
    "Prefer: respond-async, wait=x",
    "X-Request-Id: \u{1F600}",
    "traceparent: 00-0-0-0",
    "Accept: */*;q=9",
    "Accept-Encoding: br",
    "Origin: null",
    "Access-Control-Request-Method: X",
    "Expect: 100-continue",
    "X-Forwarded-Host: a b",
    "X-Forwarded-For: x",
    "X-Forwarded-Proto: gopher",
    "Authorization: Bearer a.b.c",
    "Authorization: Basic",
    "X-API-Key: k",
    "Range: bytes=9-1",
    "Connection: upgrade",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Host: a",
    "Host: ",
    "Cookie: a=b",
    "Broken",
    ": empty",
    "Folded: a\r\n b",
];

const BODIES: &[&str] = &[
    "",
    "{",
    "{}",
    "[]",
    "null",
    "1",
    "\"x\"",
    r#"{"productId":1,"quantity":3,"status":"order"}"#,
    r#"{"productId":-1,"quantity":-2147483649}"#,
    r#"{"productId":1e999}"#,
    r#"{"productId":{"a":[1]}}"#,
    r#"{"quantity":"NaN","price":"Infinity"}"#,
    r#"{"quantity":9223372036854775807,"price":9223372036854775807}"#,
    r#"{"roomId":1,"guest":"\u0000","usedate":"20200230","price":1}"#,
    r#"{"roomId":"1","usedate":"99999999"}"#,
    r#"{"item":"\ud800","status":"Ordered"}"#,
    r#"{"status":null}"#,
    r#"{"a":1,"a":2}"#,
    "productId=CD1001&qty=1e308",
    "productId=CD1001&qty=-0.0001&destAddr=%00",
    "saleId=1",
    "a=%",
    "&&&=",
    "procNo=%F0%28%8C%28",
    r#"{"procNo":"","procPrice":2147483648,"procQty":1e-320}"#,
    "\u{feff}{}",
    "5\r\nhello\r\n0\r\n\r\n",
];

fn request(dice: &mut Dice) -> Vec<u8> {
    let mut head = format!("{} {}", dice.one(METHODS), dice.one(PATHS));
    if dice.below(10) == 0 {
        let noise: String = dice.bytes(40).into_iter().map(char::from).collect();
        head.push_str(&noise);
    }
    head.push_str(dice.one(&[
        " HTTP/1.1",
        " HTTP/1.1",
        " HTTP/1.1",
        " HTTP/1.1",
        " HTTP/1.0",
        " HTTP/9.9",
        "",
        " x y",
    ]));
    head.push_str("\r\nHost: x\r\n");
    for _ in 0..dice.below(5) {
        let _infallible = write!(head, "{}\r\n", dice.one(HEADERS));
    }
    let mut body = dice.one(BODIES).as_bytes().to_vec();
    match dice.below(12) {
        0 => body = dice.bytes(300),
        1 => body = "[".repeat(5000).into_bytes(),
        2 => body.truncate(body.len() / 2),
        _ => {}
    }
    if dice.below(8) > 0 {
        let length = if dice.below(12) == 0 { dice.below(2000) } else { body.len() as u64 };
        let _infallible = write!(head, "Content-Length: {length}\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&body);
    // Now and then a request is cut, or a byte of it is another.
    match dice.below(20) {
        0 => bytes.truncate(usize::try_from(dice.below(bytes.len() as u64)).unwrap()),
        1 => {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            bytes[at] = dice.next().to_le_bytes()[0];
        }
        2 => bytes = dice.bytes(500),
        _ => {}
    }
    bytes
}

/// Every status that came back; an answer may be none at all.
fn statuses(address: &str, bytes: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    // What is refused early is not read to its end: a broken pipe is an answer as well.
    let _sent = stream.write_all(bytes);
    let _half = stream.shutdown(Shutdown::Write);
    let _read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let heads = text.split("HTTP/1.").skip(1).filter_map(|rest| rest.get(2..5)?.parse().ok());
    heads.collect()
}

#[test]
fn nothing_that_a_client_sends_makes_a_500() {
    let server =
        Setup::default().system("all").config("[server]\nheader_deadline = \"2s\"\nbody_deadline = \"2s\"\n").start();
    let counts = thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|client| {
            let address = server.listen();
            scope.spawn(move || {
                let (mut answered, mut good) = (0_u64, 0_u64);
                for number in 0..REQUESTS {
                    let seed = client * 1_000_000 + number;
                    let bytes = request(&mut Dice(seed));
                    for status in statuses(address, &bytes) {
                        answered += 1;
                        good += u64::from((200..300).contains(&status));
                        let ours = [500, 502].contains(&status);
                        assert!(!ours, "seed {seed}: {status} for {:?}", String::from_utf8_lossy(&bytes));
                    }
                }
                (answered, good)
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    let (answered, good) = counts.into_iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    assert!(answered > REQUESTS * CLIENTS / 2, "most of it was answered: {answered}");
    assert!(good > answered / 50, "some of it is no nonsense: {good} of {answered}");
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
    server.client().get("/livez").is(200);
    let product = serde_json::json!({"quantity": 1, "price": 1});
    server.client().send(&Request::new("POST", "/store/products").json(&product)).is(201);
}
