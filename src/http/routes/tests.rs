use std::{sync::Arc, time::Duration};

use futures::{FutureExt, stream};
use serde_json::Value;

use super::*;
use crate::{
    Unavailable,
    http::{
        Procedure, Resource, Said,
        gateway::{Gate, Gateway},
        health::tests::healthy,
        perform,
        resource::tests::{Calls, fake},
    },
};

fn edge_of(routes: impl Routes, limits: HttpLimits) -> Edge {
    let now = Arc::new(|| Timestamp::from_millis(1_625_721_994_123));
    Edge::new(routes, true, limits, now, RequestMeters::default())
}

fn edge(systems: &[&'static str]) -> Edge {
    let resources = systems.iter().map(|system| fake(system, &Calls::default())).collect();
    edge_of(Gateway::new(resources, true, healthy(), Arc::new(|_| Ok(()))), HttpLimits::default())
}

fn request(method: &str, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> http::Request<Bytes> {
    let mut builder = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap()
}

async fn call(edge: &Edge, method: &str, url: &str) -> Response {
    edge.call(request(method, url, &[("host", "localhost:8088")], "")).await
}

async fn href(edge: &Edge, url: &str) -> String {
    let response = call(edge, "GET", url).await;
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    body["_links"]["self"]["href"].as_str().unwrap_or_default().replace("http://localhost:8088", "")
}

#[tokio::test]
async fn one_system_is_at_the_root_and_under_its_name() {
    let edge = edge(&["store"]);
    assert_eq!(href(&edge, "/orders/1").await, "/orders/1");
    assert_eq!(href(&edge, "/store/orders/1").await, "/store/orders/1");
    assert_eq!(href(&edge, "/Store/ORDERS/1/").await, "/store/orders/1");
}

#[tokio::test]
async fn several_systems_are_under_their_names_only() {
    let edge = edge(&["store", "library"]);
    assert_eq!(href(&edge, "/library/orders/1").await, "/library/orders/1");
    assert_eq!(call(&edge, "GET", "/orders/1").await.status(), 404);
    let root: Value = serde_json::from_slice(call(&edge, "GET", "/").await.body()).unwrap();
    assert_eq!(root["_links"]["library"]["href"], "http://localhost:8088/library");
}

#[tokio::test]
async fn roots_and_profiles_are_objects() {
    let edge = edge(&["store"]);
    let root = call(&edge, "GET", "/").await;
    let expected = concat!(
        r#"{"_links":{"orders":{"href":"http://localhost:8088/orders{?page,size,sort}","templated":true},"#,
        r#""profile":{"href":"http://localhost:8088/profile"}}}"#
    );
    assert_eq!(root.body(), expected);
    for url in ["/profile", "/profile/orders", "/store/profile/ORDERS", "/store"] {
        assert_eq!(call(&edge, "GET", url).await.status(), 200, "{url}");
        assert_eq!(call(&edge, "POST", url).await.status(), 405, "{url}");
    }
    for probe in ["/livez", "/readyz", "/startupz", "/actuator/health", "/actuator/health/readiness"] {
        assert_eq!(call(&edge, "GET", probe).await.body(), r#"{"status":"UP"}"#, "{probe}");
    }
}

/// The port of a service of the store that has orders; `down` stops it.
fn port(service: &'static str, down: bool) -> Edge {
    let resources = vec![fake("store", &Calls::default()).service("Order"), fake("stay", &Calls::default())];
    let gate: Gate = Arc::new(move |_| {
        let stopped = Unavailable::ServiceStopped { service: "store/order".into() };
        if down { Err(stopped) } else { Ok(()) }
    });
    let gateway = Gateway::of_service("store", service, resources, healthy(), gate);
    let now = Arc::new(|| Timestamp::from_millis(1_625_721_994_123));
    Edge::new(gateway, false, HttpLimits::default(), now, RequestMeters::default())
}

#[tokio::test]
async fn the_port_of_a_service_serves_its_own_resources_without_cross_origin_headers() {
    let own = port("order", false);
    assert_eq!(href(&own, "/orders/1").await, "/orders/1");
    assert_eq!(href(&own, "/store/orders/1").await, "/store/orders/1");
    let response = own.call(request("GET", "/orders", &[("origin", "http://shop")], "")).await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    let other = port("delivery", false);
    assert_eq!(call(&other, "GET", "/orders/1").await.status(), 404);
    assert_eq!(call(&other, "GET", "/stay/orders/1").await.status(), 404);
    let root = |edge: Edge| async move { String::from_utf8(call(&edge, "GET", "/").await.body().to_vec()).unwrap() };
    assert!(root(own).await.contains("/orders{?page"));
    assert_eq!(root(other).await, r#"{"_links":{"profile":{"href":"http://localhost:8088/profile"}}}"#);
}

#[tokio::test]
async fn whatever_is_asked_of_a_stopped_service_is_503_with_retry_after() {
    let edge = port("order", true);
    for (method, url) in [
        ("GET", "/orders"),
        ("GET", "/orders/abc"),
        ("GET", "/orders/search"),
        ("POST", "/orders"),
        ("PUT", "/orders/1"),
        ("DELETE", "/orders"),
    ] {
        let response = call(&edge, method, url).await;
        let retry = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), retry), (503, Some("1")), "{method} {url}");
    }
    assert_eq!(call(&edge, "GET", "/").await.status(), 200);
    assert_eq!(call(&edge, "GET", "/nothing").await.status(), 404);
}

#[tokio::test]
async fn an_alias_leads_to_its_resource_and_what_has_no_items_is_not_in_the_root() {
    let calls = Procedure::post("confirmStock", vec![], perform(|_| async { Ok(Said::yes()) }));
    let resources = vec![
        fake("store", &Calls::default()).alias("purchases"),
        Resource::without_items("store", "stocks").procedure(calls),
    ];
    let edge = edge_of(Gateway::new(resources, true, healthy(), Arc::new(|_| Ok(()))), HttpLimits::default());
    assert_eq!(href(&edge, "/Purchases/1").await, "/orders/1");
    assert_eq!(call(&edge, "POST", "/Stocks/confirmStock").await.body(), "true");
    let root: Value = serde_json::from_slice(call(&edge, "GET", "/").await.body()).unwrap();
    let names: Vec<_> = root["_links"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["orders", "profile"]);
    let profile: Value = serde_json::from_slice(call(&edge, "GET", "/profile/stocks").await.body()).unwrap();
    assert_eq!(profile["procedures"][0]["name"], "confirmStock");
    assert_eq!(profile.get("fields"), None);
}

#[tokio::test]
async fn an_unknown_path_is_404_with_what_exists() {
    let edge = edge(&["store"]);
    for url in ["/nothing", "/orders/1/2", "/store/nothing", "//", "/%ff", "/orders/search/x/y"] {
        let response = call(&edge, "GET", url).await;
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((response.status().as_u16(), &body["code"], &body["path"]), (404, &"NOT_FOUND".into(), &url.into()));
        assert_eq!(body["available"][0], "/orders");
    }
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    let edge = edge(&["store"]);
    let (get, head) = (call(&edge, "GET", "/orders").await, call(&edge, "HEAD", "/orders").await);
    assert_eq!((head.status(), head.body().len()), (get.status(), 0));
    assert_eq!(head.headers()["content-length"], get.body().len().to_string().as_str());
    assert_eq!(head.headers()["content-type"], get.headers()["content-type"]);
}

#[tokio::test]
async fn pages_of_other_origins_may_read_everything() {
    let edge = edge(&["store"]);
    for (method, url) in [("GET", "/orders"), ("GET", "/nothing"), ("POST", "/orders"), ("OPTIONS", "/orders")] {
        let response = edge.call(request(method, url, &[("origin", "http://shop")], "")).await;
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], "http://shop", "{method} {url}");
        assert_eq!(headers["access-control-allow-credentials"], "true");
        let exposed = headers["access-control-expose-headers"].to_str().unwrap();
        // What the old gateways exposed, and all that our answers have besides.
        for header in ["Location", "Retry-After", "ETag", "Link", "X-Reason", "X-View-Lag", "Idempotency-Replayed"] {
            assert!(exposed.split(", ").any(|name| name == header), "{header}: {exposed}");
        }
        assert_eq!(headers["vary"], "Origin");
    }
    assert!(!call(&edge, "GET", "/orders").await.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_preflight_is_allowed_whatever_it_asks() {
    let ask = [
        ("origin", "http://shop"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type,x-a"),
    ];
    let response = edge(&["store"]).call(request("OPTIONS", "/nothing", &ask, "")).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-methods"], "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS");
    assert_eq!(headers["access-control-allow-headers"], "content-type,x-a");
    assert_eq!(headers["access-control-max-age"], "1800");
    assert_eq!(headers["access-control-allow-origin"], "http://shop");
}

#[tokio::test]
async fn every_answer_says_which_request_it_belongs_to() {
    let edge = edge(&["store"]);
    for url in ["/orders", "/nothing"] {
        let response = edge.call(request("GET", url, &[("x-request-id", "r-1")], "")).await;
        assert_eq!(response.headers()["x-request-id"], "r-1");
        assert!(response.headers().contains_key("traceparent"));
    }
    let refused = edge.call(request("GET", "/nothing", &[("x-request-id", "r-1")], "")).await;
    let body: Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!((&body["correlationId"], &body["timestamp"]), (&"r-1".into(), &"2021-07-08T05:26:34.123+0000".into()));
}

#[tokio::test]
async fn what_is_too_long_is_refused_at_its_limit() {
    let edge = edge(&["store"]);
    let body = |length: usize| request("POST", "/orders", &[], " ".repeat(length));
    assert_eq!(edge.call(body(1024 * 1024)).await.status(), 400, "blank, but not too long");
    assert_eq!(edge.call(body(1024 * 1024 + 1)).await.status(), 413);
    assert_eq!(edge.call(body(MAX_DISCARDED + 1)).await.status(), 413);
    let url = |length: usize| request("GET", &format!("/orders?{}", "x".repeat(length - "/orders".len())), &[], "");
    assert_eq!(edge.call(url(8 * 1024)).await.status(), 200);
    assert_eq!(edge.call(url(8 * 1024 + 1)).await.status(), 414);
    let header = |length: usize| request("GET", "/orders", &[("x", &"y".repeat(length - 5))], "");
    assert_eq!(edge.call(header(32 * 1024)).await.status(), 200);
    assert_eq!(edge.call(header(32 * 1024 + 1)).await.status(), 431);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_408() {
    let edge = edge(&["store"]);
    let body = stream::pending::<Result<Bytes, warp::Error>>();
    let (head, ()) = http::Request::post("/orders").body(()).unwrap().into_parts();
    let response = edge.answer(head, None, body).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn no_garbage_leads_to_a_500() {
    let edge = edge(&["store"]);
    let bodies: [&[u8]; 6] =
        [b"\xff\xfe", b"{\"quantity\":1e999}", b"{\"a\":\"\\ud800\"}", b"\0", b"%", b"{\"status\":{}}"];
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "BREW"] {
        for url in ["/orders", "/orders/1", "/orders?page=%ff&size=%&sort=,,,", "/orders/%00", "/orders/search?%"] {
            for media in ["application/json", "application/x-www-form-urlencoded", "\u{e9}"] {
                for body in bodies {
                    let request = request(method, url, &[("content-type", media)], body.to_vec());
                    let status = edge.call(request).await.status();
                    assert!(status.as_u16() < 500, "{method} {url} {media} {body:?}: {status}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_route_that_panics_answers_500_and_the_next_request_is_served() {
    struct Panics;
    impl Routes for Panics {
        fn route<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, Problem>> {
            async move { if request.path == "/bad" { panic!("planted") } else { Ok(Response::new("fine".into())) } }
                .boxed()
        }

        fn is_control(&self, _: &str) -> bool {
            false
        }
    }
    let edge = edge_of(Panics, HttpLimits { body_read: Duration::from_secs(1), ..HttpLimits::default() });
    let response = call(&edge, "GET", "/bad").await;
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!((response.status().as_u16(), &body["code"]), (500, &"INTERNAL".into()));
    assert_eq!(call(&edge, "GET", "/good").await.body(), "fine");
}

/// Answers when it is released.
struct Waits {
    begun: Arc<tokio::sync::Semaphore>,
    release: Arc<tokio::sync::Semaphore>,
}

impl Routes for Waits {
    fn route<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, Problem>> {
        async move {
            self.begun.add_permits(1);
            self.release.acquire().await.unwrap().forget();
            Ok(Response::new("done".into()))
        }
        .boxed()
    }

    fn is_control(&self, path: &str) -> bool {
        path == "/livez"
    }
}

#[tokio::test]
async fn without_room_work_is_refused_first_then_reads_and_probes_never() {
    let (begun, release) = (Arc::new(tokio::sync::Semaphore::new(0)), Arc::new(tokio::sync::Semaphore::new(0)));
    let limits = HttpLimits { requests: 4, ..HttpLimits::default() };
    let edge = edge_of(Waits { begun: begun.clone(), release: release.clone() }, limits);
    let tasks = tokio_util::task::TaskTracker::new();
    let send = |method: &'static str, url: &'static str| {
        let edge = edge.clone();
        let answer = tasks.spawn(async move { call(&edge, method, url).await.status() });
        let begun = begun.clone();
        async move {
            begun.acquire().await.unwrap().forget();
            vec![answer]
        }
    };
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.extend(send("POST", "/orders").await);
    }
    let refused = edge.call(request("POST", "/orders", &[("origin", "http://shop")], "{}")).await;
    let body: Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!(
        (refused.status().as_u16(), &body["code"], &body["outcome"]),
        (503, &"OVERLOADED".into(), &"not done".into())
    );
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(
        refused.headers().contains_key("x-request-id") && refused.headers().contains_key("access-control-allow-origin")
    );

    answers.extend(send("GET", "/orders").await);
    assert_eq!(call(&edge, "GET", "/orders").await.status(), 503);
    answers.extend(send("GET", "/livez").await);
    release.add_permits(answers.len());
    for answer in answers {
        assert_eq!(answer.await.unwrap(), 200);
    }
    release.add_permits(1);
    assert_eq!(call(&edge, "POST", "/orders").await.status(), 200, "there is room again");
}

/// Heads without bodies, through a proxy that says whose they are.
#[tokio::test]
async fn who_sends_no_bodies_is_refused_before_others_are() {
    let mut config = crate::SupervisionConfig::default();
    config.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let limits = HttpLimits { requests: 8, ..HttpLimits::default() };
    let room = Arc::new(tokio::sync::Semaphore::new(9));
    let routes = Waits { begun: room.clone(), release: room };
    let edge = edge_of(routes, limits).behind(&Guard::of(&config).unwrap(), true);
    let proxy = Some(Peer { address: "10.0.0.1".parse().unwrap(), secure: false });
    let silent = |client: &str| {
        let request = http::Request::post("/orders").header("x-forwarded-for", client).body(()).unwrap();
        let body = stream::pending::<Result<Bytes, warp::Error>>();
        let mut answer = edge.clone().answer(request.into_parts().0, proxy, body).boxed();
        let refused = (&mut answer).now_or_never().map(|response| response.status());
        (answer, refused)
    };
    let waiting: Vec<_> = (0..4).map(|_| silent("192.0.2.1")).collect();
    assert!(waiting.iter().all(|(_, refused)| refused.is_none()), "half of the room");
    assert_eq!(silent("192.0.2.1").1, Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(edge.inner.meters.shed(), 1);
    let other = silent("192.0.2.2");
    assert_eq!(other.1, None);
    assert_eq!(call(&edge, "POST", "/orders").await.status(), 200);
}
