//! Notices leave the house: to the log, to webhooks, to programs, and none of these is felt inside.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    common::{SOON, Server, Setup, Watch, eventually},
    receiver::{Act, Receiver},
    shop::{buy, messages, operate, place, product, quiet, rows, stock},
};

/// Quick tries, so that giving up takes moments.
const QUICK: &str = "deadline = \"200ms\"\nattempts = 2\nbackoff = { min = \"1ms\", max = \"5ms\" }";

fn with(config: &str) -> Server {
    Setup::default().config(config).start()
}

/// The notices among the lines of a log in JSON.
fn logged(server: &Server) -> Vec<Value> {
    let lines = server.stderr();
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "steadfast::notice").map(|line| line["fields"].clone()).collect()
}

fn letters(server: &Server) -> Vec<Value> {
    server.admin().json("/admin/dead-letters").as_array().unwrap().clone()
}

fn bulkhead(server: &Server, name: &str) -> Value {
    let bulkheads = server.admin().json("/admin/bulkheads");
    let found = bulkheads.as_array().unwrap().iter().find(|bulkhead| bulkhead["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("{name} in {bulkheads}"))
}

fn retry(server: &Server, letter: &Value) -> u16 {
    let id = letter["id"].as_str().unwrap().replace(':', "%3A");
    server.admin().post(&format!("/admin/dead-letters/{id}/retry")).status
}

/// What clients do goes on as ever: an order, a purchase, and the stock that they lead to.
#[track_caller]
fn shop_goes_on(server: &Server) {
    let (client, watch) = (server.client(), Watch::start());
    let product = product(&client, 10);
    place(&client, product, 3).created();
    buy(&client, product, 1).created();
    eventually(SOON, "the stock follows", || (stock(&client, product) == 12).then_some(()));
    assert!(watch.passed() < SOON, "{:?}", watch.passed());
}

#[test]
fn by_default_the_log_has_one_line_for_each_message_with_its_id() {
    let setup = Setup::default().flag("--log-format").flag("json").environment("RUST_LOG", "info");
    let mut server = setup.start();
    let client = server.client();
    let product = product(&client, 10);
    for _ in 0..3 {
        place(&client, product, 1).created();
    }
    buy(&client, product, 2).created();
    quiet(&server);
    let (lines, mut texts) = (logged(&server), messages(&client));
    let mut told: Vec<String> = lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    told.sort();
    assert!(texts.len() > 6, "{texts:?}");
    assert_eq!(told, texts);
    let ids: BTreeSet<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), lines.len());
    let first = &lines[0];
    assert_eq!(json!([first["system"], first["channel"], first["receiver"]]), json!(["store", "alarm", "owner"]));
    assert!(first["correlation_id"].is_string(), "{first}");
    // A message that a client writes is one like any other.
    client.http("POST :8088/messages content=hello").created();
    quiet(&server);
    assert_eq!(logged(&server).last().unwrap()["text"], "hello");
    server.terminate();
    let lines = logged(&server).len();
    server.start();
    quiet(&server);
    assert_eq!(logged(&server).len(), lines, "what was told is not told again");
}

