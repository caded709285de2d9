//! A system that is no product: wares by natural key and numbered tickets, to declare resources of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use steadfast::{
    Answered, Command, CommandContext, Decision, DomainEvent, Effects, Entity, Follows, Key, Listed, Number,
    NumberedId, Presence, Recorded, Refusal, RefusalClass, Service, ServiceDeclaration, Sources, System, View,
    http::{
        self, By, Change, Commands, EntitySource, Field, Fields, Filter, Finder, HttpLimits, HttpServer, Listener,
        Lookup, Procedure, Readiness, Resource, Said, ViewSource, by_key, key_in, number_in, perform,
    },
    persist,
    persistence::{self, StorageConfig},
};

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum No {
    #[error("there is no such ware")]
    Unknown,
    #[error("there is not so much of it")]
    TooMuch,
    #[error("qty must be positive")]
    Qty,
}

impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "NO_SUCH_WARE",
            Self::TooMuch => "INSUFFICIENT_STOCK",
            Self::Qty => "INVALID_QTY",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Unknown => RefusalClass::Gone,
            Self::TooMuch => RefusalClass::Conflict,
            Self::Qty => RefusalClass::Invalid,
        }
    }
    fn field(&self) -> Option<&'static str> {
        (*self == Self::Qty).then_some("qty")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ware {
    there: bool,
    name: Option<String>,
    qty: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum WareEvent {
    WarePut { name: Option<String>, qty: f64 },
    WareSold { qty: f64 },
}

impl DomainEvent for WareEvent {
    const PUBLIC: &'static [&'static str] = &["WarePut", "WareSold"];
    fn name(&self) -> &'static str {
        match self {
            Self::WarePut { .. } => "WarePut",
            Self::WareSold { .. } => "WareSold",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for Ware {
    const KIND: &'static str = "depot.ware";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = WareEvent;
    type Rejection = No;
    const COMMANDS: &'static [&'static str] = &[PutWare::NAME, SellWare::NAME];
    fn evolve(&mut self, event: &WareEvent) {
        match event {
            WareEvent::WarePut { name, qty } => *self = Self { there: true, name: name.clone(), qty: *qty },
            WareEvent::WareSold { qty } => self.qty -= qty,
        }
    }
}

impl Listed for Ware {
    const LIST: &'static str = "depot.wares";
    fn presence(&self) -> Presence {
        if self.there { Presence::Listed } else { Presence::Hidden }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PutWare {
    name: Option<String>,
    qty: f64,
}

/// The item, and whether it is new.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Put {
    name: Option<String>,
    qty: f64,
    created: bool,
}

impl Command<Ware> for PutWare {
    const NAME: &'static str = "put-ware";
    type Reply = Put;
    fn decide(self, ware: &Ware, _: &CommandContext) -> Decision<Ware, Put> {
        let Self { name, qty } = self;
        let put = Put { name: name.clone(), qty, created: !ware.there };
        if !put.created && ware.name == name && ware.qty.total_cmp(&qty).is_eq() {
            return Ok(Effects::reply(put));
        }
        Ok(persist([WareEvent::WarePut { name, qty }]).reply(put))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SellWare {
    qty: f64,
}

impl Command<Ware> for SellWare {
    const NAME: &'static str = "sell-ware";
    type Reply = ();
    fn decide(self, ware: &Ware, _: &CommandContext) -> Decision<Ware, ()> {
        match self.qty {
            _ if !ware.there => Err(No::Unknown),
            qty if qty <= 0.0 => Err(No::Qty),
            qty if qty > ware.qty => Err(No::TooMuch),
            qty => Ok(persist([WareEvent::WareSold { qty }]).reply(())),
        }
    }
}

/// One ticket for each code; it stays readable when it is closed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    code: String,
    closed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum TicketEvent {
    TicketOpened { code: String },
    TicketClosed { code: String },
}

impl DomainEvent for TicketEvent {
    const PUBLIC: &'static [&'static str] = &["TicketOpened", "TicketClosed"];
    fn name(&self) -> &'static str {
        match self {
            Self::TicketOpened { .. } => "TicketOpened",
            Self::TicketClosed { .. } => "TicketClosed",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for Ticket {
    const KIND: &'static str = "depot.ticket";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = TicketEvent;
    type Rejection = No;
    const COMMANDS: &'static [&'static str] = &[OpenTicket::NAME, CloseTicket::NAME];
    fn evolve(&mut self, event: &TicketEvent) {
        match event {
            TicketEvent::TicketOpened { code } => self.code.clone_from(code),
            TicketEvent::TicketClosed { .. } => self.closed = true,
        }
    }
}

impl Listed for Ticket {
    const LIST: &'static str = "depot.tickets";
    fn presence(&self) -> Presence {
        if self.code.is_empty() { Presence::Hidden } else { Presence::Listed }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TicketItem {
    code: String,
    closed: bool,
    #[serde(default)]
    created: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OpenTicket {
    code: String,
}

impl Command<Ticket> for OpenTicket {
    const NAME: &'static str = "open-ticket";
    type Reply = TicketItem;
    fn decide(self, ticket: &Ticket, _: &CommandContext) -> Decision<Ticket, TicketItem> {
        let Self { code } = self;
        let item = TicketItem { code: code.clone(), closed: ticket.closed, created: ticket.code.is_empty() };
        if item.created {
            Ok(persist([TicketEvent::TicketOpened { code }]).reply(item))
        } else {
            Ok(Effects::reply(item))
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct CloseTicket;

impl Command<Ticket> for CloseTicket {
    const NAME: &'static str = "close-ticket";
    type Reply = ();
    fn decide(self, ticket: &Ticket, _: &CommandContext) -> Decision<Ticket, ()> {
        if ticket.closed {
            Err(No::TooMuch)
        } else {
            Ok(persist([TicketEvent::TicketClosed { code: ticket.code.clone() }]).reply(()))
        }
    }
}

/// The number of the ticket with each code, open or closed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TicketOfCode {
    number: u64,
    closed: bool,
}

impl View for TicketOfCode {
    const NAME: &'static str = "depot.ticket-of-code";
    const VERSION: u32 = 1;
    type Key = String;
    fn sources() -> Sources<Self> {
        Sources::of::<Ticket>()
    }
}

impl Follows<Ticket> for TicketOfCode {
    fn key(event: &Recorded<Ticket>) -> Option<String> {
        let (TicketEvent::TicketOpened { code } | TicketEvent::TicketClosed { code }) = &event.event;
        Some(code.clone())
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Ticket>) {
        let closed = matches!(event.event, TicketEvent::TicketClosed { .. });
        *row = Some(Self { number: event.number.get(), closed });
    }
}

fn wares(system: &System) -> Resource {
    let commands = Commands::<Ware>::of(system);
    let make =
        |fields: &Fields| Ok(PutWare { name: fields.string("name"), qty: fields.double("qty").unwrap_or_default() });
    let put = |answered: &Answered<Put>| if answered.reply.created { Change::Created } else { Change::Changed };
    let sell = |fields: &Fields| Ok(SellWare { qty: fields.double("qty").unwrap_or_default() });
    let sell = commands.procedure(|call| key_in(call, "wareId"), sell, |_| Said::yes().made("1"));
    let fields = vec![Field::text("name"), Field::double("qty")];
    let parameters = vec![Field::text("wareId").required(), Field::double("qty").required()];
    let source = EntitySource::of(system, |ware: &Ware, _| ware.there.then(|| ware.clone()));
    Resource::new("depot", "ware", "ware", Field::text("wareId"), fields, source)
        .service("stock")
        .alias("wares")
        .natural_key()
        .create(commands.method(put, by_key, make))
        .replace(commands.method(put, by_key, make))
        .merge(restock(system, &commands))
        .finder(Finder::one("findByWareId", Field::text("ware_id"), By::Key).also_spelled(&["wareId"]))
        .filter(Filter::at_least(Field::double("minQty"), "qty"))
        .procedure(Procedure::post("sell", parameters, sell))
        .procedure(Procedure::post("place", vec![], perform(|_| async { Ok(Said::text("depot, 1")) })))
}

/// What a merge does not name stays as another look at the ware has it.
fn restock(system: &System, commands: &Commands<Ware>) -> http::Action {
    let entities = system.entities::<Ware>();
    commands.prepared(Change::Changed, move |call| {
        let entities = entities.clone();
        async move {
            let id = by_key(&call)?;
            let now = entities.get(&id).await.map_err(http::Problem::of_ask)?.ok_or(No::Unknown)?.state;
            let qty = call.fields.double("qty").unwrap_or(now.qty);
            if qty < 0.0 {
                return Err(No::Qty.into());
            }
            Ok((id, PutWare { name: call.fields.sent("name", Fields::string).unwrap_or(now.name), qty }))
        }
    })
}

fn ticket_id(code: &Value) -> Option<NumberedId> {
    Some(NumberedId::Key(Key::new(format!("ticket/{}", code.as_str()?)).ok()?))
}

fn code_of(code: &Value) -> Option<String> {
    code.as_str().map(str::to_owned)
}

fn tickets(system: &System) -> Resource {
    let commands = Commands::<Ticket>::of(system);
    let source = EntitySource::of(system, |ticket: &Ticket, _| (!ticket.code.is_empty()).then(|| ticket.clone()));
    let open = commands.method(
        |answered: &Answered<TicketItem>| if answered.reply.created { Change::Created } else { Change::Changed },
        |call| {
            let code = call.fields.text("code").unwrap_or_default();
            ticket_id(&code.into()).ok_or_else(|| http::Problem::missing("code"))
        },
        |fields: &Fields| Ok(OpenTicket { code: fields.string("code").unwrap_or_default() }),
    );
    let of_code = || Lookup::row(system.views::<TicketOfCode>(), code_of);
    let by_code = source.by_id(ticket_id);
    let fields = vec![Field::text("code").required(), Field::boolean("closed").read_only()];
    Resource::new("depot", "tickets", "ticket", Field::long("id"), fields, source)
        .service("desk")
        .create(open)
        .remove(commands.remove(CloseTicket))
        .finder(Finder::one("findByCode", Field::text("code"), by_code))
        .finder(Finder::many("listByCode", Field::text("code"), of_code().keys(|_, row| row.number.to_string())))
        .filter(Filter::prepared(Field::text("notCode"), of_code().without(|_, row| row.number.into())))
        .also_by(of_code().resolving(|_, row| row.number.to_string()))
}

fn closing(system: &System) -> Resource {
    let commands = Commands::<Ticket>::of(system);
    let close = commands.procedure(|call| number_in(call, "ticketId"), |_| Ok(CloseTicket), |_| Said::yes());
    let parameters = vec![Field::long("ticketId").required()];
    Resource::without_items("depot", "closeTicket").service("desk").procedure(Procedure::post("", parameters, close))
}

fn codes(system: &System) -> Resource {
    let source = ViewSource::of(system, |_, row: &TicketOfCode| row.clone());
    let fields = vec![Field::long("number"), Field::boolean("closed")];
    Resource::new("depot", "codes", "code", Field::text("code"), fields, source).service("desk").unpaged()
}

/// A running depot without a socket.
pub(crate) struct Depot {
    pub(crate) system: System,
    gateway: Arc<HttpServer>,
}

impl Depot {
    pub(crate) async fn start() -> Self {
        let storage = persistence::open(&StorageConfig::memory()).unwrap();
        let services = vec![
            Service::service("stock").listed::<Ware>(),
            Service::service("desk").listed::<Ticket>().view::<TicketOfCode>(),
        ];
        let system = System::builder(storage).system("depot", services).start().await.unwrap();
        let (listener, readiness) = (Self::listener(), Readiness::default());
        let gateway = http::public(listener, &system, resources(&system), true, HttpLimits::default(), readiness);
        Self { system, gateway: Arc::new(gateway) }
    }

    fn listener() -> Listener {
        Listener::bind(([127, 0, 0, 1], 0).into()).unwrap()
    }

    /// What the gateway answers.
    pub(crate) async fn call(&self, method: &str, url: &str, body: &str) -> Answer {
        Answer::of(&self.gateway, method, url, &[], body).await
    }

    /// The same under an `Idempotency-Key`.
    pub(crate) async fn once(&self, key: &str, method: &str, url: &str, body: &str) -> Answer {
        Answer::of(&self.gateway, method, url, &[("idempotency-key", key)], body).await
    }

    /// The port of one service.
    pub(crate) fn port(&self, service: &'static str) -> HttpServer {
        let (resources, limits) = (resources(&self.system), HttpLimits::default());
        http::service_port(Self::listener(), &self.system, "depot", service, resources, limits, Readiness::default())
    }
}

fn resources(system: &System) -> Vec<Resource> {
    vec![wares(system), tickets(system), closing(system), codes(system)]
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(server: &HttpServer, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut request = ::http::Request::builder().method(method).uri(url).header("host", "depot");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = server.edge().call(request.body(body.to_owned().into()).unwrap()).await;
        let text = String::from_utf8(response.body().to_vec()).unwrap().replace("http://depot", "");
        Self { status: response.status().as_u16(), headers: response.headers().clone(), text }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
