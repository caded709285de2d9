//! The store's service.

use std::{fmt, time::Duration};

use tonic::{Request, Response, Status};

use super::{
    origin::Origin,
    status::{address, of_ask, of_outcome, of_problem, of_view},
    v1::{self, command::State, store_server::Store},
};
use crate::{
    AskRequest, Command, CommandOutcome, Entities, Entity, Listing, NumberedId, Refusal, System, Views,
    http::{Caller, Resource, may_command, may_read},
    store::{self, CancelOrder, Order, OrderItem, Pay, Payment, PlaceOrder},
};

/// Deadline of a command that asks no partner: far above a group commit, below any client's patience.
const WITHIN: Duration = Duration::from_secs(5);
/// What a call may take beyond the synchronous link that it uses.
const BEYOND_LINK: Duration = Duration::from_millis(400);
/// How long a list waits for what was durable when the call came.
const CATCH_UP: Duration = Duration::from_millis(250);
/// Orders of a page when no number is given, and at most.
const PAGE: usize = 20;
const MAX_PAGE: usize = 1000;

/// Answers the calls of `steadfast.store.v1.Store`. Cheap to clone.
#[derive(Clone)]
pub struct StoreService {
    system: System,
    orders: Entities<Order>,
    payments: Entities<Payment>,
    list: Views<Listing<Order>>,
    /// How long the delivery service has to answer.
    link: Duration,
    /// The roles that may change orders, and payments.
    order_roles: &'static [&'static str],
    payment_roles: &'static [&'static str],
}

impl fmt::Debug for StoreService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreService").field("link", &self.link).finish_non_exhaustive()
    }
}

impl StoreService {
    /// The system that it asks.
    pub(super) fn system(&self) -> &System {
        &self.system
    }

    /// Of a system that runs the store.
    pub fn of(system: &System) -> Self {
        let link = system.config().link(store::NAME, "order", "delivery").timeout.unwrap_or(store::DELIVERY_WITHIN);
        let (orders, payments, list) = (system.entities(), system.entities(), system.list::<Order>());
        // Said once, where the resources of HTTP are declared.
        let resources = crate::http::store(system);
        let roles = |collection: &str| {
            let found = resources.iter().map(Resource::authority).find(|(name, _)| name == collection);
            found.expect("the store has that resource").1
        };
        let (order_roles, payment_roles) = (roles("store/orders"), roles("store/payments"));
        Self { system: system.clone(), orders, payments, list, link, order_roles, payment_roles }
    }
}

/// Whether the caller may command what these roles do.
fn commands<M>(request: &Request<M>, roles: &[&str]) -> Result<(), Status> {
    may_command(request.extensions().get::<Caller>(), store::NAME, roles).map_err(|problem| of_problem(&problem))
}

/// Whether the caller may see what there is of the store.
fn reads<M>(request: &Request<M>) -> Result<(), Status> {
    may_read(request.extensions().get::<Caller>(), store::NAME).map_err(|problem| of_problem(&problem))
}

/// The reply, and the public number of the entity that made it.
async fn answered<E, C>(
    entities: &Entities<E>,
    origin: &Origin,
    id: &E::Id,
    ask: AskRequest<E, C>,
    within: Duration,
) -> Result<C::Reply, Status>
where
    E: Entity<Rejection: Refusal>,
    C: Command<E>,
{
    let address = entities.address_of(id, origin.command);
    let answered = origin.with(ask, within).answered().await;
    answered.map(|answered| answered.reply).map_err(|error| of_ask(error, address))
}

#[tonic::async_trait]
impl Store for StoreService {
    async fn place_order(&self, request: Request<v1::PlaceOrderRequest>) -> Result<Response<v1::Order>, Status> {
        commands(&request, self.order_roles)?;
        let origin = Origin::of(&request, "PlaceOrder")?;
        let v1::PlaceOrderRequest { product_id, quantity } = *request.get_ref();
        let (id, within) = (origin.new_entity(), self.link);
        let ask = self.orders.ask(&id, PlaceOrder { product_id, quantity, status: None, within });
        let order = answered(&self.orders, &origin, &id, ask, self.link + BEYOND_LINK).await?;
        Ok(Response::new(shown(&order)))
    }

