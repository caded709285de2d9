//! One room and one date belong to one guest, whoever asks at once and whatever happens to the process.

use std::{sync::Barrier, thread};

use serde_json::Value;

use super::{book, booking, cancel, one_approval_for_each_booking, quiet, room, rows, setup, stay};
use crate::common::{Client, Server};

const RACERS: usize = 64;

/// All at once: what each was answered.
fn race(client: &Client, room: u64, usedate: &str) -> Vec<u16> {
    let start = Barrier::new(RACERS);
    thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|nth| {
                let (start, client) = (&start, client.clone());
                let request = booking(room, &format!("guest {nth}"), usedate);
                scope.spawn(move || {
                    let mut connection = client.connect().unwrap();
                    start.wait();
                    connection.try_send(&request).unwrap().status
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

#[track_caller]
fn one_of_them_wins(server: &Server) {
    let client = server.client();
    room(&client, "펜션", 1000);
    let places = [(1, "20201010"), (1, "20201011"), (2, "20201010"), (3, "20201012")];
    for (won, (room, usedate)) in (1..).zip(places) {
        let mut told = race(&client, room, usedate);
        told.sort_unstable();
        let expected: Vec<u16> = [201].into_iter().chain([409; RACERS - 1]).collect();
        assert_eq!(told, expected, "room {room} on {usedate}");
        assert_eq!(rows(&client, "payments", "").len(), won, "exactly one approval");
    }
    quiet(server);
    one_approval_for_each_booking(&client);
    assert_eq!(rows(&client, "mypages", "").len(), places.len());
    assert_eq!(rows(&client, "alarms", "").len(), 4 * places.len());
    let ids: Vec<_> = rows(&client, "bookings", "").iter().map(|row| row["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 4], "who is refused takes no number");
}

#[test]
fn stay_d8_of_64_that_want_one_room_and_date_one_gets_it_and_pays_on_segments() {
    one_of_them_wins(&stay());
}

#[test]
fn stay_d8_of_64_that_want_one_room_and_date_one_gets_it_and_pays_in_memory() {
    one_of_them_wins(&super::with_hotel(setup().flag("--journal=memory").start()));
}

#[test]
fn stay_d8_64_that_want_a_room_on_different_dates_all_get_it() {
    let server = stay();
    let client = server.client();
    thread::scope(|scope| {
        for nth in 0..RACERS {
            let client = client.clone();
            let usedate = format!("2020{:02}{:02}", nth / 28 + 1, nth % 28 + 1);
            scope.spawn(move || book(&client, 1, "배트맨", &usedate).is(201));
        }
    });
    quiet(&server);
    assert_eq!(rows(&client, "bookings", "").len(), RACERS);
    one_approval_for_each_booking(&client);
}

#[test]
fn stay_d8_who_cancels_and_who_books_the_same_date_never_meet() {
    let server = stay();
    let client = server.client();
    let mut booking = book(&client, 1, "guest 0", "20201010").created();
    for nth in 1..=20 {
        cancel(&client, booking).is(204);
        booking = book(&client, 1, &format!("guest {nth}"), "20201010").created();
    }
    quiet(&server);
    one_approval_for_each_booking(&client);
    assert_eq!(rows(&client, "payments", "").len(), 20 * 2 + 1);
}

#[test]
fn stay_d8_d10_a_process_that_is_killed_while_guests_book_leaves_no_half_booking() {
    let mut server = stay();
    for round in 1..=3_u32 {
        let client = server.client();
        thread::scope(|scope| {
            for nth in 0..16_u32 {
                let client = client.clone();
                scope.spawn(move || {
                    for day in 1..=4 {
                        let request =
                            booking(1, &format!("guest {nth}"), &format!("20{round:02}{:02}{day:02}", nth % 8 + 1));
                        // Whoever hears nothing does not know: the books tell.
                        if client.try_send(&request).is_err() {
                            return;
                        }
                    }
                });
            }
            let enough = || rows(&client, "bookings", "").len();
            crate::common::eventually(super::SOON, "some bookings", || (enough() >= 8).then_some(()));
            server.kill();
        });
        server.start();
        quiet(&server);
        let client = server.client();
        one_approval_for_each_booking(&client);
        let taken = |row: &Value| (row["roomId"].clone(), row["usedate"].clone());
        let mut dates: Vec<_> =
            rows(&client, "bookings", "").iter().map(taken).map(|taken| format!("{taken:?}")).collect();
        let standing = dates.len();
        dates.sort();
        dates.dedup();
        assert_eq!(dates.len(), standing, "two guests on one date");
        let listed = rows(&client, "mypages", "").iter().filter(|row| row["status"] == "Booked").count();
        assert_eq!(listed, standing);
        for row in rows(&client, "bookings", "") {
            book(&client, 1, "late", row["usedate"].as_str().unwrap()).is(409);
        }
    }
}
