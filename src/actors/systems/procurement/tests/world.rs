//! Procurement in memory, in the words of its clients.

use super::*;

/// How a request ended for its client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    NotDone,
    Refused,
}

pub(super) struct Procurement {
    pub(super) world: World,
    tickets: u32,
}

fn told<R, X: std::fmt::Debug>(answer: Result<R, AskError<X>>) -> Told {
    match answer {
        Ok(_) => Told::Done,
        Err(error) => match error.outcome() {
            Outcome::Refused => Told::Refused,
            Outcome::NotDone => Told::NotDone,
            Outcome::Unknown => panic!("the world leaves no outcome unknown: {error:?}"),
        },
    }
}

impl Procurement {
    pub(super) fn new() -> Self {
        Self { world: World::of(services()), tickets: 0 }
    }

    pub(super) fn post(&mut self, proc_no: &str, agency: Option<&str>, faults: &[Fault]) -> Told {
        self.tickets += 1;
        let ticket = key(&format!("ticket-{}", self.tickets));
        let demand = Demand { proc_agency: agency.map(str::to_owned), ..titled(proc_no) };
        let command = PostRequest { proc_no: key(proc_no), demand, ticket };
        told(self.world.ask::<DeliveryRequest, _>(&key(proc_no), command, faults))
    }

    /// The number of the live request.
    pub(super) fn live(&self, proc_no: &str) -> Option<u64> {
        Some(self.state(proc_no)?.item().request?.id)
    }

    pub(super) fn state(&self, proc_no: &str) -> Option<&DeliveryRequest> {
        self.world.kind::<DeliveryRequest>().keyed(&key(proc_no)).map(|stream| &stream.state)
    }

    pub(super) fn cancel(&mut self, proc_no: &str) -> Told {
        let id = self.live(proc_no).unwrap_or(0);
        told(self.world.ask::<DeliveryRequest, _>(&key(proc_no), CancelRequest { id }, &[]))
    }

    pub(super) fn retitle(&mut self, proc_no: &str, title: &str) -> Told {
        let id = self.live(proc_no).unwrap_or(0);
        let demand = DemandChange { proc_title: Set::To(some(title)), ..DemandChange::default() };
        let command = ChangeRequest { id, demand, ..unchanged() };
        told(self.world.ask::<DeliveryRequest, _>(&key(proc_no), command, &[]))
    }

    pub(super) fn record(&mut self, proc_no: &str, passed: bool, faults: &[Fault]) -> Told {
        let id = self.live(proc_no).unwrap_or(0);
        let command = ChangeRequest { id, passed: Some(passed), ..unchanged() };
        told(self.world.ask::<DeliveryRequest, _>(&key(proc_no), command, faults))
    }

    /// The number of the order that is born from the live request.
    pub(super) fn own_order(&self, proc_no: &str) -> Option<u64> {
        let NumberedId::Key(stream) = order_of(self.live(proc_no)?) else { return None };
        let order = self.world.kind::<DeliveryManagement>().keyed(&stream)?;
        order.state.item(order.number).map(|item| item.id)
    }

    pub(super) fn post_order(&mut self, proc_no: &str) -> u64 {
        let (demand, company) = (titled("posted"), Company::default());
        let command = PostOrder { proc_no: some(proc_no), demand, company };
        self.world.create::<DeliveryManagement, _>(command, &[]).unwrap().id
    }

    pub(super) fn assign(&mut self, order: u64, company: &str) -> Told {
        let company = Company { company_no: some(company), company_nm: some(company) };
        let command = ChangeOrder { proc_no: None, demand: DemandChange::default(), company };
        told(self.world.ask::<DeliveryManagement, _>(&NumberedId::number(order), command, &[]))
    }

    pub(super) fn withdraw(&mut self, order: u64) -> Told {
        let command = WithdrawOrder { for_request: false };
        told(self.world.ask::<DeliveryManagement, _>(&NumberedId::number(order), command, &[]))
    }

    pub(super) fn order(&self, order: u64) -> Option<DeliveryManagementItem> {
        self.world.kind::<DeliveryManagement>().item(order, DeliveryManagement::item)
    }

    pub(super) fn goods(&self, proc_no: &str) -> Option<GoodsDeliveryItem> {
        self.world.kind::<GoodsDelivery>().keyed(&key(proc_no))?.state.item()
    }

    pub(super) fn file(&mut self, proc_no: &str, phone: &str) -> Told {
        let id = self.goods(proc_no).map_or(0, |goods| goods.id);
        let filing = Filing { company_phone_no: some(phone), ..Filing::default() };
        let command = ChangeGoods { id, proc_no: None, filing };
        told(self.world.ask::<GoodsDelivery, _>(&key(proc_no), command, &[]))
    }

    /// The result of the live request.
    pub(super) fn result(&self, proc_no: &str) -> Option<InspectionResultItem> {
        self.state(proc_no)?.item().result
    }

    pub(super) fn sms(&self) -> Vec<Sms> {
        self.world.kind::<SmsHistory>().items(|sms, number| sms.item(number).map(|item| item.sms))
    }

    pub(super) fn inquiries(&self) -> Vec<DeliveryStatusInquiry> {
        self.world.rows::<DeliveryStatusInquiry>().listed().cloned().collect()
    }
}
