use std::{
    fs::{self, OpenOptions},
    io::Write as _,
};

use tokio::time::{sleep, timeout};

use super::{super::tracker::SETTLE, *};

const A: &str = "# a\n";

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hep-watch-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("temporary directories can be made");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("files can be written");
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn texts(found: Found) -> Vec<(String, String)> {
    let Found::Changed(found) = found else {
        panic!("not changed: {found:?}");
    };
    found
        .files
        .into_iter()
        .map(|file| {
            let name = file
                .path()
                .and_then(Path::file_name)
                .expect("files have names");
            (
                name.to_string_lossy().into_owned(),
                String::from_utf8(file.text.to_vec()).expect("the tests write UTF-8"),
            )
        })
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

async fn settles(watch: &mut Watch) -> Duration {
    let start = Instant::now();
    timeout(Duration::from_secs(60), watch.changed())
        .await
        .expect("the change is noticed");
    start.elapsed()
}

#[tokio::test]
async fn a_closed_file_counts_after_the_settle_time() {
    let directory = Directory::new("closed");
    let mut watch = Watch::new(&directory.0, Trust::Root);
    assert!(matches!(watch.read().await, Found::Changed(found) if found.files.is_empty()));
    directory.write("a.yaml", A);
    assert!(settles(&mut watch).await >= SETTLE);
    assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
    assert!(matches!(watch.read().await, Found::Unchanged));
}

#[tokio::test]
async fn a_half_written_file_is_stood_in_for_by_its_earlier_text() {
    let directory = Directory::new("half");
    directory.write("a.yaml", "old\n");
    let mut watch = Watch::new(&directory.0, Trust::Root);
    assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", "old\n")]));
    let mut options = OpenOptions::new();
    let options = options.write(true).truncate(true).create(true);
    let mut old = options
        .open(directory.0.join("a.yaml"))
        .expect("can be opened");
    let mut new = options
        .open(directory.0.join("new.yaml"))
        .expect("can be opened");
    old.write_all(b"- action: Allow\n").expect("can be written");
    new.write_all(b"- action: Allow\n").expect("can be written");
    directory.write("other.yaml", "x\n");
    settles(&mut watch).await;
    assert_eq!(
        texts(watch.read().await),
        pairs(&[("a.yaml", "old\n"), ("other.yaml", "x\n")])
    );
    old.write_all(b"  protocol: TCP\n").expect("can be written");
    drop((old, new));
    settles(&mut watch).await;
    assert_eq!(
        texts(watch.read().await),
        pairs(&[
            ("a.yaml", "- action: Allow\n  protocol: TCP\n"),
            ("new.yaml", "- action: Allow\n"),
            ("other.yaml", "x\n")
        ])
    );
}

#[tokio::test]
async fn a_renamed_and_a_removed_file_count() {
    let directory = Directory::new("rename");
    directory.write("a.yaml", A);
    let mut watch = Watch::new(&directory.0, Trust::Root);
    assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
    directory.write(".b.swp", "b\n");
    fs::rename(directory.0.join(".b.swp"), directory.0.join("b.yaml")).expect("can be renamed");
    settles(&mut watch).await;
    assert_eq!(
        texts(watch.read().await),
        pairs(&[("a.yaml", A), ("b.yaml", "b\n")])
    );
    fs::remove_file(directory.0.join("a.yaml")).expect("can be removed");
    settles(&mut watch).await;
    assert_eq!(texts(watch.read().await), pairs(&[("b.yaml", "b\n")]));
}

#[tokio::test]
async fn an_emptied_or_vanished_directory_is_held_and_its_return_is_noticed() {
    let directory = Directory::new("held");
    directory.write("a.yaml", A);
    let mut watch = Watch::new(&directory.0, Trust::Root);
    assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
    fs::remove_file(directory.0.join("a.yaml")).expect("can be removed");
    settles(&mut watch).await;
    assert!(matches!(
        watch.read().await,
        Found::Untrusted(Distrust::Empty)
    ));
    fs::remove_dir(&directory.0).expect("can be removed");
    settles(&mut watch).await;
    assert!(matches!(
        watch.read().await,
        Found::Untrusted(Distrust::Gone)
    ));
    fs::create_dir(&directory.0).expect("can be made");
    directory.write("b.yaml", "b\n");
    settles(&mut watch).await;
    assert_eq!(texts(watch.read().await), pairs(&[("b.yaml", "b\n")]));
    directory.write("b.yaml", "c\n");
    settles(&mut watch).await;
    assert_eq!(texts(watch.read().await), pairs(&[("b.yaml", "c\n")]));
}

#[tokio::test]
async fn a_directory_replaced_between_two_looks_is_watched_again() {
    let directory = Directory::new("replaced");
    directory.write("a.yaml", A);
    let mut watch = Watch::new(&directory.0, Trust::Root);
    assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
    fs::remove_file(directory.0.join("a.yaml")).expect("can be removed");
    fs::remove_dir(&directory.0).expect("can be removed");
    fs::create_dir(&directory.0).expect("can be made");
    settles(&mut watch).await;
    assert!(matches!(
        watch.read().await,
        Found::Untrusted(Distrust::Empty)
    ));
    directory.write("b.yaml", "b\n");
    settles(&mut watch).await;
    assert_eq!(texts(watch.read().await), pairs(&[("b.yaml", "b\n")]));
}

#[tokio::test]
async fn a_directory_that_never_rests_is_looked_at_after_the_limit() {
    let directory = Directory::new("restless");
    let mut watch = Watch::new(&directory.0, Trust::Root);
    assert!(matches!(watch.read().await, Found::Changed(found) if found.files.is_empty()));
    let path = directory.0.clone();
    let writer = tokio::spawn(async move {
        for number in 0.. {
            fs::write(path.join("a.yaml"), format!("# {number}\n")).expect("can be written");
            sleep(Duration::from_millis(10)).await;
        }
    });
    let waited = settles(&mut watch).await;
    assert!(waited > SETTLE && !writer.is_finished(), "{waited:?}");
    writer.abort();
}

#[tokio::test]
async fn a_file_that_is_away_for_a_moment_is_waited_for() {
    let directory = Directory::new("away");
    directory.write("a.yaml", A);
    directory.write("b.yaml", "b\n");
    let mut watch = Watch::new(&directory.0, Trust::Root);
    assert!(matches!(watch.read().await, Found::Changed(found) if found.files.len() == 2));
    let (path, backup) = (directory.0.join("a.yaml"), directory.0.join("a.yaml~"));
    fs::rename(&path, &backup).expect("can be renamed");
    let editor = tokio::spawn(async move {
        sleep(Duration::from_millis(20)).await;
        fs::rename(backup, path).expect("can be renamed");
    });
    // Another change, or a signal, may have it read just now.
    assert!(matches!(watch.read().await, Found::Unchanged));
    editor.await.expect("it renames the file back");
}

#[tokio::test]
async fn files_that_come_and_go_without_rest_are_read_after_the_limit() {
    let directory = Directory::new("unrest");
    directory.write("a.yaml", A);
    let mut watch = Watch::new(&directory.0, Trust::Root);
    let path = directory.0.clone();
    fs::create_dir(path.join(".0")).expect("can be made");
    let mover = tokio::spawn(async move {
        for number in 0.. {
            let [from, to] = [number, number + 1].map(|number| path.join(format!(".{number}")));
            fs::rename(&from, &to).expect("can be renamed");
            sleep(Duration::from_millis(10)).await;
        }
    });
    sleep(Duration::from_millis(50)).await;
    let mut start = Instant::now();
    assert!(matches!(watch.read().await, Found::Changed(found) if found.files.len() == 1));
    // A busy machine may give the directory a rest, but not each time.
    for _ in 0..10 {
        if start.elapsed() >= UNREST_LIMIT {
            break;
        }
        start = Instant::now();
        assert!(matches!(watch.read().await, Found::Unchanged));
    }
    assert!(start.elapsed() >= UNREST_LIMIT && !mover.is_finished());
    mover.abort();
}

#[tokio::test]
async fn a_file_that_takes_the_place_of_another_counts_at_once() {
    let directory = Directory::new("overwritten");
    directory.write("a.yaml", A);
    let mut watch = Watch::new(&directory.0, Trust::Root);
    assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
    let mut replace = async |temporary: &str, text: &str| {
        directory.write(temporary, text);
        let rename = directory.0.clone();
        fs::rename(rename.join(temporary), rename.join("a.yaml")).expect("can be renamed");
        let waited = settles(&mut watch).await;
        assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", text)]));
        waited
    };
    // A busy machine may keep the test waiting, but not each time.
    let mut is_quick = false;
    for number in 0..50 {
        is_quick |= replace(".a.yaml.new", &format!("# {number}\n")).await < SETTLE;
    }
    assert!(is_quick);
    // What was a policy file itself may be missed by another.
    assert!(replace("b.yaml", "b\n").await >= SETTLE);
}

#[tokio::test]
async fn a_file_that_comes_back_is_waited_behind_for_others() {
    let directory = Directory::new("back");
    let [kept, place] = [".kept", "a.yaml"].map(|name| directory.0.join(name));
    directory.write("a.yaml", A);
    let mut watch = Watch::new(&directory.0, Trust::Root);
    assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
    fs::rename(&place, &kept).expect("can be renamed");
    settles(&mut watch).await;
    assert!(matches!(
        watch.read().await,
        Found::Untrusted(Distrust::Empty)
    ));
    fs::rename(&kept, &place).expect("can be renamed");
    assert!(settles(&mut watch).await >= SETTLE);
    assert!(matches!(watch.read().await, Found::Unchanged));
}

/// As long as a file is being written to, whatever has become of the directory.
#[tokio::test]
async fn a_half_written_file_does_not_count_in_a_directory_that_was_away() {
    for absence in [Duration::ZERO, PRESENCE * 2] {
        let directory = Directory::new("was-away");
        let (path, away) = (&directory.0, directory.0.with_extension("away"));
        directory.write("a.yaml", A);
        let mut watch = Watch::new(path, Trust::Root);
        assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
        fs::rename(path, &away).expect("can be renamed");
        let is_gone = async {
            loop {
                watch.changed().await;
                assert!(matches!(
                    watch.read().await,
                    Found::Untrusted(Distrust::Gone)
                ));
            }
        };
        drop(timeout(absence, is_gone).await);
        fs::rename(&away, path).expect("can be renamed");
        let mut file = fs::File::create(path.join("a.yaml")).expect("can be opened");
        file.write_all(b"- action: Allow\n")
            .expect("can be written");
        let start = Instant::now();
        while start.elapsed() < PRESENCE * 3 {
            drop(timeout(PRESENCE, watch.changed()).await);
            let found = watch.read().await;
            assert!(matches!(found, Found::Unchanged), "{found:?}");
        }
        file.write_all(b"  protocol: TCP\n")
            .expect("can be written");
        drop(file);
        settles(&mut watch).await;
        let whole = "- action: Allow\n  protocol: TCP\n";
        assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", whole)]));
    }
}
