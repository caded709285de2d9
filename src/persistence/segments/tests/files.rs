use super::*;

#[test]
fn a_full_segment_is_followed_by_another_and_both_are_read() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 100);
    assert!(segment::list(&config(dir.path()).dir).unwrap().len() > 3);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert_eq!(events(&journal), 100);
    let of_stream = journal.read_stream(&sample::stream("1"), 0, usize::MAX).unwrap();
    assert_eq!(of_stream.len(), 33);
    // Pages of a stream begin with the oldest.
    assert_eq!(journal.read_stream(&sample::stream("1"), 3, 5).unwrap(), of_stream[3..8]);
    write(&journal, "1");
    assert_eq!(events(&journal), 101);
}

#[test]
fn a_record_longer_than_a_segment_gets_a_segment_of_its_length() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    let stream = sample::stream("1");
    let lease = journal.lease(stream.partition(2));
    let long = vec![sample::event(vec![7; 100_000])];
    let append = Append { events: long, ..sample::append(&stream, lease, 0, 1) };
    let (sender, receiver) = channel();
    journal.append(append.clone(), Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap().unwrap();
    write(&journal, "2");
    journal.close();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert_eq!(journal.read_stream(&stream, 0, 9).unwrap()[0].append, append);
    assert_eq!(events(&journal), 2);
}

/// A feed goes from mark to mark; here it has many in one segment, with other partitions' records between.
#[test]
fn a_partition_is_read_across_many_marks() {
    let dir = tempfile::tempdir().unwrap();
    let config = SegmentsConfig { segment_bytes: 4 << 20, ..config(dir.path()) };
    let journal = SegmentsJournal::open(&config).unwrap();
    let told: Vec<_> = (0..4000).map(|n| hand_over(&journal, &n.to_string(), 0)).collect();
    for told in told {
        told.recv().unwrap().unwrap();
    }
    for n in 4000..4100 {
        write(&journal, &n.to_string());
    }
    for partition in [0, 1].map(PartitionId) {
        let whole = journal.read_feed(partition, 0, usize::MAX).unwrap();
        assert_eq!(whole.last().map(Record::last_offset), Some(journal.durable(partition)));
        for after in (0..journal.durable(partition)).step_by(97) {
            let page = journal.read_feed(partition, after, 10).unwrap();
            assert!(page.iter().map(|record| record.offset).eq(after + 1..=journal.durable(partition).min(after + 10)));
        }
    }
    let index = read(&journal.run().shared.index).clone();
    journal.close();
    drop(journal);
    fs::remove_file(config.dir.join("heads")).unwrap();
    let journal = SegmentsJournal::open(&config).unwrap();
    assert_eq!(*read(&journal.run().shared.index), index, "recovery finds what the writer kept");
}

#[test]
fn the_epoch_grows_with_each_opening_even_without_its_file() {
    let dir = tempfile::tempdir().unwrap();
    for epoch in 1..=3 {
        let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
        assert_eq!(journal.epoch(), epoch);
    }
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    write(&journal, "1");
    drop(journal);
    fs::remove_file(config(dir.path()).dir.join("epoch")).unwrap();
    assert_eq!(SegmentsJournal::open(&config(dir.path())).unwrap().epoch(), 5);
}

#[test]
fn a_segment_whose_making_was_cut_short_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 2);
    let unfinished = config(dir.path()).dir.join("0000000002.seg.new");
    fs::write(&unfinished, b"half").unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert!(!unfinished.exists());
    assert_eq!(events(&journal), 2);
}

#[test]
fn a_new_segment_without_a_frame_is_written_on() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 2);
    let id = SegmentHeader::decode(&fs::read(segment::path(&config(dir.path()).dir, 1)).unwrap()).unwrap().id;
    let header = SegmentHeader { segment: 2, partitions: 2, id, first_frame: 3 };
    segment::create(&config(dir.path()).dir, header, SMALL, &[]).unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    write(&journal, "9");
    drop(journal);
    assert_eq!(frames(&segment::path(&config(dir.path()).dir, 2)).0.len(), 1);
    assert_eq!(events(&SegmentsJournal::open(&config(dir.path())).unwrap()), 3);
}

