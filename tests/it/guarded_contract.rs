//! The contract where somebody is asked who he is: what it says of that, and that it is kept.

use std::fs;

use serde_json::{Value, json};

use crate::{
    common::{Request, Response, Server, Setup},
    openapi::{asked, is_there, operations, printed},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OPERATOR: &str = "operator-0123456789abcdef";

/// A server that asks everybody, other processes as well, and what an operator of its system shows.
fn guarded(system: &'static str, more: &str) -> (Server, String) {
    let config = format!(
        "[auth]\nsecret_file = \"secret\"\n[admin]\ntoken_file = \"operators\"\n[server]\naccept_asks = true\n{more}"
    );
    let mut server = Setup::default().system(system).config(&config).prepare();
    let file = |name: &str| server.directory().join(name);
    fs::write(file("secret"), SECRET).unwrap();
    fs::write(file("operators"), format!("anna {OPERATOR}\n")).unwrap();
    server.start();
    let token = issue(&server, "operator");
    (server, token)
}

fn issue(server: &Server, role: &str) -> String {
    let secret = server.directory().join("secret");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_steadfast"));
    let issued = program.args(["token", "--role", role, "--secret-file"]).arg(secret).output().unwrap();
    String::from_utf8(issued.stdout).unwrap().trim().to_owned()
}

fn with(token: &str, request: Request) -> Request {
    request.header("Authorization", &format!("Bearer {token}"))
}

/// Whether a refusal has every header and every member that the contract says it always has.
#[track_caller]
fn is_as_told(document: &Value, answer: &Response) {
    let told = &document["components"]["responses"][answer.status.to_string()];
    for (name, header) in told["headers"].as_object().unwrap_or_else(|| panic!("{told}")) {
        if header["$ref"].as_str().unwrap().ends_with(".always") {
            assert!(answer.header(name).is_some(), "{name}: {answer}");
        }
    }
    let problem = &document["components"]["schemas"]["problem"];
    let (body, known) = (answer.json(), problem["properties"].as_object().unwrap());
    for name in problem["required"].as_array().unwrap() {
        assert!(body.get(name.as_str().unwrap()).is_some(), "{name}: {answer}");
    }
    assert!(body.as_object().unwrap().keys().all(|name| known.contains_key(name)), "{answer}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json;charset=UTF-8"));
}

#[test]
fn refusals_of_who_is_not_known_may_not_or_asks_too_often_are_as_the_contract_says() {
    let (server, operator) = guarded("store", "[limits.rate]\nper_subject = 3\nwithin = \"1h\"\n");
    let client = server.client();
    let document = client.json("/openapi.json");
    let new = || Request::new("POST", "/products").json(&json!({"quantity": 1, "price": 1}));
    let unknown = client.send(&new()).is(401);
    let forbidden = client.send(&with(&issue(&server, "customer"), new())).is(403);
    for _ in 0..2 {
        let made = client.send(&with(&operator, new())).is(201);
        assert!(made.header("ratelimit").is_some() && made.header("ratelimit-policy").is_some(), "{made}");
    }
    let too_often = client.send(&with(&operator, new())).is(429);
    let asks = client.send(&Request::new("POST", "/asks").json(&json!({}))).is(401);
    for refusal in [&unknown, &forbidden, &too_often, &asks] {
        is_as_told(&document, refusal);
    }
    let of_operators = server.admin().send(&with(OPERATOR, Request::new("GET", "/openapi.json"))).is(200).json();
    is_as_told(&of_operators, &server.admin().get("/admin/tree").is(401));
    let page = with(OPERATOR, Request::new("GET", "/admin/tree")).header("Origin", "http://evil.example");
    is_as_told(&of_operators, &server.admin().send(&page).is(403));
}

#[test]
fn the_contract_says_who_is_asked_and_which_roles_it_takes() {
    let (server, _) = guarded("store", "asks_token_file = \"operators\"\n");
    let told = server.client().json("/openapi.json");
    let config = server.directory().join("supervision.toml").to_str().unwrap().to_owned();
    assert_eq!(printed(&["--system", "store", "--config", &config]), told);
    let of_operators = server.admin().send(&with(OPERATOR, Request::new("GET", "/openapi.json"))).is(200).json();
    assert_eq!(printed(&["--admin", "--config", &config]), of_operators);
    assert_eq!(of_operators["security"], json!([{"operator": []}]));
    assert_eq!(told["security"], json!([{"token": []}, {"key": []}]));
    let of = |path: &str, method: &str| told["paths"][path][method]["security"].clone();
    let owner = json!([{"token": ["owner"]}, {"key": ["owner"]}, {"token": ["operator"]}, {"key": ["operator"]}]);
    assert_eq!(of("/products", "post"), owner);
    assert_eq!([of("/products", "get"), of("/livez", "get")], [Value::Null, json!([])]);
    assert_eq!(of("/asks", "post"), json!([{"asks": []}]));
    assert_eq!(told["components"]["securitySchemes"]["key"]["name"], "X-API-Key");

    // Where nobody is asked, nothing is needed, and where other processes may not ask, they are told of nothing.
    let open = printed(&["--system", "store", "--config", "/nowhere.toml"]);
    assert!(open["paths"].get("/asks").is_none());
    assert_eq!(open["security"][0], json!({}));
    let scheme = |document: &Value| document["components"]["securitySchemes"].as_object().unwrap().len();
    assert_eq!((scheme(&open), scheme(&told)), (2, 3));
    assert!(operations(&open).len() + 1 == operations(&told).len());
}

/// With an operator's token everything is as promised, and without one nobody is served.
#[test]
fn who_is_known_is_given_what_the_contract_says_and_nobody_else_is_served() {
    if !is_there("schemathesis", "whether the contract is kept where somebody is asked") {
        return;
    }
    let (server, operator) = guarded("procurement", "[limits.rate]\nper_subject = 1000000\n");
    let header = format!("Authorization: Bearer {operator}");
    let url = format!("http://{}/openapi.json", server.listen());
    // one token, and no key beside it that is made up
    let (kept, said) = asked(&server, &[&url, "--header", &header, "--generation-with-security-parameters", "false"]);
    assert!(kept, "{said}");
}
