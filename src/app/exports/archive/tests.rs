//! Archives as others read them, and readers who do not.

use std::fs::File;
use std::process::Command;

use serde_json::json;
use tokio::sync::mpsc::{self, Receiver};

use super::*;

const LONG: Duration = Duration::from_secs(20);

fn archive(piece: Duration, stop: CancellationToken) -> (Archive, Receiver<Piece>) {
    archive_for(
        Patience {
            piece,
            grace: LONG,
            pace: 0,
        },
        stop,
    )
}

fn archive_for(patience: Patience, stop: CancellationToken) -> (Archive, Receiver<Piece>) {
    let (out, pieces) = mpsc::channel(WAITING);
    let began = "2026-11-20T10:00:00Z".parse().unwrap();
    (Archive::new(out, stop, patience, began), pieces)
}

/// What a reader is given, and whether it was said to be complete.
async fn read(mut pieces: Receiver<Piece>) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    while let Some(piece) = pieces.recv().await {
        match piece {
            Piece::Bytes(bytes) => all.extend_from_slice(&bytes),
            Piece::End => return (all, true),
        }
    }
    (all, false)
}

async fn filled(archive: &mut Archive, rows: u64, sound: &[u8]) -> Result<(), Cut> {
    for row in 0..rows {
        archive
            .row(
                ExportKind::CallRecords,
                &json!({"row": row, "from": "../../etc/passwd\0\n"}),
            )
            .await?;
    }
    archive.begin_file("recordings/1.wav", sound.len() as u64).await?;
    archive.write(sound).await?;
    archive.end_file(sound.len() as u64).await?;
    archive.end_parts().await
}

#[tokio::test]
async fn a46_an_archive_is_a_tar_file_to_tar_and_to_python_with_the_digests_that_it_tells() {
    let (mut archive, pieces) = archive(LONG, CancellationToken::new());
    let reading = read(pieces);
    let writing = async {
        filled(&mut archive, MOST_ROWS * 2 + 1, &vec![7; 100_000])
            .await
            .unwrap();
        let last = archive
            .last("manifest.json", &json!({"end": true}))
            .await
            .unwrap();
        archive.end().await.unwrap().hand_over();
        (last, archive)
    };
    let ((bytes, complete), (last, archive)) = tokio::join!(reading, writing);
    assert!(complete);
    assert_eq!(bytes.len() as u64, archive.bytes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.tar");
    std::fs::write(&path, &bytes).unwrap();
    let names: Vec<&str> = archive.files.iter().map(|file| file.name.as_str()).collect();
    let parts = [
        "call_records/000001.jsonl",
        "call_records/000002.jsonl",
        "call_records/000003.jsonl",
    ];
    assert_eq!(names, parts);
    let listed = Command::new("tar").arg("-tf").arg(&path).output().unwrap();
    assert!(listed.status.success() && listed.stderr.is_empty(), "{listed:?}");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let expected = [parts[0], parts[1], "recordings/1.wav", parts[2], "manifest.json"];
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    let script = "import hashlib,sys,tarfile\n\
        for e in (t:=tarfile.open(sys.argv[1])): print(e.name, e.size, hashlib.sha256(t.extractfile(e).read()).hexdigest())";
    let python = Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .output()
        .unwrap();
    assert!(python.status.success(), "{python:?}");
    let python = String::from_utf8(python.stdout).unwrap();
    for file in &archive.files {
        let line = format!("{} {} {}", file.name, file.bytes, file.sha256);
        assert!(python.lines().any(|found| found == line), "{line}: {python}");
    }
    assert!(python.contains(&format!("manifest.json 17 {last}")), "{python}");
    assert_eq!(archive.kinds[&ExportKind::CallRecords].rows, MOST_ROWS * 2 + 1);
    // And to the library that it was made with, entry by entry.
    let mut tar = tar::Archive::new(File::open(&path).unwrap());
    for entry in tar.entries().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.header().mode().unwrap(), 0o600);
        assert_eq!(entry.header().entry_type(), EntryType::Regular);
    }
}

/// Wherever a piece ends, a whole last file is in nobody's hands before the end.
#[tokio::test]
async fn a46_nobody_has_the_whole_last_file_before_the_archive_is_said_to_be_complete() {
    // Two blocks, to the last byte.
    let manifest = json!({"end": "x".repeat(1009)});
    assert_eq!(serde_json::to_vec_pretty(&manifest).unwrap().len(), 1024);
    // Before and behind the end of a piece, at each block of the last file.
    for blocks in 0..6 {
        let (mut archive, mut pieces) = archive(LONG, CancellationToken::new());
        let sound = PIECE - 512 * (1 + blocks);
        archive
            .begin_file("recordings/1.wav", sound as u64)
            .await
            .unwrap();
        archive.write(&vec![7; sound]).await.unwrap();
        archive.last("manifest.json", &manifest).await.unwrap();
        let mut early = Vec::new();
        while let Ok(Piece::Bytes(bytes)) = pieces.try_recv() {
            early.extend_from_slice(&bytes);
        }
        assert!(!String::from_utf8_lossy(&early).contains("x\"\n}"), "{blocks}");
        archive.end().await.unwrap().hand_over();
        let (late, complete) = read(pieces).await;
        assert!(complete);
        early.extend_from_slice(&late);
        assert_eq!(early.len() as u64, archive.bytes);
        let mut files = tar::Archive::new(early.as_slice());
        let names: Vec<_> = files
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().into_owned())
            .collect();
        assert_eq!(names.len(), 2);
    }
}