#[test]
fn a_webhook_gets_every_message_once_while_it_is_healthy() {
    let receiver = Receiver::healthy();
    let server = with(&receiver.section(""));
    shop_goes_on(&server);
    quiet(&server);
    let arrived = receiver.arrived();
    let ids: BTreeSet<&str> = arrived.iter().map(|post| post.id.as_str()).collect();
    assert_eq!(ids.len(), arrived.len(), "each id once");
    let texts: BTreeMap<u64, String> = arrived
        .iter()
        .map(|post| (post.notice["number"].as_u64().unwrap(), post.notice["text"].as_str().unwrap().to_owned()))
        .collect();
    let rows: BTreeMap<u64, String> = rows(&server.client(), "messages")
        .iter()
        .map(|row| (number(row), row["content"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(texts, rows);
    for post in &arrived {
        assert_eq!((&post.key, post.notice["id"].as_str()), (&post.id, Some(post.id.as_str())));
        assert_eq!(post.notice["fields"], json!({ "messageId": post.notice["number"] }));
    }
    assert!(letters(&server).is_empty());
}

fn number(row: &Value) -> u64 {
    row["_links"]["self"]["href"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap()
}

#[test]
fn a_webhook_that_is_busy_or_closes_is_asked_again_under_the_same_id() {
    let receiver = Receiver::new(|_, before| match before {
        0 => Act::Busy,
        1 => Act::Close,
        _ => Act::Answer(200),
    });
    let server = with(&receiver.section("backoff.min = \"1ms\""));
    product(&server.client(), 1);
    let (first, second) = ("hello", "again");
    for text in [first, second] {
        server.client().http(&format!("POST :8088/messages content={text}")).created();
    }
    quiet(&server);
    for text in [first, second] {
        let of_one: Vec<_> = receiver.arrived().into_iter().filter(|post| post.notice["text"] == text).collect();
        let acts: Vec<Act> = of_one.iter().map(|post| post.act).collect();
        assert_eq!(acts, [Act::Busy, Act::Close, Act::Answer(200)], "{text}");
        assert!(of_one.iter().all(|post| post.id == of_one[0].id));
    }
    assert!(letters(&server).is_empty());
}

#[test]
fn a_crash_loses_no_notice_and_no_notice_has_two_ids() {
    let receiver = Receiver::healthy();
    let mut server = with(&receiver.section("backoff.min = \"1ms\""));
    let product = product(&server.client(), 1000);
    for round in 0..4 {
        let client = server.client();
        for _ in 0..15 {
            buy(&client, product, 1).created();
        }
        if round % 2 == 1 {
            let seen = receiver.arrived().len();
            eventually(SOON, "some have left", || (receiver.arrived().len() > seen).then_some(()));
        }
        server.restart(); // SIGKILL
    }
    quiet(&server);
    let written: BTreeSet<u64> = rows(&server.client(), "messages").iter().map(number).collect();
    assert!(written.len() >= 120, "a purchase is two messages: {}", written.len());
    let mut ids = BTreeMap::<u64, BTreeSet<String>>::new();
    for post in receiver.arrived() {
        ids.entry(post.notice["number"].as_u64().unwrap()).or_default().insert(post.id);
    }
    assert_eq!(ids.keys().copied().collect::<BTreeSet<_>>(), written, "none is lost, and none was told too early");
    assert!(ids.values().all(|ids| ids.len() == 1), "{ids:?}");
}

#[test]
fn a_webhook_that_never_answers_is_not_felt_and_its_notices_are_delivered_by_retry() {
    let receiver = Receiver::new(|_, _| Act::Hang);
    let server = with(&receiver.section(QUICK));
    shop_goes_on(&server);
    let written = eventually(SOON, "dead letters for all messages", || {
        let written = messages(&server.client()).len();
        (letters(&server).len() == written).then_some(written)
    });
    assert!(written >= 4);
    assert!(receiver.arrived().iter().all(|post| post.act == Act::Hang), "the fault was there");
    assert_eq!(receiver.arrived().len(), 2 * written, "two attempts for each");
    let waiting = letters(&server);
    let letter = &waiting[0]["letter"];
    assert_eq!(waiting[0]["policy"], "store.alarm-out");
    assert_eq!(
        json!([letter["kind"], letter["address"], letter["attempts"]]),
        json!(["connector/store.alarm", "owner", 2])
    );
    assert!(letter["reason"].as_str().unwrap().starts_with("no answer within the deadline"), "{letter}");
    quiet(&server);
    assert_eq!(retry(&server, &waiting[0]), 503, "it still does not answer");
    receiver.decides(|_, _| Act::Answer(204));
    for letter in &waiting {
        assert_eq!(retry(&server, letter), 200);
    }
    assert!(letters(&server).is_empty());
    assert_eq!(retry(&server, &waiting[0]), 404);
    let delivered: BTreeSet<String> =
        receiver.arrived().into_iter().filter(|post| post.act == Act::Answer(204)).map(|post| post.id).collect();
    assert_eq!(delivered.len(), written);
}

#[test]
fn what_a_webhook_refuses_is_a_dead_letter_at_once() {
    let receiver = Receiver::new(|notice, _| if notice["text"] == "no" { Act::Answer(422) } else { Act::Answer(200) });
    let server = with(&receiver.section(""));
    for text in ["no", "yes"] {
        server.client().http(&format!("POST :8088/messages content={text}")).created();
    }
    quiet(&server);
    let waiting = letters(&server);
    assert_eq!((waiting.len(), receiver.arrived().len()), (1, 2));
    assert_eq!(waiting[0]["letter"]["reason"], "it answered 422 Unprocessable Entity: ok");
    assert_eq!(retry(&server, &waiting[0]), 409);
}

#[test]
fn the_channel_of_one_system_goes_on_while_that_of_another_hangs() {
    let (hangs, healthy) = (Receiver::new(|_, _| Act::Hang), Receiver::healthy());
    let config = hangs.section("") + &healthy.section_of("stay.alarm", "");
    let server = Setup::default().system("all").config(&config).start();
    let client = server.client();
    for text in ["one", "two", "three", "four"] {
        client.http(&format!("POST :8088/store/messages content={text}")).created();
    }
    eventually(SOON, "all threads of the store's channel hang", || (hangs.arrived().len() >= 2).then_some(()));
    client.http("POST :8088/stay/rooms name=호텔 price=1000 address=서울 host=Superman").created();
    client.http("POST :8088/stay/bookings roomId=1 name=호텔 price=1000 address=서울 host=Superman guest=배트맨 usedate=20200101").created();
    eventually(SOON, "guest and host are told of booking and payment", || (healthy.arrived().len() == 4).then_some(()));
    let told: BTreeSet<(String, String)> = healthy
        .arrived()
        .iter()
        .map(|post| (post.notice["receiver"].as_str().unwrap(), post.notice["fields"]["message"].as_str().unwrap()))
        .map(|(receiver, message)| (receiver.to_owned(), message.to_owned()))
        .collect();
    let expected =
        [("Superman", "Booked"), ("Superman", "PayApproved"), ("배트맨", "Booked"), ("배트맨", "PayApproved")];
    assert_eq!(told, expected.map(|(receiver, message)| (receiver.to_owned(), message.to_owned())).into());
    // The receiver has them a moment before its answers are here.
    let at_rest = || Some(bulkhead(&server, "stay-alarm")).filter(|stay| stay["in_flight"] == 0);
    let (stay, store) = (eventually(SOON, "stay's are done", at_rest), bulkhead(&server, "store-alarm"));
    assert_eq!(json!([store["in_flight"], stay["current"]]), json!([2, 2]), "{store} {stay}");
    assert!(hangs.arrived().iter().all(|post| post.act == Act::Hang), "the fault was there");
}

/// A program that a test writes, and what it wrote itself.
struct Script {
    directory: TempDir,
}

impl Script {
    fn new(body: &str) -> Self {
        let script = Self { directory: tempfile::tempdir().unwrap() };
        script.becomes(body);
        script
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("send")
    }

    /// Replaces it as a whole: one that runs is not written to.
    fn becomes(&self, body: &str) {
        let fresh = self.directory.path().join("fresh");
        fs::write(&fresh, format!("#!/bin/sh\ncd {}\n{body}\n", self.directory.path().display())).unwrap();
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(fresh, self.path()).unwrap();
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.directory.path().join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn section(&self, more: &str) -> String {
        let program = self.path().display().to_string();
        format!("[connector.store.alarm]\nkind = \"command\"\nprogram = {program:?}\nargs = [\"a b\"]\n{more}\n")
    }
}

#[test]
fn a_program_is_run_for_each_message() {
    let script = Script::new("echo \"$1/$STEADFAST_NOTICE_ID/$STEADFAST_NOTICE_TEXT\" >> told; cat >> json");
    let server = with(&script.section(""));
    for text in ["hello", "again"] {
        server.client().http(&format!("POST :8088/messages content={text}")).created();
    }
    quiet(&server);
    let notices: Vec<Value> = script.lines("json").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut told = script.lines("told");
    let mut expected: Vec<String> = notices
        .iter()
        .map(|notice| format!("a b/{}/{}", notice["id"].as_str().unwrap(), notice["text"].as_str().unwrap()))
        .collect();
    told.sort();
    expected.sort();
    assert_eq!((told.len(), told), (2, expected));
}

#[test]
fn a_program_that_crashes_hangs_or_refuses_is_not_felt() {
    let script = Script::new(
        "case $STEADFAST_NOTICE_TEXT in
           crash) echo $$ >> crashed; kill -SEGV $$;;
           hang) echo $$ >> hung; sleep 600;;
           refuse) echo no such number >&2; echo $$ >> refused; exit 67;;
         esac
         echo $STEADFAST_NOTICE_TEXT >> told",
    );
    let server = with(&script.section(QUICK));
    for text in ["crash", "hang", "refuse", "fine"] {
        server.client().http(&format!("POST :8088/messages content={text}")).created();
    }
    shop_goes_on(&server);
    quiet(&server);
    let reasons: BTreeMap<String, String> = letters(&server)
        .iter()
        .map(|letter| {
            (letter["letter"]["body"]["text"].as_str().unwrap(), letter["letter"]["reason"].as_str().unwrap())
        })
        .map(|(text, reason)| (text.to_owned(), reason.to_owned()))
        .collect();
    let expected = [
        ("crash", "it was ended by signal 11: "),
        ("hang", "not done within 200ms, and killed"),
        ("refuse", "it ended with 67: no such number"),
    ];
    assert_eq!(reasons, expected.map(|(text, reason)| (text.to_owned(), reason.to_owned())).into());
    let tries = ["crashed", "hung", "refused"].map(|file| script.lines(file).len());
    assert_eq!(tries, [2, 2, 1], "the faults were there");
    for pid in script.lines("hung") {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid} runs still");
    }
    assert!(script.lines("told").contains(&"fine".to_owned()));
    // A program that hangs was killed and came back: no thread was lost for it.
    let status = bulkhead(&server, "store-alarm");
    assert_eq!(json!([status["leaked"], status["replaced"], status["current"]]), json!([0, 0, 2]), "{status}");
    script.becomes("echo $STEADFAST_NOTICE_TEXT >> healed");
    for letter in letters(&server) {
        assert_eq!(retry(&server, &letter), 200);
    }
    let mut healed = script.lines("healed");
    healed.sort();
    assert_eq!(healed, ["crash", "hang", "refuse"]);
}

#[test]
fn a_stopped_service_sends_nothing_and_misses_nothing() {
    let receiver = Receiver::healthy();
    let server = with(&receiver.section(""));
    let client = server.client();
    client.http("POST :8088/messages content=before").created();
    quiet(&server);
    operate(&server, "alarm", "stop");
    let product = product(&client, 5);
    buy(&client, product, 1).created();
    eventually(SOON, "the purchase counts", || (stock(&client, product) == 4).then_some(()));
    assert_eq!(receiver.arrived().len(), 1);
    operate(&server, "alarm", "start");
    quiet(&server);
    assert_eq!(receiver.arrived().len(), messages(&client).len());
    assert!(receiver.arrived().len() > 2);
}

#[test]
fn a_process_ends_in_time_while_its_receiver_hangs_and_sends_what_is_left_after_its_next_start() {
    let receiver = Receiver::new(|_, _| Act::Hang);
    let mut server = with(&receiver.section(""));
    server.client().http("POST :8088/messages content=hello").created();
    eventually(SOON, "it hangs", || (!receiver.arrived().is_empty()).then_some(()));
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("did not end in time"), "{}", ended.stderr);
    receiver.decides(|_, _| Act::Answer(200));
    server.start();
    quiet(&server);
    let posts = receiver.arrived();
    assert_eq!(posts.last().unwrap().act, Act::Answer(200));
    assert!(posts.iter().all(|post| post.id == posts[0].id), "{posts:?}");
}

