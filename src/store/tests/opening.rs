//! What is opened, and what is refused and left as it is.

use std::fs;

use super::*;
use crate::store::lock::beside;

#[tokio::test]
async fn an_orderly_end_leaves_one_file_and_the_lock() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, events(3)).await;
    assert!(place.files().contains("regwatch.db-wal"));
    let clone = store.clone();
    store.close().await;
    assert_eq!(place.files(), ["regwatch.db", "regwatch.db.lock"].map(str::to_owned).into());
    assert!(matches!(clone.commit(Arc::new(vec![one_event()])).await, Err(StoreError::Unusable { .. })));
    assert_eq!(numbers(&place.open().await).await, [1, 2, 3], "a clone that lives on holds nothing");
}

#[tokio::test]
async fn a_second_daemon_is_told_who_holds_the_file() {
    let place = Place::new();
    let store = place.open().await;
    let link = place.folder.path().join("link.db");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    for path in [place.path(), &link] {
        let settings = config::Store { path: Some(path.to_owned()), ..place.settings.clone() };
        let error = Store::open(&settings).await.expect_err("it is in use");
        let OpenError::InUse { holder, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*holder, Some(std::process::id()));
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    }
    drop(store);
    place.open().await;
}

#[tokio::test]
async fn a_reader_needs_no_lock_and_leaves_nothing_behind() {
    let place = Place::new();
    let missing = Store::open_to_read(&place.settings).await.expect_err("there is none");
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing:?}");
    assert_eq!(place.files().len(), 0);

    let store = place.open().await;
    append(&store, events(2)).await;
    let beside = Store::open_to_read(&place.settings).await.unwrap();
    append(&store, events(1)).await;
    assert_eq!(numbers(&beside).await, [1, 2, 3], "what a daemon writes meanwhile");
    beside.close().await;
    store.close().await;

    let before = fs::read(place.path()).unwrap();
    let alone = Store::open_to_read(&place.settings).await.unwrap();
    assert_eq!(*alone.latest().borrow(), 3);
    assert_eq!(numbers(&alone).await, [1, 2, 3]);
    assert!(alone.commit(Arc::new(vec![one_event()])).await.is_err());
    assert!(alone.cursor("new").await.is_err());
    alone.close().await;
    assert_eq!(place.files(), ["regwatch.db", "regwatch.db.lock"].map(str::to_owned).into());
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn what_a_killed_daemon_left_is_taken_up() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, events(5)).await;
    store.cursor("hook").await.unwrap();
    store.advance("hook", 7, &[], None).await.unwrap();
    let killed = Place::new();
    for suffix in ["", "-wal"] {
        fs::copy(beside(place.path(), suffix), beside(killed.path(), suffix)).unwrap();
    }
    let reader = Store::open_to_read(&killed.settings).await.unwrap();
    assert_eq!(numbers(&reader).await, [1, 2, 3, 4, 5]);
    reader.close().await;
    let again = killed.open().await;
    assert_eq!(numbers(&again).await, [1, 2, 3, 4, 5]);
    assert_eq!(again.cursor("hook").await.unwrap(), 7);
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_made_good() {
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    append(&place.open().await, events(1)).await;

    // Marked as ours, and no table yet.
    let place = Place::new();
    run_on(place.path(), "PRAGMA application_id = 0x72677774").await;
    let early = Store::open_to_read(&place.settings).await.expect_err("there is nothing to read");
    assert!(matches!(early, OpenError::Older { .. }), "{early:?}");
    append(&place.open().await, events(1)).await;
}

