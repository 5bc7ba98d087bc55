use std::fs;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

#[derive(Debug, thiserror::Error)]
enum Bad {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("no number")]
    NoNumber,
    #[error("not valid yet")]
    Early,
}

/// The sum of the numbers in all files.
fn sum(contents: &[Contents]) -> Result<i64, Bad> {
    contents
        .iter()
        .map(|file| {
            let text = std::str::from_utf8(&file.bytes).map_err(|_| Bad::NoNumber)?;
            text.trim().parse::<i64>().map_err(|_| Bad::NoNumber)
        })
        .sum()
}

fn file(dir: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_valid_replacement_is_taken_and_an_invalid_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "number", "1");
    let watched = Watched::load("number", vec![Place::File(path.clone())], sum).unwrap();
    assert!(matches!(watched.look(), Look::Unchanged));

    fs::write(&path, "2").unwrap();
    assert!(matches!(watched.look(), Look::Replaced));
    assert_eq!(*watched.get(), 2);

    fs::write(&path, "two").unwrap();
    assert!(matches!(watched.look(), Look::Refused(Bad::NoNumber)));
    assert!(matches!(watched.look(), Look::Unchanged), "told once");
    assert_eq!(*watched.get(), 2);

    fs::remove_file(&path).unwrap();
    assert!(matches!(watched.look(), Look::Refused(Bad::Unreadable(_))));
    assert!(matches!(watched.look(), Look::Unchanged), "told once");
    fs::write(&path, "3").unwrap();
    assert!(matches!(watched.look(), Look::Replaced));
    assert_eq!(*watched.get(), 3);
}

#[test]
fn what_was_refused_is_taken_once_it_is_right_though_its_files_stay_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "number", "1");
    let clock = Arc::new(AtomicI64::new(0));
    let now = Arc::clone(&clock);
    // Numbers of the future are not valid yet.
    let valid = move |contents: &[Contents]| match sum(contents)? {
        early if early > 10 + now.load(Ordering::SeqCst) => Err(Bad::Early),
        number => Ok(number),
    };
    let watched = Watched::load("number", vec![Place::File(path.clone())], valid).unwrap();

    fs::write(&path, "11").unwrap();
    assert!(matches!(watched.look(), Look::Refused(Bad::Early)));
    assert!(matches!(watched.look(), Look::Unchanged), "told once");
    fs::write(&path, "12").unwrap();
    assert!(
        matches!(watched.look(), Look::Unchanged),
        "the same reason is no news"
    );
    fs::write(&path, "twelve").unwrap();
    assert!(matches!(watched.look(), Look::Refused(Bad::NoNumber)));
    fs::write(&path, "12").unwrap();
    assert!(matches!(watched.look(), Look::Refused(Bad::Early)));
    assert_eq!(*watched.get(), 1);

    clock.store(2, Ordering::SeqCst);
    assert!(matches!(watched.look(), Look::Replaced));
    assert_eq!(*watched.get(), 12);

    // Back to what is in use: nothing is refused any more, and the next mistake is news.
    fs::write(&path, "20").unwrap();
    assert!(matches!(watched.look(), Look::Refused(Bad::Early)));
    fs::write(&path, "12").unwrap();
    assert!(matches!(watched.look(), Look::Unchanged));
    fs::write(&path, "20").unwrap();
    assert!(matches!(watched.look(), Look::Refused(Bad::Early)));
}

#[test]
fn files_of_a_directory_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    file(&dir, "a.num", "1");
    file(&dir, "ignored.txt", "no number");
    let place = Place::Directory {
        path: dir.path().to_owned(),
        extension: "num",
    };
    let watched = Watched::load("numbers", vec![place], sum).unwrap();
    let second = file(&dir, "b.num", "10");
    assert!(matches!(watched.look(), Look::Replaced));
    assert_eq!(*watched.get(), 11);
    fs::remove_file(second).unwrap();
    assert!(matches!(watched.look(), Look::Replaced));
    assert_eq!(*watched.get(), 1);
}

#[test]
fn the_first_value_must_be_there_and_the_error_names_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let refused = Watched::load("number", vec![Place::File(missing)], sum).unwrap_err();
    assert!(refused.to_string().contains("missing cannot be read"));
    let large = file(&dir, "large", &"1".repeat(1024 * 1024 + 1));
    let refused = Watched::load("number", vec![Place::File(large)], sum).unwrap_err();
    assert!(refused.to_string().contains("larger than 1 MiB"));
}

#[tokio::test]
async fn watching_takes_a_replacement_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "number", "1");
    let watched = Watched::load("number", vec![Place::File(path.clone())], sum).unwrap();
    let watching = tokio::spawn(watched.clone().watch());
    fs::write(&path, "2").unwrap();
    let taken = async {
        while *watched.get() != 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(10 * LOOK_EVERY, taken).await.unwrap();
    watching.abort();
}
