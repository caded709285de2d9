//! The disks bite: programs that do not sync lose what they wrote, and one that writes too much is told so.

use std::{fs, path::Path, process::Command};

use crate::disk::{Budget, Disk, Environment, Lost, Unsynced};

/// Runs a line of shell in the disk's directory; whether it went well.
fn sh(root: &Path, environment: Environment, line: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(root).envs(environment);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("disk.c") && !said.contains("ld.so"), "{line}: {said}");
    output.status.success()
}

fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_power_cut_takes_what_was_not_synced_bytes_and_names() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(directory.path()) else { return };
    let root = disk.root.clone();
    let run = |line: &str| assert!(sh(&root, disk.environment(), line), "{line}");
    let cut = || disk.cut_power(Unsynced::Gone);

    run("echo nothing > plain; mkdir empty");
    assert_eq!(cut(), Lost { names: 2, ..Lost::default() });
    assert_eq!(names(&root), [""; 0], "no file, no directory");

    run("echo bytes | dd of=named conv=fsync");
    cut();
    assert_eq!(names(&root), [""; 0], "the file was synced, and its name was not");

    run("echo bytes > named; sync .");
    cut();
    assert_eq!(fs::read(root.join("named")).unwrap(), b"", "the name was synced, and the file was not");

    run("echo bytes | dd of=named conv=fsync,notrunc");
    assert_eq!(cut(), Lost::default());
    assert_eq!(fs::read(root.join("named")).unwrap(), b"bytes\n");

    run("printf BY | dd of=named conv=notrunc; echo more >> named");
    assert_eq!(fs::read(root.join("named")).unwrap(), b"BYtes\nmore\n");
    assert!(cut().bytes > 0);
    assert_eq!(fs::read(root.join("named")).unwrap(), b"bytes\n", "written, and not synced");

    run("mv named moved; mkdir sub; echo x > sub/within; sync sub/within; sync .");
    cut();
    assert_eq!(names(&root), ["moved", "sub"], "the new name was synced");
    assert_eq!(names(&root.join("sub")), [""; 0], "what stands in a directory is the directory's own");

    run("rm moved; rmdir sub");
    cut();
    assert_eq!(names(&root), ["moved", "sub"], "nobody synced that they are gone");
    run("rm moved; sync .; echo again > moved; sync moved");
    cut();
    assert_eq!(names(&root), ["sub"]);
}

#[test]
fn by_chance_some_of_what_was_not_synced_is_there_and_all_of_what_was() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(directory.path()) else { return };
    let root = disk.root.clone();
    let run = |line: &str| assert!(sh(&root, disk.environment(), line), "{line}");
    let mut rng = fastrand::Rng::with_seed(7);
    run("tr '\\0' s < /dev/zero | dd of=file bs=4096 count=32 iflag=fullblock conv=fsync; sync .");
    run("tr '\\0' u < /dev/zero | dd of=file bs=4096 seek=16 count=16 iflag=fullblock conv=notrunc");
    let lost = disk.cut_power(Unsynced::Chance(&mut rng));
    let bytes = fs::read(root.join("file")).unwrap();
    assert!(bytes[..16 * 4096].iter().all(|byte| *byte == b's'), "what was synced is there");
    let survived: Vec<bool> = bytes[16 * 4096..].chunks(512).map(|sector| sector[0] == b'u').collect();
    assert_eq!(survived.iter().filter(|survived| **survived).count() as u64, lost.survivors);
    assert!(lost.survivors > 20 && lost.bytes > 20 * 512, "{lost:?}");
    assert!(survived.windows(2).any(|pair| pair == [false, true]), "a later sector without an earlier one");
}

#[test]
fn a_budget_ends_writes_and_is_given_back_by_removals() {
    let directory = tempfile::tempdir().unwrap();
    let Some(budget) = Budget::new(directory.path()) else { return };
    let run = |line: &str| sh(&budget.root, budget.environment(), line);
    budget.set(64 << 10);
    assert!(run("dd if=/dev/zero of=first bs=4096 count=8"));
    assert!(!run("dd if=/dev/zero of=second bs=4096 count=9"));
    assert!(budget.refused() > 0);
    assert_eq!(fs::metadata(budget.root.join("second")).unwrap().len(), 32 << 10, "as much as there was room for");
    assert!(run("dd if=/dev/zero of=first bs=4096 count=8 conv=notrunc"), "what does not grow needs no room");
    assert!(run("rm second && dd if=/dev/zero of=third bs=4096 count=8"));
    assert!(!run("fallocate -l 4096 more || truncate -s 4096 more"));
    assert_eq!(budget.used(), 64 << 10);
    budget.set(1 << 20);
    assert!(run("dd if=/dev/zero of=second bs=4096 count=9"));
}
