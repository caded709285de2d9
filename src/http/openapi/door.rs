//! Who is asked who he is, and how he says so.

use serde_json::{Map, Value, json};

use super::Document;
use crate::SupervisionConfig;

/// What the public listener may refuse a request with before it looks at it: who nobody knows, who may not, who asks too
/// often.
pub(super) const OF_CLIENTS: [u16; 3] = [401, 403, 429];
/// The same of the operators' listener, which counts nobody's requests.
pub(super) const OF_OPERATORS: [u16; 2] = [401, 403];

/// What a configuration decides about a document: who is asked who he is, and whether other processes may ask. The rest of it
/// is the same for every configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offers {
    clients_are_known: bool,
    operators_are_known: bool,
    asks: Asks,
}

/// Who may call `POST /asks`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asks {
    /// Nobody: it is not there.
    #[default]
    Nobody,
    /// Operators, where somebody is asked who he is.
    Operators,
    /// Who has the token of asks.
    Token,
}

impl Offers {
    /// None of this changes while a process runs.
    pub(crate) fn of(config: &SupervisionConfig) -> Self {
        Self {
            clients_are_known: config.auth.is_on(),
            operators_are_known: config.admin.token_file.is_some(),
            asks: match (config.server.accept_asks, &config.server.asks_token_file) {
                (false, _) => Asks::Nobody,
                (true, None) => Asks::Operators,
                (true, Some(_)) => Asks::Token,
            },
        }
    }

    /// Whether there is `POST /asks`.
    pub(crate) fn asks(self) -> bool {
        self.asks != Asks::Nobody
    }
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever may call anything at all.
    Known,
    /// Who has one of these roles, or is an operator.
    Roles(&'static [&'static str]),
    /// Another process, by the token of asks where that is set.
    Asks,
    /// Everybody.
    Open,
}

/// How those who call a listener say who they are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    Clients(Offers),
    Operators(Offers),
}

const TOKEN: &str = "token";
const KEY: &str = "key";
const OPERATOR: &str = "operator";
const ASK: &str = "asks";

impl Door {
    /// What it may refuse a request with before anything looks at it.
    pub(super) fn refusals(self) -> &'static [u16] {
        match self {
            Self::Clients(_) => &OF_CLIENTS,
            Self::Operators(_) => &OF_OPERATORS,
        }
    }

    /// What holds for every operation that says nothing else.
    pub(super) fn usual(self) -> Value {
        self.ways(&[&[]])
    }

    /// What holds for one operation; `None` when that is what is usual.
    pub(super) fn of(self, access: Access) -> Option<Value> {
        match (access, self) {
            (Access::Known, _) => None,
            (Access::Open, _) => Some(json!([])),
            (Access::Asks, Self::Clients(offers)) if offers.asks == Asks::Token => Some(json!([{ ASK: [] }])),
            (Access::Roles(roles), _) => {
                let each = roles.iter().chain(&[OPERATOR]).map(std::slice::from_ref);
                Some(self.ways(&each.collect::<Vec<_>>()))
            }
            (Access::Asks, _) => Some(self.ways(&[&[OPERATOR]])),
        }
    }

    /// Each way of saying who one is, with one of these sets of roles; and none, where nobody is asked.
    fn ways(self, roles: &[&[&str]]) -> Value {
        let (schemes, is_needed) = match self {
            Self::Clients(offers) => (&[TOKEN, KEY][..], offers.clients_are_known),
            Self::Operators(offers) => (&[OPERATOR][..], offers.operators_are_known),
        };
        let each = roles.iter().flat_map(|roles| schemes.iter().map(move |scheme| json!({ *scheme: roles })));
        let nobody = (!is_needed).then(|| json!({}));
        nobody.into_iter().chain(each).collect()
    }

    /// What the ways are.
    pub(super) fn schemes(self) -> Value {
        let bearer = |about: &str, format: &str| json!({ "type": "http", "scheme": "bearer", "bearerFormat": format, "description": about });
        let mut schemes = Map::new();
        match self {
            Self::Clients(offers) => {
                let token = bearer("A signed token with `exp`, `sub` and the list `roles`; or an API key.", "JWT");
                schemes.insert(TOKEN.into(), token);
                schemes.insert(
                    KEY.into(),
                    json!({ "type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key." }),
                );
                if offers.asks == Asks::Token {
                    schemes.insert(ASK.into(), bearer("The token that both processes have.", "opaque"));
                }
            }
            Self::Operators(_) => {
                schemes.insert(OPERATOR.into(), bearer("An operator's token.", "opaque"));
            }
        }
        schemes.into()
    }
}

impl Document {
    /// The contract for clients.
    pub(crate) fn of_clients(title: &str, about: &'static str, offers: Offers) -> Self {
        Self::new(title, about, Door::Clients(offers))
    }

    /// The contract for operators.
    pub(crate) fn of_operators(title: &str, about: &'static str, offers: Offers) -> Self {
        Self::new(title, about, Door::Operators(offers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_says_who_he_is_in_one_of_the_ways_and_roles_say_what_he_has_to_be() {
        let open = Door::Clients(Offers::default());
        let known = Door::Clients(Offers { clients_are_known: true, ..Offers::default() });
        assert_eq!(open.usual(), json!([{}, { "token": [] }, { "key": [] }]));
        assert_eq!(known.usual(), json!([{ "token": [] }, { "key": [] }]));
        assert_eq!((known.of(Access::Known), known.of(Access::Open)), (None, Some(json!([]))));
        let either =
            json!([{ "token": ["owner"] }, { "key": ["owner"] }, { "token": ["operator"] }, { "key": ["operator"] }]);
        assert_eq!(known.of(Access::Roles(&["owner"])), Some(either));
        assert_eq!(open.of(Access::Roles(&[])), Some(json!([{}, { "token": ["operator"] }, { "key": ["operator"] }])));
    }

    #[test]
    fn asks_have_a_token_of_their_own_or_are_for_operators() {
        let offers = Offers { asks: Asks::Operators, clients_are_known: true, ..Offers::default() };
        assert_eq!(
            Door::Clients(offers).of(Access::Asks),
            Some(json!([{ "token": ["operator"] }, { "key": ["operator"] }]))
        );
        let own = Door::Clients(Offers { asks: Asks::Token, ..offers });
        assert_eq!(own.of(Access::Asks), Some(json!([{ "asks": [] }])));
        assert_eq!(own.schemes()["asks"]["scheme"], "bearer");
        assert!(Door::Clients(offers).schemes().get("asks").is_none());
    }
}