#[tokio::test]
async fn a46_a_part_ends_with_its_bytes_too() {
    let (mut archive, pieces) = archive(LONG, CancellationToken::new());
    let text = "x".repeat(MOST_BYTES / 3);
    let writing = async {
        for _ in 0..7 {
            archive.row(ExportKind::Tickets, &text).await.unwrap();
        }
        archive.end_parts().await.unwrap();
        let ending = archive.end().await.unwrap();
        ending.hand_over();
        archive.files.iter().map(|file| file.rows).collect::<Vec<_>>()
    };
    let ((_, complete), rows) = tokio::join!(read(pieces), writing);
    assert!(complete);
    assert_eq!(rows, [3, 3, 1]);
}

#[tokio::test]
async fn a46_who_goes_away_or_takes_nothing_or_is_stopped_ends_the_archive_without_its_end() {
    let sound = vec![7; PIECE * (WAITING + 3)];
    let (mut gone, pieces) = archive(LONG, CancellationToken::new());
    drop(pieces);
    assert!(gone.check().is_err());
    let cut = filled(&mut gone, 1, &sound).await.unwrap_err();
    assert_eq!(cut.why(), ExportCut::ReaderGone);

    let (mut slow, pieces) = archive(Duration::from_millis(20), CancellationToken::new());
    let cut = filled(&mut slow, 1, &sound).await.unwrap_err();
    assert_eq!(cut.why(), ExportCut::ReaderSlow);
    drop(slow);
    let (bytes, complete) = read(pieces).await;
    assert_eq!((bytes.len(), complete), (PIECE * WAITING, false));

    let stop = CancellationToken::new();
    let (mut stopped, pieces) = archive(LONG, stop.clone());
    filled(&mut stopped, 1, &[7; 10]).await.unwrap();
    stop.cancel();
    assert!(stopped.check().is_err());
    let cut = filled(&mut stopped, 1, &sound).await.unwrap_err();
    assert_eq!(cut.why(), ExportCut::Stopped);
    drop(stopped);
    assert!(!read(pieces).await.1);
}

#[tokio::test]
async fn a46_a_reader_who_takes_too_little_for_long_is_given_up_and_neither_a_faster_nor_a_new_one() {
    const SHORT: Duration = Duration::from_millis(20);
    // Bytes for each second: no reader takes the one, and each the other.
    for (grace, pace, is_slow) in [
        (SHORT, u64::MAX, true),
        (SHORT, 1, false),
        (LONG * 100, u64::MAX, false),
    ] {
        let patience = Patience {
            piece: LONG,
            grace,
            pace,
        };
        let (mut archive, mut pieces) = archive_for(patience, CancellationToken::new());
        let reading = async {
            while pieces.recv().await.is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let writing = async {
            let written = filled(&mut archive, 1, &vec![7; PIECE * 20]).await;
            drop(archive);
            written
        };
        let ((), written) = tokio::join!(reading, writing);
        let why = written.err().map(|cut| cut.why());
        assert_eq!(why, is_slow.then_some(ExportCut::ReaderSlow), "{pace}");
    }
}

#[tokio::test]
async fn a46_a_reader_is_given_a_byte_now_and_then_while_nothing_is_written_wherever_a_piece_ends() {
    for size in [1, PIECE - 512, PIECE] {
        let (mut archive, mut pieces) = archive(LONG, CancellationToken::new());
        archive.begin_file("recordings/1.wav", size as u64).await.unwrap();
        archive.write(&vec![7; size]).await.unwrap();
        archive.end_file(size as u64).await.unwrap();
        let mut all = Vec::new();
        let mut given = |all: &mut Vec<u8>| {
            let mut count = 0;
            while let Ok(Piece::Bytes(bytes)) = pieces.try_recv() {
                count += bytes.len();
                all.extend_from_slice(&bytes);
            }
            count
        };
        given(&mut all);
        archive.check().unwrap();
        assert_eq!(given(&mut all), 0, "not each time");
        for _ in 0..3 {
            archive.handed -= SILENCE;
            archive.check().unwrap();
            archive.check().unwrap();
            assert_eq!(given(&mut all), 1, "{size}");
        }
        // Where it has not taken what there is, it needs no more.
        for _ in 0..WAITING + 2 {
            archive.handed -= SILENCE;
            archive.check().unwrap();
        }
        assert_eq!(given(&mut all), WAITING);
        archive
            .last("manifest.json", &json!({"end": true}))
            .await
            .unwrap();
        archive.end().await.unwrap().hand_over();
        let (late, complete) = read(pieces).await;
        all.extend_from_slice(&late);
        assert!(complete);
        assert_eq!(all.len() as u64, archive.bytes);
        let mut files = tar::Archive::new(all.as_slice());
        assert_eq!(files.entries().unwrap().map(Result::unwrap).count(), 2);
    }
}
