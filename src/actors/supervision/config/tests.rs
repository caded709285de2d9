use std::{collections::BTreeMap, time::Duration};

use super::{
    BulkheadConfig, ByteCount, ConfigError, ConnectorConfig, ConnectorKind, EntityConfig, JournalKind, NamedSection,
    SupervisionConfig,
    section::Asked,
    value::{from_text, overlay},
};
use crate::actors::supervision::{Intensity, Strategy};

const SHIPPED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/supervision.toml"));

fn parse(text: &str) -> SupervisionConfig {
    SupervisionConfig::parse(text, "supervision.toml").unwrap()
}

fn refusal(text: &str) -> String {
    SupervisionConfig::parse(text, "supervision.toml").unwrap_err().to_string()
}

fn with(text: &str, variables: &[(&str, &str)]) -> Result<SupervisionConfig, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    SupervisionConfig::parse_with(text, "supervision.toml", variables)
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let mut shipped = parse(SHIPPED);
    // The section with a name of its own: it shows the defaults of a connector.
    assert_eq!(shipped.connectors.remove("store.alarm"), Some(ConnectorConfig::of("store", "alarm")));
    assert_eq!(shipped, SupervisionConfig::default());
    assert_eq!(parse(""), SupervisionConfig::default());
}

#[test]
fn the_shipped_file_mentions_every_key() {
    let asked = Asked::default();
    SupervisionConfig::validate(from_text(SHIPPED, "supervision.toml").unwrap(), &asked).unwrap();
    let mut section = String::new();
    let mut mentioned = vec![];
    for line in SHIPPED.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).to_owned();
            let parts: Vec<_> = section.split('.').collect();
            mentioned.extend((1..=parts.len()).map(|n| parts[..n].join(".")));
        } else if let Some((key, value)) = line.trim_start_matches("# ").split_once(" = ") {
            mentioned.push(format!("{section}.{key}"));
            let inline = value.trim_matches(['{', '}', ' ']).split(", ").filter_map(|part| part.split_once(" = "));
            mentioned.extend(inline.map(|(below, _)| format!("{section}.{key}.{below}")));
        }
    }
    let asked = asked.into_inner();
    assert!(asked.len() > 40, "{asked:?}");
    for key in asked {
        assert!(mentioned.contains(&key), "{key} is not in supervision.toml");
    }
}

#[test]
fn an_absent_file_is_an_empty_one_and_an_unreadable_one_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let absent = SupervisionConfig::load(directory.path().join("supervision.toml")).unwrap();
    assert_eq!(absent, SupervisionConfig::default());
    let error = SupervisionConfig::load(directory.path()).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
    let file = directory.path().join("mine.toml");
    std::fs::write(&file, "\n[server]\ndrain = 5\n").unwrap();
    let error = SupervisionConfig::load(&file).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:3:1: ", file.display())), "{error}");
}

