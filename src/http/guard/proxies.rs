use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::AddressRange;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What a proxy says of the request that it had.
const FORWARDED: [HeaderName; 4] = [
    FORWARDED_FOR,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-port"),
];

/// Proxies whose word counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<AddressRange>);

impl Proxies {
    pub(crate) fn new(ranges: Vec<AddressRange>) -> Self {
        Self(ranges)
    }

    /// Whether this is one of them.
    pub(crate) fn have(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }

    /// Whose request it is that `peer` sends: his own, or, of a proxy, that of the last address in `X-Forwarded-For` that
    /// is no proxy either. Takes away what somebody says who has no say, once there are proxies at all.
    pub(crate) fn client(&self, peer: IpAddr, headers: &mut HeaderMap) -> IpAddr {
        if self.0.is_empty() {
            return peer;
        }
        if !self.have(peer) {
            for name in FORWARDED {
                headers.remove(name);
            }
            return peer;
        }
        let lists: Vec<&str> =
            headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::to_str).filter_map(Result::ok).collect();
        let mut client = peer;
        for said in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
            // what cannot be read ends what can be believed
            let Ok(said) = said.trim().parse::<IpAddr>() else { break };
            client = said.to_canonical();
            if !self.have(client) {
                break;
            }
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::tests::request;

    fn client(peer: &str, forwarded: &[&str]) -> (String, bool) {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let given: Vec<_> = forwarded.iter().map(|list| ("x-forwarded-for", *list)).collect();
        let mut headers = request("GET", "/", &given, "").headers;
        headers.clear();
        for list in forwarded {
            headers.append("x-forwarded-for", list.parse().unwrap());
        }
        headers.insert("x-forwarded-host", "shop".parse().unwrap());
        let client = proxies.client(peer.parse().unwrap(), &mut headers);
        (client.to_string(), headers.contains_key("x-forwarded-host"))
    }

    #[test]
    fn only_a_proxy_is_believed_and_only_as_far_as_proxies_wrote() {
        for (peer, forwarded, expected, kept) in [
            ("9.9.9.9", &["1.1.1.1"][..], "9.9.9.9", false),
            ("10.0.0.1", &[], "10.0.0.1", true),
            ("10.0.0.1", &["1.1.1.1"], "1.1.1.1", true),
            ("10.0.0.1", &["6.6.6.6, 1.1.1.1"], "1.1.1.1", true),
            ("10.0.0.1", &["6.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1", true),
            ("10.0.0.1", &["6.6.6.6", "1.1.1.1, 10.0.0.2"], "1.1.1.1", true),
            ("10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1", true),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3", true),
        ] {
            assert_eq!(client(peer, forwarded), (expected.to_owned(), kept), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn without_proxies_everything_stays_as_it_came() {
        let mut headers = request("GET", "/", &[("x-forwarded-for", "1.1.1.1")], "").headers;
        let peer = "9.9.9.9".parse().unwrap();
        assert_eq!(Proxies::default().client(peer, &mut headers), peer);
        assert!(headers.contains_key("x-forwarded-for"));
    }
}
