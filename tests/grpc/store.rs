use std::time::Duration;

use serde_json::json;
use steadfast::grpc::v1::{
    CancelOrderRequest, Command, GetCommandRequest, GetOrderRequest, ListOrdersRequest, Order, PayRequest,
    PlaceOrderRequest, command::State, store_client::StoreClient,
};
use tonic::{Code, Request, Status};

use crate::{
    common::{Server, Setup},
    wire::{Wire, connect},
};

fn store() -> Server {
    Setup::default().config("[server]\ngrpc_listen = \"127.0.0.1:0\"\n[admin]\nfaults = true\n").start()
}

async fn client(server: &Server) -> StoreClient<Wire> {
    connect(server.grpc_listen().expect("grpc_listen is set")).await
}

pub(crate) fn place(quantity: i32) -> PlaceOrderRequest {
    PlaceOrderRequest { product_id: 1, quantity }
}

pub(crate) fn keyed<M>(message: M, key: &'static str) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

pub(crate) fn told(status: &Status, name: &str) -> Option<String> {
    status.metadata().get(name).map(|value| value.to_str().unwrap().to_owned())
}

/// What is to be told of the command in the end.
async fn ended(client: &mut StoreClient<Wire>, id: &str) -> Command {
    let end = async {
        loop {
            let asked = client.get_command(GetCommandRequest { command_id: id.to_owned() }).await.unwrap().into_inner();
            if asked.state() != State::Pending {
                return asked;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), end).await.expect("it ends")
}

#[tokio::test]
async fn orders_and_purchases_are_the_same_here_and_over_http() {
    let server = store();
    let (http, mut client) = (server.client(), client(&server).await);
    http.http("POST :8088/products quantity=100 price=10").created();
    let placed = client.place_order(place(3)).await.unwrap().into_inner();
    assert_eq!((placed.id, placed.product_id, placed.quantity), (1, 1, 3));
    let seen = http.json("/orders/1");
    assert_eq!((&seen["productId"], &seen["quantity"]), (&json!(1), &json!(3)));
    http.http("POST :8088/orders productId=1 quantity=4").created();
    let got = client.get_order(GetOrderRequest { id: 2 }).await.unwrap().into_inner();
    assert_eq!((got.id, got.quantity), (2, 4));

    let paid = client.pay(PayRequest { product_id: 1, quantity: 2, price: 20 }).await.unwrap().into_inner();
    assert_eq!((paid.id, paid.price), (1, 20));
    assert_eq!(http.json("/payments/1")["price"], json!(20));

    client.cancel_order(CancelOrderRequest { id: 1 }).await.unwrap();
    let again = client.cancel_order(CancelOrderRequest { id: 1 }).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound, "{again}");
    assert_eq!(http.get("/orders/1").status, 404);
    let missing = client.get_order(GetOrderRequest { id: 9 }).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}

#[tokio::test]
async fn lists_come_in_pages_by_number() {
    let server = store();
    let mut client = client(&server).await;
    for quantity in 1..=5 {
        client.place_order(place(quantity)).await.unwrap();
    }
    let (mut seen, mut after): (Vec<Order>, u64) = (Vec::new(), 0);
    loop {
        let page = client.list_orders(ListOrdersRequest { page_size: 2, after }).await.unwrap().into_inner();
        assert!(page.orders.len() <= 2 && !page.behind, "{page:?}");
        seen.extend(page.orders);
        if page.next == 0 {
            break;
        }
        after = page.next;
    }
    let numbers: Vec<(u64, i32)> = seen.iter().map(|order| (order.id, order.quantity)).collect();
    assert_eq!(numbers, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
    let all = client.list_orders(ListOrdersRequest { page_size: 0, after: 3 }).await.unwrap().into_inner();
    assert_eq!((all.orders.len(), all.next), (2, 0));
}

#[tokio::test]
async fn a_key_is_done_once_also_across_a_crash_and_another_request_under_it_is_refused() {
    let mut server = store();
    let first = client(&server).await.place_order(keyed(place(3), "k-1")).await.unwrap().into_inner();
    server.restart();
    let mut client = client(&server).await;
    let again = client.place_order(keyed(place(3), "k-1")).await.unwrap().into_inner();
    assert_eq!((first.id, again.id), (1, 1));
    let other = client.place_order(keyed(place(4), "k-1")).await.unwrap_err();
    assert_eq!(
        (other.code(), told(&other, "code").as_deref()),
        (Code::InvalidArgument, Some("IDEMPOTENCY_KEY_REUSED"))
    );
    let listed = client.list_orders(ListOrdersRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.orders.len(), 1, "{listed:?}");
}

#[tokio::test]
async fn what_is_refused_says_so_and_what_is_away_says_when_to_come_back() {
    let server = store();
    let mut client = client(&server).await;
    let refused = client.place_order(place(0)).await.unwrap_err();
    assert_eq!((refused.code(), told(&refused, "outcome").as_deref()), (Code::InvalidArgument, Some("refused")));
    assert!(told(&refused, "command-id").is_none());
    server.admin().post("/admin/services/store/delivery/stop").is(200);
    let away = client.place_order(place(1)).await.unwrap_err();
    assert_eq!((away.code(), told(&away, "outcome").as_deref()), (Code::Unavailable, Some("not done")), "{away}");
    assert!(told(&away, "retry-after").unwrap().parse::<u64>().unwrap() >= 1, "{away}");
    let listed = client.list_orders(ListOrdersRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.orders, []);
}

#[tokio::test]
async fn calls_are_counted_and_logged_as_requests_are_and_say_what_they_are_found_by() {
    const PLACE: &str = "/steadfast.store.v1.Store/PlaceOrder";
    let mut server =
        Setup::default().config("[server]\ngrpc_listen = \"127.0.0.1:0\"\n[log]\naccess = \"access.log\"\n").start();
    let mut client = client(&server).await;
    let mut request = Request::new(place(3));
    request.metadata_mut().insert("x-request-id", "till-7/42".parse().unwrap());
    let placed = client.place_order(request).await.unwrap();
    assert_eq!(placed.metadata().get("x-request-id").unwrap(), "till-7/42");
    let refused = client.place_order(place(0)).await.unwrap_err();
    let of_refused = told(&refused, "x-request-id").expect("made up where none was sent");
    client.get_order(GetOrderRequest { id: 9 }).await.unwrap_err();
    let figures = server.admin().get("/metrics").is(200).text();
    for (method, status) in [("PlaceOrder", 200), ("PlaceOrder", 400), ("GetOrder", 404)] {
        let labels = ["system=\"store\"", "service=\"order\"", &format!("Store/{method}\""), &format!("\"{status}\"")];
        let counted = figures.lines().find(|line| labels.iter().all(|label| line.contains(label)));
        assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{method} {status} in\n{figures}");
    }
    server.terminate();
    let log = std::fs::read_to_string(server.directory().join("access.log")).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = |correlation: &str| {
        let line = lines.iter().find(|line| line["correlation"] == correlation).expect("every call has its line");
        [&line["method"], &line["path"], &line["route"], &line["service"], &line["status"], &line["bytes"]]
            .map(Clone::clone)
    };
    let expected =
        |status: u16| [json!("POST"), json!(PLACE), json!(PLACE), json!("order"), json!(status), json!(null)];
    assert_eq!(line("till-7/42"), expected(200));
    assert_eq!(line(&of_refused), expected(400));
}

/// A client that took this for a failure would order twice.
#[tokio::test]
async fn what_is_not_known_yet_is_no_failure_and_is_told_later() {
    let server = store();
    let mut client = client(&server).await;
    let slow = json!({"target": "store/delivery", "fault": {"latency": "600ms"}, "for": "30s", "count": 1});
    let fault = server.admin().send(&crate::common::Request::new("POST", "/admin/faults").json(&slow)).is(201).json();
    let mut request = Request::new(place(7));
    request.set_timeout(Duration::from_millis(300));
    let open = client.place_order(request).await.unwrap_err();
    assert_eq!((open.code(), told(&open, "outcome").as_deref()), (Code::DeadlineExceeded, Some("unknown")), "{open}");
    let id = told(&open, "command-id").unwrap();
    let command = ended(&mut client, &id).await;
    assert_eq!((command.state(), command.number), (State::Done, 1), "{command:?}");
    assert_eq!(client.get_order(GetOrderRequest { id: 1 }).await.unwrap().into_inner().quantity, 7);
    let fired = server.admin().json(&format!("/admin/faults/{}", fault["id"].as_str().unwrap()))["fired"].clone();
    assert_eq!(fired, json!(1));
    let strange = client.get_command(GetCommandRequest { command_id: "x".into() }).await.unwrap_err();
    assert_eq!(strange.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_overloaded_service_says_so() {
    let config =
        "[server]\ngrpc_listen = \"127.0.0.1:0\"\n[admin]\nfaults = true\n[service.store.payment]\nin_flight = 8\n";
    let server = Setup::default().config(config).start();
    let client = client(&server).await;
    let slow = json!({"target": "store/payment", "fault": {"latency": "300ms"}, "for": "30s"});
    server.admin().send(&crate::common::Request::new("POST", "/admin/faults").json(&slow)).is(201);
    let calls = (0..64).map(|_| {
        let mut client = client.clone();
        async move { client.pay(PayRequest { product_id: 1, quantity: 1, price: 1 }).await.map(drop) }
    });
    let answers = futures::future::join_all(calls).await;
    let refused: Vec<&Status> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    let full = refused.iter().filter(|status| status.code() == Code::ResourceExhausted).count();
    assert!(full > 0 && refused.len() < 64, "{} refused, {full} of them for want of room: {refused:?}", refused.len());
    assert!(refused.iter().all(|status| told(status, "retry-after").is_some()), "{refused:?}");
}