#[test]
fn values_are_read_into_their_types() {
    let config = parse(
        r#"
        server = { listen = "0.0.0.0:80", drain = "500ms", ready_file = "r.json" }
        storage = { journal = "memory", segment_bytes = "1 MiB" }
        [entity]
        mailbox = 10
        restarts.at_most = 1
        [entity.order]
        mailbox = 20
        [entity.stay.room]
        mailbox = 30
        [entity."store.product"]
        snapshot_every = 7
        [service.station.POS]
        recoveries = 3
        [link]
        attempts = 2
        breaker = { open_for = "1s", slow_call = "300ms" }
        [link.store.order.delivery]
        timeout = "2s"
        breaker.probes = 3
        [systems.stay]
        exclusive = true
        [[supervisor]]
        name = "service"
        strategy = "one_for_all"
        backoff.min = "1s"
        "#,
    );
    assert_eq!(config.server.listen.unwrap().port(), 80);
    assert_eq!(config.server.drain, Duration::from_millis(500));
    assert_eq!((config.storage.journal, config.storage.segment_bytes), (JournalKind::Memory, ByteCount::mib(1)));
    let kind = |kind: &str| config.entity(kind).mailbox;
    assert_eq!((kind("store.order"), kind("stay.room"), kind("store.room")), (20, 30, 10));
    let product = EntityConfig {
        mailbox: 10,
        snapshot_every: 7,
        restarts: Intensity { at_most: 1, within: Duration::from_mins(1) },
        ..EntityConfig::default()
    };
    assert_eq!(config.entity("store.product"), &product, "a kind takes over what [entity] says");
    assert_eq!((config.service("station", "POS").recoveries, config.service("store", "order").recoveries), (3, 16));
    assert_eq!(config.link("store", "order", "delivery").timeout, Some(Duration::from_secs(2)));
    assert_eq!(config.link("store", "delivery", "order").timeout, None);
    let link = config.link("store", "order", "delivery");
    assert_eq!((link.attempts, link.breaker.open_for, link.breaker.probes), (2, Duration::from_secs(1), 3));
    assert_eq!(link.breaker.slow_call, Some(Duration::from_millis(300)), "a link takes over what [link] says");
    assert_eq!(config.link("a", "b", "c").breaker.probes, 1);
    config.refuse_switches_of_others(&["stay", "station"]).unwrap();
    let refused = config.refuse_switches_of_others(&["station", "store"]).unwrap_err().to_string();
    assert!(refused.ends_with(": unknown key `systems.stay`; there are switches of station, store"), "{refused}");
    let service = config.supervisors.service;
    assert_eq!((service.strategy, service.backoff.min), (Strategy::OneForAll, Duration::from_secs(1)));
    let names: Vec<_> = config.named().collect();
    assert!(names.contains(&(NamedSection::Service, "station/pos")), "{names:?}");
    assert!(names.contains(&(NamedSection::Entity, "store.product")), "{names:?}");
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn a_channel_takes_its_kind_and_its_bulkhead_from_the_file() {
    let config = parse(
        r#"
        [bulkhead]
        queue = 8
        [bulkhead.slow]
        threads = 3
        hard_limit = "1m"
        [connector.store.alarm]
        kind = "webhook"
        url = "http://127.0.0.1:9/alarms?x=1"
        token_file = "/run/secrets/gateway"
        bulkhead = "Slow"
        deadline = "45s"
        attempts = 3
        backoff = { min = "1s", max = "2s" }
        [connector.procurement.SMS]
        kind = "command"
        program = "/usr/bin/send-sms"
        args = ["--to", "it's"]
        "#,
    );
    let alarm = config.connector("store", "alarm");
    let expected = ConnectorConfig {
        kind: ConnectorKind::Webhook {
            url: "http://127.0.0.1:9/alarms?x=1".to_owned(),
            token_file: Some("/run/secrets/gateway".into()),
        },
        bulkhead: "slow".to_owned(),
        deadline: Duration::from_secs(45),
        attempts: 3,
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(2),
    };
    assert_eq!(alarm, expected);
    let (program, args) = ("/usr/bin/send-sms".into(), vec!["--to".to_owned(), "it's".to_owned()]);
    let sms = config.connector("procurement", "sms");
    assert_eq!((sms.kind, sms.bulkhead.as_str()), (ConnectorKind::Command { program, args }, "procurement-sms"));
    assert_eq!(config.connector("stay", "alarm"), ConnectorConfig::of("stay", "alarm"));
    let (slow, other) = (config.bulkhead("slow"), config.bulkhead("stay-alarm"));
    assert_eq!((slow.threads, slow.queue, slow.hard_limit), (3, 8, Duration::from_mins(1)));
    assert_eq!(other, &BulkheadConfig { queue: 8, ..BulkheadConfig::default() });
}

#[test]
fn every_broken_rule_is_refused_with_its_place_and_both_values() {
    for (text, refused) in [
        ("[server\n", "1:8: unclosed table, expected `]`"),
        ("[server]\nlisten = ", "2:10: string values must be quoted, expected literal string"),
        ("\n[sever]\n", "2:2: unknown key `sever`; did you mean `server`?"),
        ("[server]\n\ndrian = \"1s\"", "3:1: unknown key `server.drian`; did you mean `drain`?"),
        ("[storage]\ncolour = 1", "2:1: unknown key `storage.colour`"),
        ("[entity.order]\nmailbx = 1", "2:1: unknown key `entity.order.mailbx`; did you mean `mailbox`?"),
        ("[entity.store.order]\ncolour = 1", "2:1: unknown key `entity.store.order.colour`"),
        ("[service.store]\nrecoveries = 1", "2:1: unknown key `service.store.recoveries`"),
        ("[link.a.b.c.breaker]\nprobes = 0", "2:1: `link.a.b.c.breaker.probes` is 0; it takes 1 to 100"),
        ("[link]\nattempts = 11", "2:1: `link.attempts` is 11; it takes 1 to 10"),
        ("[link.a.b.c]\ntimeuot = 1", "2:1: unknown key `link.a.b.c.timeuot`; did you mean `timeout`?"),
        ("server = 3", "1:1: `server` is 3; it takes a table"),
        ("[supervisor]\nname = 3", "1:2: `supervisor` is a table; it takes a list of tables"),
        ("systems.stay = 1", "1:9: unknown key `systems.stay`"),
        (
            "[server]\ndrain = 5",
            "2:1: `server.drain` is 5; it takes a duration with its unit, as \"250ms\", \"2s\", \"5m\", \"1h\" or \"90d\"",
        ),
        (
            "[limits]\nbody = \"1 MB\"",
            "2:1: `limits.body` is \"1 MB\"; it takes a size with its unit, as \"512 B\", \"64 KiB\", \"1 MiB\" or \"2 GiB\"",
        ),
        (
            "[server]\nlisten = \"here\"",
            "2:1: `server.listen` is \"here\"; it takes an address and a port, as \"127.0.0.1:8088\"",
        ),
        ("[entity]\nmailbox = -1", "2:1: `entity.mailbox` is -1; it takes a whole number from 0"),
        ("[entity]\nmailbox = 0", "2:1: `entity.mailbox` is 0; it takes 1 to 65536"),
        ("[entity]\nrestarts = { at_most = 9999 }", "2:14: `entity.restarts.at_most` is 9999; it takes 0 to 1000"),
        ("[storage]\npartitions = 2000", "2:1: `storage.partitions` is 2000; it takes 1 to 1024"),
        ("[storage]\nhistory = \"1d\"", "2:1: `storage.history` is 86400s; it takes 172800s to 3153600000s"),
        ("[storage]\nlow_space = \"1025 GiB\"", "2:1: `storage.low_space` is 1025 GiB; it takes 0 B to 1 TiB"),
        ("[storage]\nballast = \"17 GiB\"", "2:1: `storage.ballast` is 17 GiB; it takes 0 B to 16 GiB"),
        ("[storage]\nsegment_bytes = \"1 B\"", "2:1: `storage.segment_bytes` is 1 B; it takes 64 KiB to 1 GiB"),
        (
            "[storage]\njournal = \"paper\"",
            "2:1: `storage.journal` is \"paper\"; it takes \"segments\", \"sled\" or \"memory\"",
        ),
        ("[storage]\ndata = 1979-05-27", "2:1: `data` is 1979-05-27; it takes no date or time"),
        (
            "server.listen = \"127.0.0.1:9900\"",
            "1:8: `server.admin_listen` and `server.listen` are both 127.0.0.1:9900",
        ),
        (
            "[limits]\nheaders = \"8 KiB\"\nurl = \"9 KiB\"",
            "3:1: `limits.url` is 9 KiB, more than `limits.headers`, which is 8 KiB",
        ),
        ("[storage.unit.alarm]", "1:15: `storage.unit.alarm.services` is missing"),
        (
            "[storage.unit.\"a/b\"]\nservices = []",
            "1:15: `storage.unit.a/b` is \"a/b\"; it takes a name of at most 64 letters, digits and -",
        ),
        (
            "[storage.unit.a]\nservices = [\"alarm\"]",
            "2:1: `storage.unit.a.services` is \"alarm\"; it takes names of services, as \"store/alarm\"",
        ),
        (
            "[storage.unit]\na.services = [\"store/x\"]\nb.services = [\"Store/X\"]",
            "3:3: `storage.unit.b.services` and `storage.unit.a.services` are both store/x",
        ),
        ("[link.store.order.order]", "1:19: `caller` and `callee` are both `order`"),
        ("[[supervisor]]\nat_most = 1", "1:1: `supervisor.name` is missing"),
        (
            "[[supervisor]]\nname = \"gaurdian\"",
            "2:1: `supervisor.name` is \"gaurdian\"; it takes \"guardian\", \"storage\", \"services\", \"service\", \"bulkheads\" or \"edge\"",
        ),
        (
            "[[supervisor]]\nname = \"edge\"\n[[supervisor]]\nname = \"edge\"",
            "4:1: `supervisor.name` and `supervisor.name at supervision.toml:2:1` are both \"edge\"",
        ),
        (
            "[[supervisor]]\nname = \"edge\"\nstrategy = \"all\"",
            "3:1: `supervisor.strategy` is \"all\"; it takes \"one_for_one\", \"one_for_all\" or \"rest_for_one\"",
        ),
        (
            "[[supervisor]]\nname = \"edge\"\nbackoff = { jitter = 1.5 }",
            "3:13: `supervisor.backoff.jitter` is 1.5; it takes 0.0 to 1.0",
        ),
        (
            "[[supervisor]]\nname = \"services\"\n[supervisor.backoff]\nmin = \"5s\"\nmax = \"1s\"",
            "4:1: `supervisor.backoff.min` is 5s, more than `supervisor.backoff.max`, which is 1s",
        ),
        (
            "[[supervisor]]\nname = \"services\"\nbackoff.max = \"1ms\"",
            "3:9: `supervisor.backoff.min` is 100ms, more than `supervisor.backoff.max`, which is 1ms",
        ),
        (
            "[[supervisor]]\nname = \"edge\"\nshutdown = \"2s\"",
            "3:1: `server.drain` is 10s, more than `supervisor.edge.shutdown`, which is 2s",
        ),
    ] {
        let expected = format!("supervision.toml:{refused}");
        assert_eq!(refusal(text), expected, "for {text:?}");
    }
}

#[test]
fn every_broken_rule_of_connectors_and_bulkheads_is_refused_with_its_place_and_both_values() {
    for (text, refused) in [
        ("[bulkhead.a]\nthreads = 0", "2:1: `bulkhead.a.threads` is 0; it takes 1 to 64"),
        ("[bulkhead]\nmax_leaked = 65", "2:1: `bulkhead.max_leaked` is 65; it takes 0 to 64"),
        ("[bulkhead.a]\nquue = 1", "2:1: unknown key `bulkhead.a.quue`; did you mean `queue`?"),
        ("[connector.store]\nkind = \"log\"", "2:1: unknown key `connector.store.kind`"),
        (
            "[connector.a.b]\nkind = \"mail\"",
            "2:1: `connector.a.b.kind` is \"mail\"; it takes \"log\", \"webhook\" or \"command\"",
        ),
        ("[connector.a.b]\nkind = \"webhook\"", "2:1: `connector.a.b.url` is missing"),
        ("[connector.a.b]\nkind = \"command\"", "2:1: `connector.a.b.program` is missing"),
        ("[connector.a.b]\nurl = \"http://x\"", "2:1: `connector.a.b.url` does nothing with this `connector.a.b.kind`"),
        (
            "[connector.a.b]\nkind = \"command\"\nprogram = \"x\"\ntoken_file = \"t\"",
            "4:1: `connector.a.b.token_file` does nothing with this `connector.a.b.kind`",
        ),
        (
            "[connector.a.b]\nkind = \"webhook\"\nurl = \"http://x\"\nargs = []",
            "4:1: `connector.a.b.args` does nothing with this `connector.a.b.kind`",
        ),
        (
            "[connector.a.b]\nkind = \"webhook\"\nurl = \"http://u:p@x/\"",
            "3:1: `connector.a.b.url` is \"http://***@x/\"; it takes a URL without a password, as \"https://example.org/alarms\"",
        ),
        ("[connector.a.b]\nattempts = 0", "2:1: `connector.a.b.attempts` is 0; it takes 1 to 1000"),
        (
            "[connector.a.b]\nbackoff.min = \"11s\"",
            "2:9: `connector.a.b.backoff.min` is 11s, more than `connector.a.b.backoff.max`, which is 10s",
        ),
        (
            "[connector.a.b]\ndeadline = \"31s\"",
            "2:1: `connector.a.b.deadline` is 31s, more than `bulkhead.hard_limit`, which is 30s",
        ),
        (
            "[bulkhead.a-b]\nhard_limit = \"5s\"\n[connector.a.b]",
            "2:1: `connector.a.b.deadline` is 10s, more than `bulkhead.a-b.hard_limit`, which is 5s",
        ),
    ] {
        assert_eq!(refusal(text), format!("supervision.toml:{refused}"), "for {text:?}");
    }
}

#[test]
fn the_environment_is_laid_over_the_file() {
    let file = "[entity]\nmailbox = 1\n[[supervisor]]\nname = \"edge\"\nat_most = 1";
    let config = with(
        file,
        &[
            ("PATH", "/bin"),
            ("STEADFAST__ENTITY__MAILBOX", "2"),
            ("STEADFAST__ENTITY__RESTARTS__WITHIN", "5s"),
            ("STEADFAST__ENTITY__STORE__ORDER__MAILBOX", "3"),
            ("STEADFAST__SUPERVISOR__EDGE__AT_MOST", "9"),
            ("STEADFAST__SUPERVISOR__STORAGE__BACKOFF__JITTER", "0.5"),
            ("STEADFAST__STORAGE__UNIT__ALARM__SERVICES", "store/alarm, stay/alarm"),
            ("STEADFAST__SYSTEMS__STAY__EXCLUSIVE", "true"),
            ("STEADFAST__SYSTEMS__STAY__PREFIX", "room"),
        ],
    )
    .unwrap();
    assert_eq!((config.entity("a.b").mailbox, config.entity("store.order").mailbox), (2, 3));
    assert_eq!(config.entity("a.b").restarts.within, Duration::from_secs(5));
    assert_eq!(config.supervisors.edge.intensity.at_most, 9);
    assert!((config.supervisors.storage.backoff.jitter - 0.5).abs() < f64::EPSILON);
    let alarm = vec!["store/alarm".to_owned(), "stay/alarm".to_owned()];
    assert_eq!(config.storage.units, BTreeMap::from([("alarm".to_owned(), alarm)]));
    let refused = config.refuse_switches_of_others(&[]).unwrap_err().to_string();
    assert!(refused.starts_with("STEADFAST__SYSTEMS__STAY__"), "{refused}");
}

#[test]
fn an_error_in_the_environment_names_the_variable() {
    for (variable, value, refused) in [
        ("STEADFAST__ENTITY__MAILBOX", "many", "`entity.mailbox` is \"many\"; it takes a whole number from 0"),
        ("STEADFAST__ENTITY__MAILBX", "1", "unknown key `entity.mailbx`; did you mean `mailbox`?"),
        ("STEADFAST__SERVER", "1", "`server` is \"1\"; it takes a table"),
        ("STEADFAST__SERVER____DRAIN", "1s", "the name has an empty part; it is STEADFAST__SECTION__KEY"),
        (
            "STEADFAST__SUPERVISOR__NOBODY__AT_MOST",
            "1",
            "`supervisor.name` is \"nobody\"; it takes \"guardian\", \"storage\", \"services\", \"service\", \"bulkheads\" or \"edge\"",
        ),
    ] {
        let error = with("", &[(variable, value)]).unwrap_err().to_string();
        assert_eq!(error, format!("{variable}: {refused}"));
    }
}

#[test]
fn a_later_layer_replaces_what_has_another_shape() {
    let mut root = from_text("server = 3\nsupervisor = 4", "supervision.toml").unwrap();
    let variables = [("STEADFAST__SERVER__DRAIN", "1s"), ("STEADFAST__SUPERVISOR__EDGE__AT_MOST", "2")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    overlay(&mut root, variables).unwrap();
    let config = SupervisionConfig::validate(root, &Asked::default()).unwrap();
    assert_eq!((config.server.drain, config.supervisors.edge.intensity.at_most), (Duration::from_secs(1), 2));
}

#[test]
fn a_unit_says_what_keeps_its_journal_or_takes_what_all_have() {
    let file = "[storage]\njournal = \"sled\"\n[storage.unit.alarm]\nservices = [\"store/alarm\"]\njournal = \"memory\"\n\
                [storage.unit.rooms]\nservices = [\"stay/room\"]";
    let storage = with(file, &[]).unwrap().storage;
    assert_eq!(storage.journal, JournalKind::Sled);
    assert_eq!(storage.unit_journals, BTreeMap::from([("alarm".to_owned(), JournalKind::Memory)]));
    assert_eq!(storage.units.len(), 2);
    let error =
        with("[storage.unit.a]\nservices = [\"store/alarm\"]\njournal = \"paper\"", &[]).unwrap_err().to_string();
    assert!(error.contains("`storage.unit.a.journal` is \"paper\"") && error.contains("\"sled\""), "{error}");
}

#[test]
fn a_secret_comes_from_the_environment_or_a_file_of_its_own_and_is_never_printed() {
    let in_file = refusal("[auth]\nsecret = \"correct horse battery staple and more\"");
    assert!(in_file.starts_with("supervision.toml:2:1: `auth.secret` does not belong in a file"), "{in_file}");
    assert!(!in_file.contains("horse"), "{in_file}");
    let variable = ("STEADFAST__AUTH__SECRET", "correct horse battery staple and more\n");
    let config = with("", &[variable]).unwrap();
    assert_eq!(config.auth.secret.as_ref().unwrap().expose(), "correct horse battery staple and more");
    assert!(config.auth.is_on());
    assert!(!format!("{config:?}").contains("horse"));
    let both = with("[auth]\nsecret_file = \"s\"", &[variable]).unwrap_err().to_string();
    assert!(both.contains("`auth.secret_file` and `auth.secret` are both given"), "{both}");
}

#[test]
fn the_edge_is_guarded_as_configured() {
    let config = parse(
        "[server]\ntls = { cert_file = \"c\", key_file = \"k\" }\ntrusted_proxies = [\"10.0.0.0/8\"]\n\
         cors_origins = [\"https://a\"]\nmax_connections_per_address = 7\n[limits.rate]\nper_subject = 5\nwithin = \"1s\"\n\
         [auth]\njwks_file = \"j\"\nleeway = \"1m\"\n[admin]\ntoken_file = \"t\"\naudit_size = \"4 KiB\"",
    );
    assert!(config.server.tls.is_some() && config.auth.is_on());
    assert!(config.server.trusted_proxies[0].contains("10.1.2.3".parse().unwrap()));
    assert_eq!((config.rate.per_subject, config.rate.per_address), (5, 0));
    for (text, refused) in [
        ("[server]\ntls.cert_file = \"c\"", "2:5: `server.tls.key_file` is missing"),
        (
            "[server]\ntrusted_proxies = [\"proxy\"]",
            "2:1: `server.trusted_proxies` is a list; it takes a list of addresses and ranges, as \"10.0.0.0/8\"",
        ),
        ("[auth]\nleeway = \"6m\"", "2:1: `auth.leeway` is 360s; it takes 0ns to 300s"),
        ("[limits.rate]\nwithin = \"1ms\"", "2:1: `limits.rate.within` is 1ms; it takes 1s to 3600s"),
    ] {
        assert_eq!(refusal(text), format!("supervision.toml:{refused}"), "for {text:?}");
    }
}
