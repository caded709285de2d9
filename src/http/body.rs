//! From the bytes of a body to the object they mean.

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value};

use super::{
    Problem,
    request::{Request, hex},
};

/// What a body is written in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Media {
    Json,
    Form,
}

/// The object that the body of a POST, PUT or PATCH is.
///
/// # Errors
/// 415 for another media type or a JSON Patch, 400 for what cannot be read or is no object.
pub(crate) fn object(request: &Request) -> Result<Map<String, Value>, Problem> {
    object_of(&request.method, request.headers.get(header::CONTENT_TYPE), &request.body)
}

/// As [`object`], of the parts of a request that it needs.
pub(crate) fn object_of(
    method: &Method,
    media_type: Option<&HeaderValue>,
    body: &[u8],
) -> Result<Map<String, Value>, Problem> {
    let media = media(method, media_type)?;
    if body.trim_ascii().is_empty() {
        return Err(Problem::invalid("BODY_MISSING", "the request has no body"));
    }
    match media {
        Media::Form => form(body),
        Media::Json => match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(Value::Array(_)) if *method == Method::PATCH => {
                Err(unsupported("a JSON Patch array is not supported; send a merge patch"))
            }
            Ok(_) => Err(Problem::invalid("MALFORMED_BODY", "the body must be a JSON object")),
            Err(error) => Err(Problem::invalid("MALFORMED_BODY", format!("the body is no JSON: {error}"))),
        },
    }
}

/// What a procedure is given: the query, and behind it the body, a form or a JSON object; a GET has none.
///
/// # Errors
/// 400 for a query or body that cannot be read, 415 for a body of another media type.
pub(crate) fn parameters(request: &Request) -> Result<Map<String, Value>, Problem> {
    let query = pairs(request.query.as_bytes()).map_err(|why| Problem::invalid("MALFORMED_QUERY", why))?;
    let has_body = request.method != Method::GET && !request.body.trim_ascii().is_empty();
    let mut parameters = first_of_each(query);
    if has_body {
        for (name, value) in object(request)? {
            parameters.entry(name).or_insert(value);
        }
    }
    Ok(parameters)
}

fn media(method: &Method, given: Option<&HeaderValue>) -> Result<Media, Problem> {
    let Some(given) = given else { return Ok(Media::Json) };
    let text = given.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "" if text.is_empty() && given.is_empty() => Ok(Media::Json),
        "application/json" | "application/hal+json" => Ok(Media::Json),
        "application/merge-patch+json" if *method == Method::PATCH => Ok(Media::Json),
        "application/x-www-form-urlencoded" => Ok(Media::Form),
        _ => Err(unsupported(format!("cannot read {essence:?}; send application/json"))),
    }
}

fn unsupported(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
}

/// The first value of a repeated name counts, as a servlet's `getParameter` has it.
fn form(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    pairs(body).map(first_of_each).map_err(|why| Problem::invalid("MALFORMED_BODY", why))
}

fn first_of_each(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in pairs {
        object.entry(name).or_insert(Value::String(value));
    }
    object
}

/// Names and values of a form or a query string, decoded, in order.
///
/// # Errors
/// What is wrong, for people.
pub(crate) fn pairs(encoded: &[u8]) -> Result<Vec<(String, String)>, String> {
    if !is_text(encoded) {
        return Err("the form is not UTF-8".to_owned());
    }
    serde_html_form::from_bytes(encoded).map_err(|error| format!("the form cannot be read: {error}"))
}