#[test]
fn operators_see_the_bulkheads_and_the_connectors() {
    let server = with("[bulkhead.shared]\nthreads = 3\nqueue = 5\n[connector.store.alarm]\nbulkhead = \"shared\"");
    server.client().http("POST :8088/messages content=hello").created();
    quiet(&server);
    let mut shared = bulkhead(&server, "shared");
    let share = shared.as_object_mut().unwrap().remove("busy_share").unwrap();
    assert!((0.0..=1.0).contains(&share.as_f64().unwrap()), "{share}");
    let expected = json!({
        "name": "shared", "kind": "threads", "state": "running", "min": 3, "max": 3, "desired": 3, "current": 3,
        "in_flight": 0, "waiting": 0, "queue_limit": 5, "admitted": 5, "refused": 0, "late": 0, "expired": 0, "leaked": 0, "replaced": 0,
    });
    assert_eq!(shared, expected);
    let order = bulkhead(&server, "store/order");
    assert_eq!(json!([order["kind"], order["state"], order["max"]]), json!(["semaphore", "running", 16384]));
    let consumers = server.admin().json("/admin/consumers");
    let own: Vec<&Value> =
        consumers.as_array().unwrap().iter().filter(|consumer| consumer["name"] == "store.alarm-out").collect();
    assert!(!own.is_empty());
    for consumer in own {
        assert_eq!(json!([consumer["service"], consumer["state"], consumer["lag"]]), json!(["alarm", "running", 0]));
    }
    let tree = server.admin().json("/admin/tree");
    let bulkheads = tree["children"].as_array().unwrap().iter().find(|child| child["name"] == "bulkheads").unwrap();
    assert_eq!(json!([bulkheads["children"][0]["name"], bulkheads["state"]]), json!(["shared", "running"]));
}

#[test]
fn a_section_of_a_channel_that_is_not_there_is_refused() {
    for (config, said) in [
        ("[connector.store.alram]", "the configuration has [connector.store.alram], but nothing here is called that"),
        ("[bulkhead.store-alram]", "the configuration has [bulkhead.store-alram], but nothing here is called that"),
        ("[connector.store.alarm]\nkind = \"webhook\"", "supervision.toml:2:1: `connector.store.alarm.url` is missing"),
    ] {
        let ended = Setup::default().config(config).prepare().run();
        assert_eq!(ended.status.code(), Some(2), "{config}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{config}: {}", ended.stderr);
    }
}
