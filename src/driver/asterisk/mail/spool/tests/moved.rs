//! Messages that are given other numbers, or put elsewhere, while they are read.

use std::fs;

use super::*;

#[test]
fn a20_one_that_is_moved_while_a_box_is_read_has_not_gone() {
    const LAST: usize = 299;
    let bench = Bench::new();
    // They take some time to read.
    for number in (0..LAST).step_by(2) {
        bench.leave("1001", "INBOX", number);
    }
    bench.leave("1001", "INBOX", LAST);
    let folder = bench.folder("1001", "INBOX");
    let moved = id(LAST);
    let mut found = 0;
    thread::scope(|scope| {
        // It moves past those that are there, step by step, with a rest now and then.
        let asterisk = scope.spawn(|| {
            for number in (2..=LAST).rev().step_by(2) {
                for ending in ["wav", "txt"] {
                    let name = |number: usize| folder.join(format!("msg{number:04}.{ending}"));
                    fs::rename(name(number), name(number - 2)).unwrap();
                }
                let rest = if number % 8 == 1 { 40 } else { 1 };
                thread::sleep(Duration::from_millis(rest));
            }
        });
        let mut is_over = false;
        while !is_over {
            is_over = asterisk.is_finished();
            let mailbox = "1001".parse().unwrap();
            match bench.spool().find(&domain(), &mailbox, &moved.parse().unwrap()) {
                Ok(there) => {
                    assert_eq!(there.placed.len(), 1);
                    found += 1;
                }
                Err(error) => assert_eq!(error.to_string(), MOVED),
            }
        }
    });
    assert!(found > 0);
    assert!(bench.unlink(&moved).unwrap());
    assert!(!bench.found("1001").iter().any(|(_, id)| *id == moved));
}

#[test]
fn a20_a_text_that_is_being_written_is_read_once_it_is() {
    let bench = Bench::new();
    bench.leave("1001", "INBOX", 0);
    let directory = File::open(bench.folder("1001", "")).unwrap();
    let read = |is_last| settled(&directory, &"1001".parse().unwrap(), is_last).unwrap();
    assert_eq!(read(false).unwrap().len(), 1);
    fs::write(bench.folder("1001", "INBOX").join("msg0000.txt"), "").unwrap();
    assert!(read(false).is_none());
    // One that stays empty is a message all the same.
    assert_eq!(read(true).unwrap().len(), 1);
    assert_eq!(bench.found("1001").len(), 1);
}

#[test]
fn a20_a_message_that_lies_in_a_box_twice_is_one_and_goes_from_both_places() {
    let bench = Bench::new();
    bench.leave("1001", "INBOX", 0);
    bench.leave("1001", "INBOX", 1);
    let (from, to) = (bench.folder("1001", "INBOX"), bench.folder("1001", "Old"));
    for name in ["msg0001.txt", "msg0001.wav"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let content = bench
        .spool()
        .content(&domain(), &"1001".parse().unwrap())
        .unwrap();
    let [_, twin] = content.messages.as_slice() else {
        panic!("{content:?}");
    };
    assert_eq!((twin.folder, twin.bytes), (MailFolder::Inbox, 2 * (1000 + 85)));
    assert!(bench.unlink(&id(1)).unwrap());
    assert_eq!(bench.found("1001"), [(MailFolder::Inbox, id(0))]);
    assert!(bench.names("Old").is_empty());
}

#[test]
fn a20_one_that_is_given_another_number_before_the_folder_is_locked_is_looked_for_anew() {
    let bench = Bench::new();
    for number in 0..3 {
        bench.leave("1001", "INBOX", number);
    }
    let folder = bench.folder("1001", "INBOX");
    // Asterisk removes the first one.
    fs::write(folder.join(".lock"), "").unwrap();
    thread::scope(|scope| {
        let removal = scope.spawn(|| bench.unlink(&id(1)));
        for _ in 0..10_000 {
            if folder.join(".lock-switchyard").exists() {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        for number in 1..3 {
            for ending in ["wav", "txt"] {
                let name = |number: usize| folder.join(format!("msg{number:04}.{ending}"));
                fs::rename(name(number), name(number - 1)).unwrap();
            }
        }
        fs::remove_file(folder.join(".lock")).unwrap();
        assert!(removal.join().unwrap().unwrap());
    });
    assert_eq!(bench.names("INBOX"), ["msg0001.txt", "msg0001.wav"]);
    assert_eq!(bench.found("1001"), [(MailFolder::Inbox, id(2))]);
}

#[test]
fn a20_what_asterisk_keeps_of_deleted_messages_has_numbers_without_a_gap() {
    let bench = Bench::new();
    for number in [0, 1, 2, 3, 6] {
        bench.leave("1001", "Deleted", number);
    }
    let folder = bench.folder("1001", "Deleted");
    fs::write(folder.join("msg0003.gsm"), "the same").unwrap();
    fs::write(folder.join("msg00011.wav"), "another's").unwrap();
    for number in [0, 2] {
        assert!(bench.unlink(&id(number)).unwrap());
    }
    let left = [1, 3, 6].map(|number| (MailFolder::Deleted, id(number)));
    assert_eq!(bench.found("1001"), left);
    assert_eq!(
        bench.names("Deleted"),
        [
            "msg0000.txt",
            "msg0000.wav",
            "msg0001.gsm",
            "msg0001.txt",
            "msg0001.wav",
            "msg00011.wav",
            "msg0002.txt",
            "msg0002.wav"
        ]
    );
}