/// Whether what is encoded is UTF-8. The decoder puts U+FFFD for what is not, and that would be kept as if it were meant.
fn is_text(encoded: &[u8]) -> bool {
    if !encoded.contains(&b'%') {
        return std::str::from_utf8(encoded).is_ok();
    }
    let (mut decoded, mut rest) = (Vec::with_capacity(encoded.len()), encoded);
    while let [byte, behind @ ..] = rest {
        rest = behind;
        decoded.push(*byte);
        // what is no escape is taken as it stands, as the decoder does
        if let (b'%', [high, low, behind @ ..]) = (byte, behind)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            decoded.pop();
            decoded.push(high << 4 | low);
            rest = behind;
        }
    }
    std::str::from_utf8(&decoded).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::request::tests::request;

    fn read(method: &str, media: Option<&str>, body: &str) -> Result<Value, u16> {
        let headers: Vec<_> = media.iter().map(|media| ("content-type", *media)).collect();
        object(&request(method, "/orders", &headers, body)).map(Value::Object).map_err(|why| why.status().as_u16())
    }

    #[test]
    fn json_in_its_media_types_and_without_one_is_read() {
        for media in [None, Some("application/json"), Some("Application/HAL+json; charset=UTF-8"), Some("")] {
            assert_eq!(read("POST", media, r#"{"a":"호"}"#), Ok(json!({"a": "호"})), "{media:?}");
        }
        assert_eq!(read("PATCH", Some("application/merge-patch+json"), "{}"), Ok(json!({})));
    }

    #[test]
    fn a_form_is_read_and_its_first_value_counts() {
        let media = Some("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(read("POST", media, "a=1&b=x+y%20z&a=2"), Ok(json!({"a": "1", "b": "x y z"})));
    }

    /// A form in EUC-KR was taken, and its texts were kept as U+FFFD.
    #[test]
    fn a_form_or_a_query_that_is_not_utf_8_is_400() {
        let media = Some("application/x-www-form-urlencoded");
        for bad in ["content=%B9%E8%C6%AE", "%B9%E8=1", "a=1&b=%e2%82", "a=%ff"] {
            assert_eq!(read("POST", media, bad), Err(400), "{bad}");
            let refused = parameters(&request("GET", &format!("/x?{bad}"), &[], "")).unwrap_err();
            assert_eq!(refused.status(), 400, "{bad}");
        }
        assert_eq!(read("POST", media, "a=%ED%98%B8&b=%&c=%zz%4"), Ok(json!({"a": "호", "b": "%", "c": "%zz%4"})));
        assert!(pairs(b"a=\xb9\xe8").is_err());
    }

    #[test]
    fn other_media_types_are_415() {
        for media in ["text/plain", "application/xml", "application/json-patch+json", "multipart/form-data; boundary=x"]
        {
            assert_eq!(read("POST", Some(media), "{}"), Err(415), "{media}");
        }
        assert_eq!(read("POST", Some("application/merge-patch+json"), "{}"), Err(415));
        assert_eq!(read("PATCH", Some("application/json"), r#"[{"op":"add"}]"#), Err(415));
    }

    #[test]
    fn what_cannot_be_read_is_400() {
        for body in ["", "  ", "{", "[]", "1", "null", "{\"a\":}", "quantity=1"] {
            assert_eq!(read("POST", None, body), Err(400), "{body}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read("POST", None, &deep), Err(400), "nesting is bounded by serde_json");
    }

    #[test]
    fn parameters_come_from_the_query_and_then_from_the_body() {
        let given = |method: &str, url: &str, media: &str, body: &str| {
            let headers = [("content-type", media)];
            parameters(&request(method, url, &headers, body)).map(Value::Object).map_err(|why| why.status().as_u16())
        };
        let form = "application/x-www-form-urlencoded";
        assert_eq!(given("POST", "/x?a=1", form, "a=2&b=3"), Ok(json!({"a": "1", "b": "3"})));
        assert_eq!(given("POST", "/x", "application/json", r#"{"a": 1}"#), Ok(json!({"a": 1})));
        assert_eq!(given("POST", "/x?a=1", form, ""), Ok(json!({"a": "1"})));
        assert_eq!(given("GET", "/x?a=1&a=2", "application/json", "[]"), Ok(json!({"a": "1"})));
        assert_eq!(given("POST", "/x", "text/plain", "a=1"), Err(415));
        assert_eq!(given("POST", "/x", "application/json", "[]"), Err(400));
    }
}
