//! What was said in a message is opened, and nothing that another one said, wherever Asterisk moves them.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::domain::recording::SoundFormat;

impl Bench {
    fn sound(&self, id: &str) -> io::Result<Option<(String, Option<SoundFormat>)>> {
        let opened = self
            .spool()
            .sound(&domain(), &"1001".parse().unwrap(), &id.parse().unwrap())?;
        Ok(opened.map(|mut opened| {
            let mut words = String::new();
            opened.file.read_to_string(&mut words).unwrap();
            assert_eq!(words.len() as u64, opened.length);
            (words, opened.format)
        }))
    }
}

#[test]
fn a46_what_was_said_is_opened_of_that_message_and_nothing_else_is() {
    let bench = Bench::new();
    for number in 0..5 {
        bench.leave("1001", "INBOX", number);
    }
    let folder = bench.folder("1001", "INBOX");
    let wav = Some(SoundFormat::Wav);
    for (name, words) in [
        ("0000.wav", "A"),
        ("0000.gsm", "a"),
        ("0000.WAV", "aa"),
        ("0001.WAV", "B"),
        ("0002.gsm", "C"),
    ] {
        fs::write(folder.join(format!("msg{name}")), words).unwrap();
    }
    for number in 1..4 {
        fs::remove_file(folder.join(format!("msg000{number}.wav"))).unwrap();
    }
    let outside = bench.directory.path().join("secret");
    fs::write(&outside, "secret").unwrap();
    symlink(&outside, folder.join("msg0003.wav")).unwrap();
    fs::hard_link(&outside, folder.join("msg0003.gsm")).unwrap();
    assert_eq!(bench.sound(&id(0)).unwrap(), Some(("A".to_owned(), wav)));
    assert_eq!(bench.sound(&id(1)).unwrap(), Some(("B".to_owned(), wav)));
    assert_eq!(bench.sound(&id(2)).unwrap(), Some(("C".to_owned(), None)));
    assert_eq!(bench.sound(&id(3)).unwrap(), None);
    assert_eq!(bench.sound(&id(9)).unwrap(), None);
    // Wherever it is by then.
    for ending in ["WAV", "txt"] {
        let to = bench.folder("1001", "Old").join(format!("msg0000.{ending}"));
        fs::rename(folder.join(format!("msg0001.{ending}")), to).unwrap();
    }
    assert_eq!(bench.sound(&id(1)).unwrap(), Some(("B".to_owned(), wav)));
}

#[test]
fn a46_while_asterisk_gives_messages_other_numbers_no_others_sound_is_opened() {
    const ROUNDS: usize = 3_000;
    let bench = Bench::new();
    let folder = bench.folder("1001", "INBOX");
    let put = |number: usize, message: usize| {
        fs::write(folder.join(format!("msg{number:04}.wav")), id(message)).unwrap();
        let text = format!("origtime=1\nmsg_id={}\n", id(message));
        fs::write(folder.join("msg"), text).unwrap();
        fs::rename(folder.join("msg"), folder.join(format!("msg{number:04}.txt"))).unwrap();
    };
    put(0, 0);
    put(1, 1);
    let mut opened = 0;
    thread::scope(|scope| {
        // The first one is deleted, the gap is closed, and another one is left.
        let asterisk = scope.spawn(|| {
            for message in 2..ROUNDS {
                for ending in ["wav", "txt"] {
                    fs::remove_file(folder.join(format!("msg0000.{ending}"))).unwrap();
                }
                for ending in ["wav", "txt"] {
                    let (from, to) = (format!("msg0001.{ending}"), format!("msg0000.{ending}"));
                    fs::rename(folder.join(from), folder.join(to)).unwrap();
                }
                put(1, message);
            }
        });
        while !asterisk.is_finished() {
            // Where they were moved each time that they were read, that is told, and they are read again.
            let content = bench.spool().content(&domain(), &"1001".parse().unwrap());
            for message in content.into_iter().flat_map(|content| content.messages) {
                let id = message.id.to_string();
                if let Ok(Some((words, _))) = bench.sound(&id) {
                    assert_eq!(words, id);
                    opened += 1;
                }
            }
        }
    });
    assert!(opened > 0);
}
