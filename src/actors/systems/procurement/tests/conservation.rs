//! An inspection is passed here if and only if it is passed there, whatever happens on the way.

use proptest::{collection::vec, prelude::*};

use super::{
    world::{Procurement, Told},
    *,
};

const NUMBERS: [&str; 3] = ["p01", "p02", "p03"];

#[derive(Clone, Debug)]
enum Act {
    Post { at: usize, refused: bool, faults: Vec<Fault> },
    Retitle { at: usize },
    Cancel { at: usize },
    Record { at: usize, passed: bool, faults: Vec<Fault> },
    Assign { at: usize, company: u8 },
    AssignAny { order: u64, company: u8 },
    PostOrder { at: usize },
    File { at: usize, phone: u8 },
    ArriveLate,
    Crash,
    React { pick: usize },
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    vec(prop::sample::select(Fault::ALL.to_vec()), 0..4)
}

fn act() -> impl Strategy<Value = Act> {
    let at = 0..NUMBERS.len();
    prop_oneof![
        3 => (at.clone(), prop::bool::weighted(0.1), faults())
            .prop_map(|(at, refused, faults)| Act::Post { at, refused, faults }),
        1 => at.clone().prop_map(|at| Act::Retitle { at }),
        1 => at.clone().prop_map(|at| Act::Cancel { at }),
        4 => (at.clone(), any::<bool>(), faults()).prop_map(|(at, passed, faults)| Act::Record { at, passed, faults }),
        3 => (at.clone(), 0..3_u8).prop_map(|(at, company)| Act::Assign { at, company }),
        1 => (1..8_u64, 0..3_u8).prop_map(|(order, company)| Act::AssignAny { order, company }),
        1 => at.clone().prop_map(|at| Act::PostOrder { at }),
        3 => (at, 0..3_u8).prop_map(|(at, phone)| Act::File { at, phone }),
        1 => Just(Act::ArriveLate),
        1 => Just(Act::Crash),
        14 => any::<usize>().prop_map(|pick| Act::React { pick }),
    ]
}

fn perform(told: &mut Procurement, act: &Act) {
    let _: Told = match act {
        Act::Post { at, refused, faults } => told.post(NUMBERS[*at], refused.then_some(REFUSED_AGENCY), faults),
        Act::Retitle { at } => told.retitle(NUMBERS[*at], "better"),
        Act::Cancel { at } => told.cancel(NUMBERS[*at]),
        Act::Record { at, passed, faults } => told.record(NUMBERS[*at], *passed, faults),
        Act::Assign { at, company } => {
            let order = told.own_order(NUMBERS[*at]).unwrap_or(0);
            told.assign(order, &format!("c{company}"))
        }
        Act::AssignAny { order, company } => told.assign(*order, &format!("c{company}")),
        Act::PostOrder { at } => {
            told.post_order(NUMBERS[*at]);
            Told::Done
        }
        Act::File { at, phone } => told.file(NUMBERS[*at], &format!("010-{phone}")),
        Act::ArriveLate => {
            told.world.arrive_late();
            Told::Done
        }
        Act::Crash => {
            told.world.crash();
            Told::Done
        }
        Act::React { pick } => {
            told.world.react(*pick);
            Told::Done
        }
    };
}

/// Requests, results and delivery orders agree.
fn check_results(told: &Procurement) {
    for proc_no in NUMBERS {
        let Some(live) = told.live(proc_no) else { continue };
        let own = told.own_order(proc_no).and_then(|order| told.order(order));
        let own = own.unwrap_or_else(|| panic!("request {live} has no delivery order, though nobody deletes any"));
        let passed = told.result(proc_no).and_then(|result| result.inspection_succ_flag);
        assert_eq!(passed == Some(true), own.inspection_succ_flag == Some(true), "request {live} and its order");
    }
}

/// Each recorded result is one SMS, and the status of each delivery says of its request whether it is passed. A
/// failure stays there when a new filing opens the result again (section 7).
fn check_told(told: &Procurement) {
    let results = told.world.kind::<DeliveryRequest>().events();
    let recorded = results.filter(|event| matches!(event, DeliveryRequestEvent::InspectionResultPatched { .. }));
    assert_eq!(told.sms().len(), recorded.count());
    let inquiries: Vec<_> =
        told.inquiries().iter().map(|row| (row.id, row.inspection_succ_flag == Some(true))).collect();
    let mut live: Vec<_> = NUMBERS
        .iter()
        .filter_map(|proc_no| told.state(proc_no)?.item().request)
        .map(|request| (request.id, request.inspection_succ_flag == Some(true)))
        .collect();
    live.sort_unstable();
    assert_eq!(inquiries, live);
}

/// A number that is not demanded has no order that was born from a request and no goods of such an order.
fn check_cascade(told: &Procurement) {
    let live: Vec<_> = NUMBERS.iter().filter_map(|proc_no| told.live(proc_no)).collect();
    for order in told.world.kind::<DeliveryManagement>().streams() {
        if let (Some(item), Some(request)) = (order.state.item(order.number), order.state.request()) {
            assert!(live.contains(&request), "{item:?} is left of request {request}");
        }
    }
    for goods in told.world.kind::<GoodsDelivery>().streams() {
        let state = serde_json::to_value(&goods.state).unwrap();
        let request = state["open"]["order"]["request"].as_u64();
        assert!(request.is_none_or(|request| live.contains(&request)), "goods are left of {request:?}");
        assert!(goods.state.resume().is_empty());
    }
    for request in told.world.kind::<DeliveryRequest>().streams() {
        assert!(request.state.resume().is_empty(), "a step is still open");
    }
}

/// No public number is shown twice, and what was refused took none.
fn check_numbers(told: &Procurement) {
    let mut shown = Vec::new();
    for event in told.world.kind::<DeliveryRequest>().events() {
        if let DeliveryRequestEvent::ProcurementRequestPosted { id, .. } = event {
            shown.push(*id);
        }
    }
    let posted = shown.len();
    shown.sort_unstable();
    shown.dedup();
    assert_eq!(shown.len(), posted, "a request's number is its own");
}

proptest! {
    #[test]
    fn results_orders_goods_and_sms_are_conserved_over_random_histories(acts in vec(act(), 1..80)) {
        let mut told = Procurement::new();
        for act in &acts {
            perform(&mut told, act);
        }
        told.world.settle();
        check_results(&told);
        check_told(&told);
        check_cascade(&told);
        check_numbers(&told);
        prop_assert!(told.world.dead_letters().is_empty(), "{:?}", told.world.dead_letters());
    }
}

#[test]
fn a_lost_late_or_interrupted_answer_never_leaves_a_result_on_one_side_only() {
    for first in Fault::ALL {
        for second in Fault::ALL {
            for void_first in [false, true] {
                let mut told = Procurement::new();
                assert_eq!(told.post("p01", None, &[]), Told::Done);
                told.world.settle();
                let _: Told = told.record("p01", true, &[first, second]);
                while void_first && told.world.react(0) {}
                told.world.settle();
                check_results(&told);
                check_told(&told);
                assert_ne!(told.record("p01", true, &[]), Told::NotDone, "{first:?}, {second:?}");
                told.world.settle();
                check_results(&told);
                assert_eq!(told.result("p01").unwrap().inspection_succ_flag, Some(true));
                assert_eq!(told.sms().len(), 1);
            }
        }
    }
}
