//! One suite for every backend: what the ports promise, whoever keeps it.
//!
//! A backend is run through it by handing over how it is opened. Memory is the reference; a random history is compared
//! with a model that is simpler than both.

mod broken;
mod concurrency;
mod journal;
mod lines;
mod model;
mod rows;
mod tables;
mod truncation;

use std::sync::{Arc, mpsc};

use super::{
    Append, AppendError, Appended, Fault, Faults, Journal, MemoryStore, Projections, Snapshots, StreamId,
    faults::FaultyJournal,
    sample,
    segments::{SegmentsConfig, SegmentsJournal},
    sled::{
        SledConfig, SledStore,
        journal::{SledJournal, SledJournalConfig},
    },
    space::Room,
};

/// Opens the same data again and again; the opening before is gone by then.
pub(super) type Reopen<T> = Box<dyn FnMut() -> Arc<T>>;

/// Memory, its opening before being dropped or not.
fn memory() -> impl FnMut() -> Arc<MemoryStore> {
    let mut last: Option<Arc<MemoryStore>> = None;
    move || {
        let next = last.as_ref().map_or_else(|| MemoryStore::new(4), |store| store.reopen());
        Arc::clone(last.insert(Arc::new(next)))
    }
}

fn memory_journal() -> Reopen<dyn Journal> {
    let mut open = memory();
    Box::new(move || open())
}

/// Small segments, so that every test crosses some; heads are saved when an opening ends, and used by the next.
fn segments_journal() -> Reopen<dyn Journal> {
    let dir = tempfile::tempdir().unwrap();
    Box::new(move || {
        let config = SegmentsConfig {
            dir: dir.path().join("journal"),
            partitions: 4,
            segment_bytes: 8 << 10,
            queue: 8192,
            room: Room::endless(),
        };
        Arc::new(SegmentsJournal::open(&config).unwrap())
    })
}

fn sled_journal() -> Reopen<dyn Journal> {
    let dir = tempfile::tempdir().unwrap();
    Box::new(move || {
        let dir = dir.path().join("journal-sled");
        let config = SledJournalConfig { dir, partitions: 4, queue: 8192, cache_bytes: 1 << 20, room: Room::endless() };
        Arc::new(SledJournal::open(&config).unwrap())
    })
}

/// A journal whose third commit fails, and how its data is opened again.
pub(super) type Failing = (Arc<dyn Journal>, Reopen<dyn Journal>);

fn failing_memory() -> Failing {
    let memory = Arc::new(MemoryStore::new(4));
    let journal = FaultyJournal::new(memory.clone(), Faults::nth(3, Fault::Lose));
    (Arc::new(journal), Box::new(move || Arc::new(memory.reopen())))
}

fn failing_segments() -> Failing {
    let dir = tempfile::tempdir().unwrap();
    let config = SegmentsConfig {
        dir: dir.path().join("journal"),
        partitions: 4,
        segment_bytes: 8 << 10,
        queue: 8192,
        room: Room::endless(),
    };
    let journal = Arc::new(super::segments::tests::failing(&config, 2));
    (
        journal,
        Box::new(move || {
            Arc::new(
                SegmentsJournal::open(&SegmentsConfig { dir: dir.path().join("journal"), ..config.clone() }).unwrap(),
            )
        }),
    )
}

fn failing_sled() -> Failing {
    let dir = tempfile::tempdir().unwrap();
    let config = SledJournalConfig {
        dir: dir.path().join("journal-sled"),
        partitions: 4,
        queue: 8192,
        cache_bytes: 1 << 20,
        room: Room::endless(),
    };
    let journal = Arc::new(super::sled::journal::tests::failing(&config, 2));
    (
        journal,
        Box::new(move || {
            Arc::new(
                SledJournal::open(&SledJournalConfig { dir: dir.path().join("journal-sled"), ..config.clone() })
                    .unwrap(),
            )
        }),
    )
}

fn sled_store() -> impl FnMut() -> Arc<SledStore> {
    let dir = tempfile::tempdir().unwrap();
    move || Arc::new(SledStore::open(&SledConfig { dir: dir.path().join("sled"), cache_bytes: 1 << 20 }).unwrap())
}