    async fn cancel_order(
        &self,
        request: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        commands(&request, self.order_roles)?;
        let origin = Origin::of(&request, &format!("CancelOrder/{}", request.get_ref().id))?;
        let id = NumberedId::number(request.get_ref().id);
        let ask = self.orders.ask(&id, CancelOrder { within: self.link });
        answered(&self.orders, &origin, &id, ask, self.link + BEYOND_LINK).await?;
        Ok(Response::new(v1::CancelOrderResponse {}))
    }

    async fn get_order(&self, request: Request<v1::GetOrderRequest>) -> Result<Response<v1::Order>, Status> {
        reads(&request)?;
        let number = request.get_ref().id;
        let current = self.orders.get(&NumberedId::number(number)).await.map_err(|error| of_ask(error, None))?;
        let item = current.and_then(|current| current.state.item());
        let item = item.ok_or_else(|| Status::not_found(format!("there is no order {number}")))?;
        Ok(Response::new(shown(&item)))
    }

    async fn list_orders(
        &self,
        request: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        reads(&request)?;
        let v1::ListOrdersRequest { page_size, after } = *request.get_ref();
        let size = match usize::try_from(page_size).unwrap_or(MAX_PAGE) {
            0 => PAGE,
            size => size.min(MAX_PAGE),
        };
        let behind = !self.list.catch_up(CATCH_UP).await.map_err(|error| of_view(&error))?;
        let after = Some(after).filter(|after| *after > 0);
        let rows = self.list.scan(&[], after.as_ref(), size).await.map_err(|error| of_view(&error))?;
        let next = rows.last().filter(|_| rows.len() == size).map_or(0, |(number, _)| *number);
        let orders = rows.iter().filter_map(|(_, row)| row.state.item()).map(|item| shown(&item)).collect();
        Ok(Response::new(v1::ListOrdersResponse { orders, next, behind }))
    }

    async fn pay(&self, request: Request<v1::PayRequest>) -> Result<Response<v1::Payment>, Status> {
        commands(&request, self.payment_roles)?;
        let origin = Origin::of(&request, "Pay")?;
        let v1::PayRequest { product_id, quantity, price } = *request.get_ref();
        let id = origin.new_entity();
        let ask = self.payments.ask(&id, Pay { product_id, quantity, price });
        let paid = answered(&self.payments, &origin, &id, ask, WITHIN).await?;
        let store::PaymentItem { id, product_id, quantity, price } = paid;
        Ok(Response::new(v1::Payment { id, product_id, quantity, price }))
    }

    async fn get_command(&self, request: Request<v1::GetCommandRequest>) -> Result<Response<v1::Command>, Status> {
        reads(&request)?;
        let address = address(&request.get_ref().command_id)?;
        if !address.kind.starts_with("store.") {
            return Err(Status::not_found("this is no command of the store"));
        }
        let outcome = self.system.outcome(&address).await.map_err(|error| of_outcome(&error))?;
        let state = |state: State, detail: &str| v1::Command { state: state.into(), detail: detail.into(), number: 0 };
        Ok(Response::new(match outcome {
            CommandOutcome::Done { number, .. } => v1::Command { number: number.get(), ..state(State::Done, "") },
            CommandOutcome::Refused { message, .. } => state(State::Refused, &message),
            CommandOutcome::NotDone(why) => state(State::NotDone, &why.map(|why| why.to_string()).unwrap_or_default()),
            CommandOutcome::Pending => state(State::Pending, "it is not finished yet"),
            CommandOutcome::Ended => {
                state(State::Unknown, "it is over, and how it ended was not written: look at the item")
            }
            CommandOutcome::Unknown => {
                let message =
                    "there is no record of it: it wrote nothing and may be sent again, or it is older than 24 hours";
                return Err(Status::not_found(message));
            }
        }))
    }
}

fn shown(order: &OrderItem) -> v1::Order {
    let OrderItem { id, product_id, quantity, status } = *order;
    v1::Order { id, product_id, quantity, status: status.as_str().to_owned() }
}
