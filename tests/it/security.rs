//! Who is let in, what he may do, how often he may ask; and that no secret is ever told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
    thread,
};

use serde_json::{Value, json};

use crate::{
    common::{Client, Request, Response, SOON, Server, Setup, eventually},
    openapi::{operations, printed},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef-secret";
const RSA: &str = include_str!("../../src/http/guard/auth/rsa_of_tests.pem");

/// What `steadfast token` says in a server's directory.
fn issue(server: &Server, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    let output = command.arg("token").args(arguments).current_dir(server.directory()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn prepared(config: &str, files: &[(&str, &str)]) -> Server {
    let server = Setup::default().config(config).prepare();
    for (name, text) in files {
        fs::write(server.directory().join(name), text).unwrap();
    }
    server
}

fn with(token: &str, request: Request) -> Request {
    request.header("Authorization", &format!("Bearer {token}"))
}

fn product() -> Request {
    Request::new("POST", "/products").json(&json!({"quantity": 1, "price": 1}))
}

fn challenge(response: &Response) -> &str {
    response.header("www-authenticate").unwrap_or_default()
}

#[test]
fn an_address_that_others_can_reach_asks_who_they_are_or_says_that_it_does_not() {
    let listen = |flags: &[&str]| {
        let setup = Setup::default().flag("--listen").flag("0.0.0.0:0");
        flags.iter().fold(setup, |setup, flag| setup.flag(flag)).prepare()
    };
    let refused = listen(&[]).run();
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    for said in ["other machines can reach 0.0.0.0:", "nobody is asked who he is", "--open"] {
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    let client = |server: &Server| Client::new(&server.listen().replace("0.0.0.0", "127.0.0.1"));
    let mut open = listen(&["--open"]);
    open.start();
    client(&open).send(&product()).is(201);
    // And no other site's pages may use it.
    let page = client(&open).send(&Request::new("GET", "/products").header("Origin", "http://evil.example")).is(200);
    assert_eq!(page.header("access-control-allow-origin"), None);

    let mut guarded = listen(&[]);
    guarded.reconfigure("[auth]\nsecret_file = \"secret\"\n");
    let missing = guarded.run();
    assert_eq!(missing.status.code(), Some(2), "{}", missing.stderr);
    assert!(missing.stderr.contains("cannot use secret: No such file"), "{}", missing.stderr);
    fs::write(guarded.directory().join("secret"), "too short").unwrap();
    let short = guarded.run();
    assert!(short.status.code() == Some(2) && !short.stderr.contains("too short\""), "{}", short.stderr);
    assert!(short.stderr.contains("secret: a secret of HS256 has at least 32 bytes"), "{}", short.stderr);
    fs::write(guarded.directory().join("secret"), SECRET).unwrap();
    guarded.start();
    client(&guarded).send(&product()).is(401);
}

#[test]
fn a_token_says_who_somebody_is_and_his_roles_what_he_may_do() {
    let mut server =
        prepared("[auth]\nsecret_file = \"secret\"\naudience = \"shop\"\nleeway = \"0s\"\n", &[("secret", SECRET)]);
    server.start();
    let (client, admin) = (server.client(), server.admin());
    let token = |more: &[&str]| {
        issue(&server, &[&["--secret-file", "secret", "--audience", "shop", "--subject", "anna"], more].concat())
    };
    let owner = token(&["--role", "owner"]);
    for probe in ["/livez", "/readyz", "/actuator/health", "/openapi.json"] {
        client.get(probe).is(200);
    }
    client.get("/swagger-ui/").is(200);
    for path in
        ["/orders/openapi.json", "/orders/swagger-ui/", "/store/orders/openapi.json", "/livezx", "/%6fpenapi.json"]
    {
        client.get(path).is(401);
    }
    let refused = client.send(&product()).is(401);
    assert_eq!(challenge(&refused), "Bearer realm=\"steadfast\"");
    assert_eq!((&refused.json()["code"], &refused.json()["outcome"]), (&json!("UNAUTHORIZED"), &json!("not done")));
    client.get("/products").is(401);
    client.get("/nowhere").is(401);

    let tampered = format!("{}x", &owner[..owner.len() - 1]);
    let other_audience = issue(&server, &["--secret-file", "secret", "--role", "owner"]);
    let expired = token(&["--role", "owner", "--for", "1s"]);
    eventually(SOON, "it expires", || (client.send(&with(&expired, product())).status == 401).then_some(()));
    let before =
        client.send(&with(&owner, Request::new("GET", "/products"))).is(200).json()["page"]["totalElements"].clone();
    for wrong in [tampered.as_str(), &other_audience, &expired, "a.b.c", "sf_unknown", ""] {
        let refused = client.send(&with(wrong, product())).is(401);
        assert!(challenge(&refused).starts_with("Bearer realm=\"steadfast\""), "{refused}");
    }
    // Known, and not allowed.
    let customer = token(&["--role", "customer"]);
    let forbidden = client.send(&with(&customer, product())).is(403);
    assert_eq!((&forbidden.json()["code"], &forbidden.json()["roles"]), (&json!("FORBIDDEN"), &json!(["owner"])));
    assert!(challenge(&forbidden).contains("insufficient_scope"), "{forbidden}");
    client.send(&with(&customer, Request::new("GET", "/products"))).is(200);
    client.send(&with(&token(&["--role", "stay/host"]), Request::new("GET", "/products"))).is(403);
    client.send(&with(&token(&[]), Request::new("GET", "/products"))).is(403);
    // Nothing of all this became anything.
    let after =
        client.send(&with(&owner, Request::new("GET", "/products"))).is(200).json()["page"]["totalElements"].clone();
    assert_eq!(before, after);
    let commands = |admin: &Client| admin.json("/admin/events").as_array().map_or(0, Vec::len);
    let events = commands(&admin);
    client.send(&with(&customer, product())).is(403);
    assert_eq!(commands(&admin), events);

    client.send(&with(&owner, product())).is(201);
    client.send(&with(&token(&["--role", "store/owner"]), product())).is(201);
    client.send(&with(&token(&["--role", "operator"]), product())).is(201);
    // A browser asks before it says who its user is.
    let preflight = Request::new("OPTIONS", "/products")
        .header("Origin", "http://localhost:8080")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization");
    let allowed = client.send(&preflight).is(200);
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization"));
    client.send(&Request::new("OPTIONS", "/products")).is(401);
}

/// What each system's people do, and nothing else; also by a GET that changes something.
#[test]
fn roles_are_those_of_each_systems_people() {
    let mut server = Setup::default().system("all").config("[auth]\nsecret_file = \"secret\"\n").prepare();
    fs::write(server.directory().join("secret"), SECRET).unwrap();
    server.start();
    let client = server.client();
    let token = |role: &str| issue(&server, &["--secret-file", "secret", "--role", role]);
    let announce = "/procurement/deliverymanagements/announceInspectionResult?procNo=p&inspectionSuccFlag=true";
    for (method, target, may, may_not) in [
        ("POST", "/store/orders", &["owner"][..], &["hq", "customer"][..]),
        ("POST", "/store/products", &["owner"], &["hq", "customer"]),
        ("POST", "/store/deliveries", &["hq"], &["owner"]),
        ("POST", "/store/payments", &["customer"], &["owner"]),
        ("POST", "/stay/rooms", &["host"], &["guest"]),
        ("POST", "/stay/bookings", &["guest"], &["host"]),
        ("POST", "/library/orders", &["customer"], &["courier"]),
        ("POST", "/library/rents", &["operator"], &["customer", "courier"]),
        ("PATCH", "/library/deliveries/1", &["courier"], &["customer"]),
        ("POST", "/station/stockFlows", &["clerk"], &["cashier", "manager"]),
        ("POST", "/station/stocks/confirmStock", &["clerk"], &["cashier"]),
        ("POST", "/station/sales", &["cashier"], &["clerk"]),
        ("PUT", "/station/product/CD1001", &["hq"], &["clerk"]),
        ("POST", "/procurement/deliveryrequests", &["agency"], &["pps", "company"]),
        ("PATCH", "/procurement/deliverymanagements/1", &["pps"], &["agency"]),
        ("PATCH", "/procurement/goodsdeliveries/1", &["company"], &["pps"]),
        ("GET", announce, &["operator"], &["pps", "agency", "company"]),
        ("GET", "/procurement/deliverymanagements", &["pps", "agency", "company", "operator"], &[]),
        ("GET", "/store/messages", &["hq", "customer"], &[]),
    ] {
        for (roles, forbidden) in [(may, false), (may_not, true)] {
            for role in roles {
                let answer = client.send(&with(&token(role), Request::new(method, target)));
                assert_eq!(answer.status == 403, forbidden, "{method} {target} by {role}: {answer}");
                assert!(answer.status != 401, "{answer}");
            }
        }
    }
}

/// By system and collection, as docs/security.md has them.
fn table_of_roles() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| system | resource: roles |")).skip(2);
    let rows = rows
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.trim_matches(['|', ' ']).split_once(" | ").unwrap());
    let each = rows.flat_map(|(system, resources)| resources.split("; ").map(move |resource| (system, resource)));
    each.map(|(system, resource)| {
        let (collection, roles) = resource.split_once(": ").unwrap();
        (format!("{system}/{collection}"), roles.split(", ").map(str::to_owned).collect())
    })
    .collect()
}

#[test]
fn the_table_of_roles_is_that_of_the_contract() {
    let contract = printed(&["--config", "/nowhere.toml"]);
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, method, operation) in operations(&contract) {
        let Some(ways) = operation["security"].as_array().filter(|ways| !ways.is_empty()) else {
            assert_eq!(method, "get", "{path} changes something and takes no role");
            continue;
        };
        let roles = ways.iter().flat_map(|way| way.as_object().unwrap().values());
        let roles: BTreeSet<String> =
            roles.flat_map(|roles| roles.as_array().unwrap()).map(|role| role.as_str().unwrap().to_owned()).collect();
        if path.ends_with("/announceInspectionResult") {
            assert_eq!(roles, BTreeSet::from(["operator".to_owned()]));
            continue;
        }
        let collection = path.split('/').skip(1).take(2).collect::<Vec<_>>().join("/");
        assert_eq!(told.entry(collection).or_insert_with(|| roles.clone()), &roles, "{method} {path}");
    }
    // Operators may everything; where nobody else may, the table says so.
    let expected = table_of_roles().into_iter().map(|(of, mut roles)| {
        roles.insert("operator".to_owned());
        (of, roles)
    });
    assert_eq!(told, expected.collect());
}

#[test]
fn keys_are_replaced_while_it_runs_and_a_wrong_file_changes_nothing() {
    let config = "[auth]\njwks_file = \"jwks.json\"\nkeys_file = \"keys\"\n";
    let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
    let mut server = prepared(config, &[("rsa.pem", RSA), ("ed.pem", &ed25519)]);
    let jwks = |key: &str| issue(&server, &["--key-file", key, "--key-id", key, "--jwks"]);
    let (rsa_set, ed_set) = (jwks("rsa.pem"), jwks("ed.pem"));
    let token = |key: &str| issue(&server, &["--key-file", key, "--key-id", key, "--role", "owner"]);
    let (rsa, ed) = (token("rsa.pem"), token("ed.pem"));
    let made: Value =
        serde_json::from_str(&issue(&server, &["--api-key", "--subject", "shop", "--role", "owner", "--json"]))
            .unwrap();
    let (key, line) = (made["key"].as_str().unwrap(), made["line"].as_str().unwrap());
    let write = |directory: &std::path::Path, name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
    let directory = server.directory().to_owned();
    write(&directory, "jwks.json", &rsa_set);
    write(&directory, "keys", line);
    server.start();
    let (client, admin) = (server.client(), server.admin());
    let status = |token: &str| client.send(&with(token, Request::new("GET", "/products"))).status;
    assert_eq!((status(&rsa), status(&ed), status(key)), (200, 401, 200));
    client.send(&Request::new("GET", "/products").header("X-API-Key", key)).is(200);

    write(&directory, "jwks.json", "{\"keys\": 7}");
    let refused = admin.post("/admin/reload").is(409).json();
    assert!(refused["message"].as_str().unwrap().contains("jwks.json: it is no JWK Set (line 1"), "{refused}");
    assert_eq!((status(&rsa), status(&ed), status(key)), (200, 401, 200));

    write(&directory, "jwks.json", &ed_set);
    write(
        &directory,
        "keys",
        "# nobody yet\nother owner 0000000000000000000000000000000000000000000000000000000000000000\n",
    );
    let told = admin.post("/admin/reload").is(200).json();
    assert_eq!(told["needs_restart"], json!([]), "{told}");
    // The watch may have been quicker, but what was remembered is forgotten either way.
    assert_eq!((status(&rsa), status(&ed), status(key)), (401, 200, 401));
    // Nobody has to say so.
    write(&directory, "jwks.json", &rsa_set);
    eventually(SOON, "the old key counts again", || (status(&rsa) == 200).then_some(()));
    assert_eq!(status(&ed), 401);
    // Nobody can switch all of it off with a file.
    server.reconfigure("");
    let told = admin.post("/admin/reload").is(200).json();
    assert_eq!(told["needs_restart"], json!(["auth"]), "{told}");
    client.get("/products").is(401);
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let config = "[limits.rate]\nper_address = 5\nwithin = \"1h\"\n";
    let mut server = prepared(config, &[]);
    server.start();
    let (client, admin) = (server.client(), server.admin());
    for left in (0..5).rev() {
        let told = client.get("/products").is(200);
        assert_eq!(told.header("ratelimit-policy"), Some("\"address\";q=5;w=3600"));
        assert!(told.header("ratelimit").unwrap().starts_with(&format!("\"address\";r={left};t=")), "{told}");
    }
    let refused = client.send(&product()).is(429);
    assert_eq!((&refused.json()["code"], &refused.json()["outcome"]), (&json!("RATE_LIMITED"), &json!("not done")));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=720).contains(&wait), "{refused}");
    assert!(refused.header("ratelimit").unwrap().starts_with("\"address\";r=0;t="), "{refused}");
    for probe in ["/livez", "/readyz", "/actuator/health"] {
        assert_eq!(client.get(probe).is(200).header("ratelimit"), None, "probes are not counted");
    }
    server.reconfigure("[limits.rate]\nper_address = 5000\nwithin = \"1h\"\n");
    // or by the watch, which may have been quicker
    admin.post("/admin/reload").is(200);
    client.send(&product()).is(201);
}