fn memory_rows() -> Reopen<dyn Projections> {
    let mut open = memory();
    Box::new(move || open())
}

fn sled_rows() -> Reopen<dyn Projections> {
    let mut open = sled_store();
    Box::new(move || open())
}

/// Appends and waits for what became of it.
pub(super) fn wait(journal: &dyn Journal, append: Append) -> Result<Appended, AppendError> {
    let (sender, receiver) = mpsc::channel();
    journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap()
}

/// An append of one event under the journal's current lease.
pub(super) fn next(journal: &dyn Journal, stream: &StreamId, expected: u64, command: u128) -> Append {
    sample::append(stream, journal.lease(stream.partition(journal.partitions())), expected, command)
}

macro_rules! suite {
    ($($backend:ident: $open:expr => $module:ident [$($law:ident),* $(,)?];)*) => {
        $(mod $backend { $(#[test] fn $law() { super::$module::$law($open); })* })*
    };
}

suite! {
    memory_keeps_the_journals_contract: super::memory_journal() => journal [
        an_append_is_read_back_as_it_was, a_wrong_sequence_is_a_conflict_and_writes_nothing,
        the_last_append_again_is_a_duplicate, an_older_lease_is_fenced, an_older_incarnation_is_fenced,
        a_lease_of_another_partition_is_fenced, what_no_record_can_hold_is_refused,
        an_append_is_read_whole_or_not_at_all, reopening_shows_what_was_acknowledged, pages_have_no_gap_and_no_double,
        closing_answers_everything_and_then_refuses, a_new_epoch_begins_its_incarnations_anew,
        pipelined_appends_of_one_stream_build_on_each_other,
    ];
    segments_keep_the_journals_contract: super::segments_journal() => journal [
        an_append_is_read_back_as_it_was, a_wrong_sequence_is_a_conflict_and_writes_nothing,
        the_last_append_again_is_a_duplicate, an_older_lease_is_fenced, an_older_incarnation_is_fenced,
        a_lease_of_another_partition_is_fenced, what_no_record_can_hold_is_refused,
        an_append_is_read_whole_or_not_at_all, reopening_shows_what_was_acknowledged, pages_have_no_gap_and_no_double,
        closing_answers_everything_and_then_refuses, a_new_epoch_begins_its_incarnations_anew,
        pipelined_appends_of_one_stream_build_on_each_other,
    ];
    sled_keeps_the_journals_contract: super::sled_journal() => journal [
        an_append_is_read_back_as_it_was, a_wrong_sequence_is_a_conflict_and_writes_nothing,
        the_last_append_again_is_a_duplicate, an_older_lease_is_fenced, an_older_incarnation_is_fenced,
        a_lease_of_another_partition_is_fenced, what_no_record_can_hold_is_refused,
        an_append_is_read_whole_or_not_at_all, reopening_shows_what_was_acknowledged, pages_have_no_gap_and_no_double,
        closing_answers_everything_and_then_refuses, a_new_epoch_begins_its_incarnations_anew,
        pipelined_appends_of_one_stream_build_on_each_other,
    ];
    memory_under_many_writers: super::memory_journal() => concurrency [
        positions_are_dense_and_streams_in_order, nobody_reads_what_is_not_durable,
        a_reader_behind_the_writers_misses_nothing, the_same_append_from_many_threads_is_written_once,
        the_tail_is_handed_over_without_a_gap_and_without_a_double,
    ];
    segments_under_many_writers: super::segments_journal() => concurrency [
        positions_are_dense_and_streams_in_order, nobody_reads_what_is_not_durable,
        a_reader_behind_the_writers_misses_nothing, the_same_append_from_many_threads_is_written_once,
        the_tail_is_handed_over_without_a_gap_and_without_a_double,
    ];
    sled_under_many_writers: super::sled_journal() => concurrency [
        positions_are_dense_and_streams_in_order, nobody_reads_what_is_not_durable,
        a_reader_behind_the_writers_misses_nothing, the_same_append_from_many_threads_is_written_once,
        the_tail_is_handed_over_without_a_gap_and_without_a_double,
    ];
    memory_deletes_history: super::memory_journal() => truncation [
        what_is_old_is_deleted_and_all_else_goes_on, what_a_reader_has_not_dealt_with_is_kept,
        nothing_is_deleted_without_base_records, others_write_and_read_meanwhile,
    ];
    segments_delete_history: super::segments_journal() => truncation [
        what_is_old_is_deleted_and_all_else_goes_on, what_a_reader_has_not_dealt_with_is_kept,
        nothing_is_deleted_without_base_records, others_write_and_read_meanwhile,
    ];
    sled_deletes_history: super::sled_journal() => truncation [
        what_is_old_is_deleted_and_all_else_goes_on, what_a_reader_has_not_dealt_with_is_kept,
        nothing_is_deleted_without_base_records, others_write_and_read_meanwhile,
    ];
    memory_after_an_injected_error: super::failing_memory() => broken [it_is_poisoned_and_loses_nothing_that_it_acknowledged];
    memory_keeps_lines: super::memory_journal() => lines [behind_one_that_is_refused_nothing_of_its_line_is_written];
    memory_keeps_lines_after_an_error: super::failing_memory() => lines [behind_one_that_is_unknown_nothing_of_its_line_is_written];
    segments_after_an_injected_error: super::failing_segments() => broken [it_is_poisoned_and_loses_nothing_that_it_acknowledged];
    segments_keep_lines: super::segments_journal() => lines [behind_one_that_is_refused_nothing_of_its_line_is_written];
    segments_keep_lines_after_an_error: super::failing_segments() => lines [behind_one_that_is_unknown_nothing_of_its_line_is_written];
    sled_after_an_injected_error: super::failing_sled() => broken [it_is_poisoned_and_loses_nothing_that_it_acknowledged];
    sled_keeps_lines: super::sled_journal() => lines [behind_one_that_is_refused_nothing_of_its_line_is_written];
    sled_keeps_lines_after_an_error: super::failing_sled() => lines [behind_one_that_is_unknown_nothing_of_its_line_is_written];
    memory_equals_the_model: super::memory_journal => model [every_history_is_as_the_model_says];
    segments_equal_the_model: super::segments_journal => model [every_history_is_as_the_model_says];
    sled_equals_the_model: super::sled_journal => model [every_history_is_as_the_model_says];
    memory_has_the_rows_of_the_model: super::memory_rows => rows [rows_are_what_the_changes_made_them];
    memory_has_rows_for_readers: super::memory_rows() => rows [readers_miss_no_row_while_others_are_written];
    sled_has_the_rows_of_the_model: super::sled_rows => rows [rows_are_what_the_changes_made_them];
    sled_has_rows_for_readers: super::sled_rows() => rows [readers_miss_no_row_while_others_are_written];
    memory_keeps_the_snapshots_contract: { let mut open = super::memory(); Box::new(move || -> std::sync::Arc<dyn super::Snapshots> { open() }) } => tables [
        two_snapshots_are_kept_newest_first, a_big_snapshot_comes_back, a_snapshot_survives_reopening,
        too_many_snapshots_are_refused,
    ];
    sled_keeps_the_snapshots_contract: { let mut open = super::sled_store(); Box::new(move || -> std::sync::Arc<dyn super::Snapshots> { open() }) } => tables [
        two_snapshots_are_kept_newest_first, a_big_snapshot_comes_back, a_snapshot_survives_reopening,
        too_many_snapshots_are_refused,
    ];
    memory_keeps_the_projections_contract: super::memory_rows() => tables [
        rows_and_progress_come_back_together, a_scan_goes_by_key_prefix_and_page, rows_of_another_version_are_not_seen,
        clearing_a_view_leaves_the_others, a_deleted_row_is_gone, the_last_row_is_known, big_rows_come_back, too_many_rows_are_refused,
        rows_are_built_beside_those_in_use, rows_that_are_not_in_use_are_cleared_piece_by_piece,
    ];
    sled_keeps_the_projections_contract: super::sled_rows() => tables [
        rows_and_progress_come_back_together, a_scan_goes_by_key_prefix_and_page, rows_of_another_version_are_not_seen,
        clearing_a_view_leaves_the_others, a_deleted_row_is_gone, the_last_row_is_known, big_rows_come_back, too_many_rows_are_refused,
        rows_are_built_beside_those_in_use, rows_that_are_not_in_use_are_cleared_piece_by_piece,
    ];
}
