//! A booking stands exactly when one approval for it does that is not refunded, and has its date, in
//! whatever order policies and asks go on, whatever happens on the links, and wherever the process ends.

use proptest::{collection::vec, prelude::*};

use super::{
    world::{Fault, Told, World},
    *,
};

const DATES: [&str; 3] = ["20201010", "20201011", "20201012"];

#[derive(Clone, Debug)]
enum Act {
    Book { room: u64, date: usize, faults: Vec<Fault> },
    BeginToBook { room: u64, date: usize },
    Cancel { booking: u64, faults: Vec<Fault> },
    BeginToCancel { booking: u64 },
    GoOn { pick: usize, fault: Fault },
    React { pick: usize },
    ArriveLate,
    Crash,
    Toggle { service: &'static str },
}

fn fault() -> impl Strategy<Value = Fault> {
    prop::sample::select(Fault::ALL.to_vec())
}

fn act() -> impl Strategy<Value = Act> {
    let (room, date, booking) = (1..=2_u64, 0..DATES.len(), 1..=8_u64);
    prop_oneof![
        3 => (room.clone(), date.clone(), vec(fault(), 0..4))
            .prop_map(|(room, date, faults)| Act::Book { room, date, faults }),
        3 => (room, date).prop_map(|(room, date)| Act::BeginToBook { room, date }),
        2 => (booking.clone(), vec(fault(), 0..2)).prop_map(|(booking, faults)| Act::Cancel { booking, faults }),
        2 => booking.prop_map(|booking| Act::BeginToCancel { booking }),
        6 => (any::<usize>(), fault()).prop_map(|(pick, fault)| Act::GoOn { pick, fault }),
        8 => any::<usize>().prop_map(|pick| Act::React { pick }),
        1 => Just(Act::ArriveLate),
        1 => Just(Act::Crash),
        1 => prop::sample::select(vec!["pay", "alarm"]).prop_map(|service| Act::Toggle { service }),
    ]
}

fn perform(world: &mut World, act: &Act, stopped: &mut Vec<&'static str>) {
    match act {
        Act::Book { room, date, faults } => drop(world.book(*room, "배트맨", DATES[*date], faults)),
        Act::BeginToBook { room, date } => drop(world.begin_to_book(*room, "로빈", DATES[*date])),
        Act::Cancel { booking, faults } => drop(world.cancel(*booking, faults)),
        Act::BeginToCancel { booking } => drop(world.begin_to_cancel(*booking)),
        Act::GoOn { pick, fault } => drop(world.0.advance(*pick, *fault)),
        Act::React { pick } => drop(world.0.react(*pick)),
        Act::ArriveLate => drop(world.0.arrive_late()),
        Act::Crash => world.0.crash(),
        Act::Toggle { service } => {
            if let Some(at) = stopped.iter().position(|stopped| stopped == service) {
                stopped.swap_remove(at);
                world.0.start(service);
            } else {
                stopped.push(service);
                world.0.stop(service);
            }
        }
    }
}

/// One approval that is not refunded for each booking that stands, and none for any other.
fn check_payments(world: &World) {
    let payments = world.payments();
    for booking in world.kind::<Booking>().streams() {
        let count =
            |wanted| payments.iter().filter(|(id, status)| *id == booking.number.get() && *status == wanted).count();
        let standing = count(PaymentStatus::PayApproved).checked_sub(count(PaymentStatus::PayCanceled));
        let stands = usize::from(booking.state.item().is_some());
        assert_eq!(standing, Some(stands), "booking {} and its payments {payments:?}", booking.number);
        assert!(booking.state.resume().is_empty(), "a step is still open");
    }
}

/// A room has one guest on a date, and a date that is taken has a guest.
fn check_dates(world: &World) {
    let standing = world.kind().items(|booking: &Booking, _| booking.item());
    for room in 1..=2 {
        let mut dates: Vec<_> = standing
            .iter()
            .filter(|item| item.details.room_id == Some(room))
            .map(|item| item.details.usedate)
            .collect();
        let taken = world.kind::<Calendar>().keyed(&Calendar::of(room)).map_or(0, |calendar| {
            assert!(calendar.state.resume().is_empty(), "a booking is still on its way");
            assert!(dates.iter().all(|usedate| calendar.state.is_taken(usedate.unwrap())));
            calendar.state.taken()
        });
        assert_eq!(taken, dates.len(), "room {room}");
        dates.sort();
        dates.dedup();
        assert_eq!(taken, dates.len(), "room {room} has two guests on a date");
    }
}

/// Guest and host are told of each payment, booking, cancellation and refund of a booking that was seen, and
/// the page shows how it ended.
fn check_what_people_read(world: &World) {
    let mut expected = 0;
    for booking in world.kind::<Booking>().streams() {
        let seen = |wanted: &str| booking.events.iter().any(|event| event.event.name() == wanted);
        let (was_booked, was_canceled) = (seen("Booked"), seen("BookCanceled"));
        expected += 4 * usize::from(was_booked) + 4 * usize::from(was_canceled);
        let status = world.page(booking.number.get()).map(|row| row.status);
        let wanted = if was_canceled { MypageStatus::PayCanceled } else { MypageStatus::Booked };
        assert_eq!(status, was_booked.then_some(wanted), "booking {}", booking.number);
    }
    assert_eq!(world.alarms().len(), expected);
    assert!(world.0.dead_letters().is_empty(), "{:?}", world.0.dead_letters());
    assert_eq!(world.0.rows::<OccupiedDates>().listed().count(), world.kind().items(|b: &Booking, _| b.item()).len());
}

proptest! {
    #[test]
    fn stay_d8_d10_a_booking_stands_exactly_when_one_approval_does(acts in vec(act(), 1..80)) {
        let mut world = World::new();
        let mut stopped = Vec::new();
        for act in &acts {
            perform(&mut world, act, &mut stopped);
        }
        for service in stopped {
            world.0.start(service);
        }
        world.settle();
        check_payments(&world);
        check_dates(&world);
        check_what_people_read(&world);
    }
}

#[test]
fn stay_d10_a_lost_late_or_interrupted_answer_never_leaves_half_a_booking() {
    for opening in Fault::ALL {
        for paying in Fault::ALL {
            for void_first in [false, true] {
                let mut world = World::new();
                let told = world.book(1, "배트맨", DATES[0], &[opening, paying]);
                assert!(matches!(told, Told::Done | Told::NotDone), "{opening:?} {paying:?}: {told:?}");
                while void_first && world.0.react(0) {}
                world.settle();
                check_payments(&world);
                check_dates(&world);
                check_what_people_read(&world);
                let stands = world.kind().items(|booking: &Booking, _| booking.item()).len();
                assert_eq!(stands == 1, told == Told::Done, "{opening:?} {paying:?}: what the guest is told is so");
            }
        }
    }
}
