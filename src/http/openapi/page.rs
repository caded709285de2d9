//! The page that shows the document: Swagger UI, which is part of the program and asks nobody else for anything.

use http::{HeaderValue, StatusCode, header};

use super::super::{
    Problem,
    gateway::reading,
    request::{PathSegment, Request, Response, empty, set},
};
use bytes::Bytes;

/// Where the page is, below the place of its document.
const UI: &str = "swagger-ui";
/// Where the old libraries had it.
const OLD: &str = "swagger-ui.html";

const PAGE: &str = include_str!("index.html");
const START: &str = include_str!("start.js");
/// As they are in `assets/swagger-ui`: compressed, which every browser reads.
const BUNDLE: &[u8] = include_bytes!("../../../assets/swagger-ui/swagger-ui-bundle.js.gz");
const STYLE: &[u8] = include_bytes!("../../../assets/swagger-ui/swagger-ui.css.gz");

/// Nothing from elsewhere, nothing inline but the styles that it sets itself, and no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether a path, without its first slash, is that of the page or of a part of it.
pub(crate) fn is_page(path: &str) -> bool {
    const PARTS: [&str; 5] = ["", "/", "/start.js", "/swagger-ui-bundle.js", "/swagger-ui.css"];
    path == OLD || path.strip_prefix(UI).is_some_and(|part| PARTS.contains(&part))
}

/// The page, or a part of it; `None` when `rest` is no path of its. Where operators `write` by other means, it only
/// reads: their listener takes no commands of web pages.
pub(crate) fn page(request: &Request, rest: &[PathSegment<'_>], writes: bool) -> Option<Result<Response, Problem>> {
    if !rest.first().is_some_and(|first| first.starts_with(UI)) {
        return None;
    }
    let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
    let (media, content, is_compressed) = match rest.as_slice() {
        [UI] if request.path.ends_with('/') => ("text/html;charset=UTF-8", Bytes::from_static(PAGE.as_bytes()), false),
        // Its parts are beside it, so its own path ends with a slash.
        [UI | OLD] => return Some(reading(request, moved)),
        [UI, "start.js"] => ("text/javascript;charset=UTF-8", start(writes), false),
        [UI, "swagger-ui-bundle.js"] => ("text/javascript;charset=UTF-8", Bytes::from_static(BUNDLE), true),
        [UI, "swagger-ui.css"] => ("text/css;charset=UTF-8", Bytes::from_static(STYLE), true),
        _ => return None,
    };
    if is_compressed && !takes_gzip(request) {
        let message = "this part of the page is kept compressed; send Accept-Encoding: gzip";
        return Some(Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)));
    }
    Some(reading(request, || {
        let mut response = Response::new(content);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(&mut response, header::REFERRER_POLICY, "no-referrer");
        // another version of the program has another page under the same name
        set(&mut response, header::CACHE_CONTROL, "no-cache");
        if is_compressed {
            set(&mut response, header::CONTENT_ENCODING, "gzip");
            set(&mut response, header::VARY, "Accept-Encoding");
        }
        response
    }))
}

fn moved() -> Response {
    let mut response = empty(StatusCode::FOUND);
    set(&mut response, header::LOCATION, &format!("{UI}/"));
    response
}

fn start(writes: bool) -> Bytes {
    let methods = if writes { r#"["get", "post", "put", "patch", "delete"]"# } else { r#"["get"]"# };
    START.replace("METHODS", methods).into()
}

/// Whoever says nothing takes everything (RFC 9110).
fn takes_gzip(request: &Request) -> bool {
    let mut given =
        request.headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).peekable();
    let says_nothing = given.peek().is_none();
    let mut codings = given.flat_map(|list| list.split(',')).map(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
        (name.trim().to_ascii_lowercase(), is_refused)
    });
    says_nothing || codings.any(|(name, is_refused)| matches!(name.as_str(), "gzip" | "*") && !is_refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::tests::request;

    fn get(path: &str, encoding: Option<&str>) -> Option<Response> {
        let headers: Vec<_> = encoding.iter().map(|value| ("accept-encoding", *value)).collect();
        let request = request("GET", path, &headers, "");
        let answer = page(&request, &request.segments().unwrap(), true)?;
        Some(answer.unwrap_or_else(|problem| problem.respond(&request)))
    }

    #[test]
    fn the_page_names_only_what_is_beside_it() {
        let response = get("/swagger-ui/", None).unwrap();
        let text = std::str::from_utf8(response.body()).unwrap();
        let named: Vec<&str> = ["href=\"", "src=\""]
            .iter()
            .flat_map(|start| text.split(start).skip(1))
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(named.len(), 4, "{named:?}");
        for part in named.into_iter().filter(|part| !part.starts_with("data:")) {
            assert_eq!(get(&format!("/swagger-ui/{part}"), None).unwrap().status(), 200, "{part}");
        }
        assert!(!START.contains("http"), "{START}");
        assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    }

    #[test]
    fn without_a_slash_at_the_end_and_at_the_old_place_it_is_a_step_away() {
        for path in ["/swagger-ui", "/swagger-ui.html"] {
            let response = get(path, None).unwrap();
            assert_eq!(
                (response.status().as_u16(), &response.headers()["location"]),
                (302, &"swagger-ui/".parse().unwrap())
            );
        }
        assert!(get("/swagger-ui/other.js", None).is_none() && get("/swagger", None).is_none());
    }

    #[test]
    fn what_is_compressed_goes_only_to_who_takes_it() {
        for (encoding, status) in [
            (None, 200),
            (Some("gzip, br"), 200),
            (Some("*"), 200),
            (Some("gzip;q=0"), 406),
            (Some("br"), 406),
            (Some(""), 406),
        ] {
            assert_eq!(get("/swagger-ui/swagger-ui.css", encoding).unwrap().status(), status, "{encoding:?}");
        }
        let response = get("/swagger-ui/swagger-ui-bundle.js", Some("gzip")).unwrap();
        assert_eq!(
            (&response.headers()["content-encoding"], &response.body()[..2]),
            (&"gzip".parse().unwrap(), &[0x1f, 0x8b][..])
        );
    }

    #[test]
    fn operators_pages_send_nothing_but_reads() {
        let text = |writes| String::from_utf8(start(writes).to_vec()).unwrap();
        assert!(text(true).contains("\"delete\""), "{}", text(true));
        assert!(!text(false).contains("\"post\"") && text(false).contains("[\"get\"]"), "{}", text(false));
    }
}