#[tokio::test]
async fn what_is_no_store_is_refused_and_left_as_it_is() {
    let cases: [(&str, &[u8]); 3] = [
        ("text", b"accounts:\n  - id: \"111122223333\"\n"),
        ("a torn header", b"SQLite format 3\0\x10"),
        ("zeros", &[0; 8192]),
    ];
    for (what, bytes) in cases {
        let place = Place::new();
        fs::write(place.path(), bytes).unwrap();
        let error = place.refused().await;
        assert!(matches!(error, OpenError::Foreign { .. }), "{what}: {error:?}");
        untouched(&place, bytes);
        let error = Store::open_to_read(&place.settings).await.expect_err(what);
        assert!(matches!(error, OpenError::Foreign { .. }), "{what}: {error:?}");
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    for sql in [
        "CREATE TABLE theirs (a)",
        "PRAGMA application_id = 7",
        "PRAGMA journal_mode = WAL; CREATE TABLE t (a)",
    ] {
        let place = Place::new();
        run_on(place.path(), sql).await;
        let before = fs::read(place.path()).unwrap();
        let error = place.refused().await;
        let expected = format!(
            "{} is a database of another program and no store of regwatch; it was left as it is: name \
             another file in `store.path`",
            place.path().canonicalize().unwrap().display()
        );
        assert_eq!(error.to_string(), expected, "{sql}");
        untouched(&place, &before);
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, events(2000)).await;
    store.close().await;
    let whole = fs::read(place.path()).unwrap();

    let half = whole[..whole.len() / 2].to_vec();
    let mut holes = whole.clone();
    let middle = holes.len() / 8192 * 4096;
    holes[middle..middle + 4096].fill(0x5a);
    for (what, bytes) in [("half of it", half), ("a page of garbage", holes)] {
        fs::write(place.path(), &bytes).unwrap();
        let error = place.refused().await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{what}: {error:?}");
        assert!(error.to_string().contains("backup"), "{error}");
        untouched(&place, &bytes);
    }

    fs::write(place.path(), "").unwrap();
    fs::write(beside(place.path(), "-wal"), "what was written last").unwrap();
    let error = place.refused().await;
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert_eq!(fs::read(beside(place.path(), "-wal")).unwrap(), b"what was written last");
}

#[tokio::test]
async fn a_file_of_a_newer_release_is_refused_and_left_as_it_is() {
    let place = Place::new();
    place.open().await.close().await;
    run_on(
        place.path(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'from the future', TRUE, x'00', 0)",
    )
    .await;
    let before = fs::read(place.path()).unwrap();
    let error = place.refused().await;
    assert!(matches!(error, OpenError::Newer { found: 999, known: 4, .. }), "{error:?}");
    untouched(&place, &before);

    run_on(place.path(), "DELETE FROM _sqlx_migrations WHERE version = 999").await;
    run_on(place.path(), "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    let before = fs::read(place.path()).unwrap();
    let error = place.refused().await;
    assert!(matches!(error, OpenError::Altered { number: 1, .. }), "{error:?}");
    untouched(&place, &before);
}

#[tokio::test]
async fn a_place_where_no_file_can_be_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let circle = folder.path().join("circle");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let open = async |path: PathBuf| {
        let settings = config::Store { path: Some(path), ..config::Store::default() };
        Store::open(&settings).await.expect_err("it cannot be opened")
    };
    let error = open(folder.path().join("missing/regwatch.db")).await;
    assert!(matches!(error, OpenError::NoFolder { .. }), "{error:?}");
    assert!(error.to_string().contains("does not exist; make it"), "{error}");
    let error = open(file.join("regwatch.db")).await;
    assert!(matches!(error, OpenError::NoFolder { .. }), "{error:?}");
    let error = open(folder.path().to_owned()).await;
    assert!(matches!(error, OpenError::NoFile { .. }), "{error:?}");
    let error = open(circle).await;
    assert!(matches!(error, OpenError::Unreadable { .. }), "{error:?}");
    // Where not even root makes files.
    let error = open("/sys/regwatch.db".into()).await;
    assert!(matches!(error, OpenError::Lock { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_told_at_the_start() {
    let place = Place::new();
    place.open().await.close().await;
    let error = sqlite::Sqlite::open_to_read(place.path()).await.unwrap().prove_writable(place.path()).await;
    assert!(matches!(error, Err(OpenError::ReadOnly { .. })), "{error:?}");
}

fn one_event() -> Batch {
    Batch { events: events(1), ..Batch::default() }
}

/// Checks that a file is as it was, and that nothing but a lock was put beside it.
#[track_caller]
fn untouched(place: &Place, bytes: &[u8]) {
    assert!(fs::read(place.path()).unwrap() == bytes, "the file was changed");
    let files = place.files();
    assert!(files.iter().all(|name| ["regwatch.db", "regwatch.db.lock"].contains(&&**name)), "{files:?}");
}

/// Runs statements on a file as another program would, which makes it if need be.
async fn run_on(path: &Path, sql: &'static str) {
    use sqlx::{ConnectOptions as _, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