#[test]
fn each_subject_has_an_account_and_each_client_of_a_proxy_too() {
    let config = "[auth]\nsecret_file = \"secret\"\n[limits.rate]\nper_subject = 2\nper_address = 3\nwithin = \"1h\"\n\
                  [server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let mut server = prepared(config, &[("secret", SECRET)]);
    server.start();
    let client = server.client();
    let token = |subject: &str| issue(&server, &["--secret-file", "secret", "--subject", subject, "--role", "owner"]);
    let (anna, bert) = (token("anna"), token("bert"));
    let from = |address: &str, token: &str| {
        let request = with(token, Request::new("GET", "/products")).header("X-Forwarded-For", address);
        client.send(&request).status
    };
    assert_eq!([from("1.1.1.1", &anna), from("2.2.2.2", &anna), from("3.3.3.3", &anna)], [200, 200, 429]);
    assert_eq!([from("1.1.1.1", &bert), from("1.1.1.1", &bert)], [200, 200]);
    assert_eq!(from("1.1.1.1", "a.b.c"), 429, "the address has spent its own, whoever it says it is");
    assert_eq!(from("9.9.9.9, 4.4.4.4", "a.b.c"), 401);
}

/// Everything at its most talkative, with a secret in every place that takes one.
#[test]
fn no_secret_is_told_in_a_log_an_answer_or_a_file() {
    const OPERATOR: &str = "operator-token-0123456789";
    const IN_ENVIRONMENT: &str = "environment-secret-0123456789abcdef";
    let config =
        "[admin]\ntoken_file = \"operators\"\nfaults = true\n[auth]\nkeys_file = \"keys\"\njwks_file = \"jwks.json\"\n";
    let mut server = Setup::default()
        .config(config)
        .environment("RUST_LOG", "trace")
        .environment("STEADFAST__AUTH__SECRET", IN_ENVIRONMENT)
        .prepare();
    let directory = server.directory().to_owned();
    let api: Value = serde_json::from_str(&issue(&server, &["--api-key", "--role", "owner", "--json"])).unwrap();
    let key = api["key"].as_str().unwrap().to_owned();
    let secret = base64(b"jwks-secret-0123456789abcdef-0123456789");
    fs::write(directory.join("operators"), format!("anna {OPERATOR}\n")).unwrap();
    fs::write(directory.join("keys"), api["line"].as_str().unwrap()).unwrap();
    fs::write(directory.join("jwks.json"), json!({"keys": [{"kty": "oct", "k": secret}]}).to_string()).unwrap();
    fs::write(directory.join("secret"), IN_ENVIRONMENT).unwrap();
    server.start();
    let (client, admin) = (server.client(), server.admin());
    let token = issue(&server, &["--secret-file", "secret", "--role", "owner"]);
    let mut said = Vec::new();
    for bearer in [&token, &key, OPERATOR, &format!("{token}x"), &format!("{key}x")] {
        for request in [Request::new("GET", "/products"), product(), Request::new("GET", "/nowhere")] {
            said.push(client.send(&with(bearer, request)).to_string());
        }
        for target in ["/admin/tree", "/admin/reload", "/admin/nowhere"] {
            said.push(admin.send(&with(bearer, Request::new("POST", target))).to_string());
        }
    }
    // A file that is wrong is told, and not what stands in it.
    fs::write(directory.join("operators"), format!("anna {OPERATOR} {OPERATOR}\n")).unwrap();
    said.push(admin.send(&with(OPERATOR, Request::new("POST", "/admin/reload"))).is(409).to_string());
    server.terminate();
    said.push(server.stderr());
    said.push(fs::read_to_string(directory.join("stdout")).unwrap());
    said.push(fs::read_to_string(server.data().join("audit.log")).unwrap());
    let signature = token.rsplit('.').next().unwrap();
    let whole = said.concat();
    assert!(whole.contains("DEBUG") || whole.contains("TRACE"), "it was talkative");
    for (what, secret) in [
        ("the operator's token", OPERATOR),
        ("the secret of the environment", IN_ENVIRONMENT),
        ("the secret of the key set", &secret),
        ("the API key", &key),
        ("the token's signature", signature),
    ] {
        if let Some(at) = whole.find(secret) {
            let around = whole.get(at.saturating_sub(200)..at + 20).unwrap_or_default();
            panic!("{what} was told: {around}");
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, bytes)
}

/// A wrong configuration leaves whoever wrote it with the reason, and the process with what it had.
#[test]
fn clients_are_served_while_keys_are_replaced() {
    let mut server = prepared("[auth]\nsecret_file = \"secret\"\n", &[("secret", SECRET)]);
    server.start();
    let token = issue(&server, &["--secret-file", "secret", "--role", "owner"]);
    let admin = server.admin();
    let ok = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut connection = server.client().connect().unwrap();
            (0..200)
                .filter(|_| {
                    let answer = connection.try_send(&with(&token, Request::new("GET", "/products")));
                    answer.is_ok_and(|answer| answer.status == 200)
                })
                .count()
        });
        for _ in 0..5 {
            admin.post("/admin/reload").is(200);
        }
        reader.join().unwrap()
    });
    assert_eq!(ok, 200);
}