/// Each page began with a walk over everything behind it.
#[test]
fn pages_of_a_long_stream_do_not_walk_all_of_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = SegmentsConfig { segment_bytes: 1 << 20, ..config(dir.path()) };
    let journal = SegmentsJournal::open(&config).unwrap();
    let told: Vec<_> = (0..3000).map(|n| hand_over(&journal, "1", n)).collect();
    for told in told {
        told.recv().unwrap().unwrap();
    }
    let stream = sample::stream("1");
    let mut read = 0;
    while read < 3000 {
        let page = journal.read_stream(&stream, read, 100).unwrap();
        assert!(page.iter().map(Record::last_sequence).eq(read + 1..=read + 100));
        read += 100;
        write(&journal, "1");
    }
    let walked = journal.run().reader.walked.load(Ordering::Relaxed);
    assert!(walked < 3000 + 30 * (100 + 3 * 64), "{walked} records were walked for 30 pages");
}

/// Its neighbours' records are neither read nor decoded: a record names the place of its stream's record before it.
#[test]
fn the_tail_of_a_stream_is_read_without_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let config = SegmentsConfig { segment_bytes: 4 << 20, ..config(dir.path()) };
    let journal = SegmentsJournal::open(&config).unwrap();
    let told: Vec<_> = (0..4000).map(|n| hand_over(&journal, &(n % 400).to_string(), n / 400)).collect();
    for told in told {
        told.recv().unwrap().unwrap();
    }
    for after in 0..10 {
        let before = journal.run().reader.walked.load(Ordering::Relaxed);
        let tail = journal.read_stream(&sample::stream("77"), after, usize::MAX).unwrap();
        assert!(tail.iter().map(Record::last_sequence).eq(after + 1..=10));
        assert_eq!(journal.run().reader.walked.load(Ordering::Relaxed) - before, 10 - after);
    }
}

/// Neither are those of other partitions when a page of one is read: they are passed over, unchecked.
#[test]
fn a_page_of_a_partition_is_read_without_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let config = SegmentsConfig { segment_bytes: 4 << 20, ..config(dir.path()) };
    let journal = SegmentsJournal::open(&config).unwrap();
    let told: Vec<_> = (0..4000).map(|n| hand_over(&journal, &(n % 400).to_string(), n / 400)).collect();
    for told in told {
        told.recv().unwrap().unwrap();
    }
    let checked = || journal.run().reader.checked.load(Ordering::Relaxed);
    let mut all = 0;
    for partition in [0, 1].map(PartitionId) {
        let before = checked();
        let read = journal.read_feed(partition, 0, usize::MAX).unwrap().len() as u64;
        assert_eq!(checked() - before, read);
        all += read;
    }
    assert_eq!(all, 4000);
}

/// Whoever looks through all heads may use the journal meanwhile, and nobody waits.
#[test]
fn heads_are_shown_while_the_journal_is_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    for n in 0..10 {
        write(&journal, &n.to_string());
    }
    let mut seen = Vec::new();
    journal.heads(&mut |stream, head| {
        write(&journal, &stream.key);
        assert_eq!(journal.head(stream).unwrap().sequence, head.sequence + 1);
        seen.push(stream.key.to_string());
    });
    seen.sort();
    assert_eq!(seen, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn groups_are_counted_with_their_size_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    for n in 0..10 {
        write(&journal, &n.to_string());
    }
    let metrics = journal.metrics();
    assert_eq!((metrics.appends, metrics.group_sizes.count, metrics.group_sizes.sum), (10, 10, 10));
    assert_eq!((metrics.group_micros.count, metrics.waiting), (10, 0));
    assert!(metrics.bytes > 1000 && metrics.group_micros.sum > 0);
}
