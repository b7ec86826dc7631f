//! Hostile and ordinary directories.

use std::{
    collections::BTreeSet,
    fs::{self, FileTimes, OpenOptions},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, SystemTime},
};

use super::*;

/// A directory that removes itself.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hep-read-{name}-{}", process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    fn names(&self) -> Vec<String> {
        let files = directory(&self.0).expect("readable");
        let name = |file: &Unit| {
            let below = file.path().and_then(|path| path.strip_prefix(&self.0).ok());
            below.expect("below").display().to_string()
        };
        files.iter().map(name).collect()
    }

    fn error(&self) -> ReadError {
        directory(&self.0).expect_err("an error")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn directories_are_read_recursively_in_order_without_hidden_files() {
    let directory = Directory::new("walk");
    for name in [
        "b.yaml",
        "a.yml",
        "c.json",
        "sub/d.yaml",
        ".hidden.yaml",
        ".git/e.yaml",
        "README.md",
    ] {
        directory.write(name, "");
    }
    assert_eq!(
        directory.names(),
        ["a.yml", "b.yaml", "c.json", "sub/d.yaml"]
    );
}

#[test]
fn a_mounted_config_map_is_read_once() {
    let directory = Directory::new("configmap");
    directory.write("..2026_11_21/a.yaml", "a: 1");
    symlink("..2026_11_21", directory.path("..data")).expect("a link");
    symlink("..data/a.yaml", directory.path("a.yaml")).expect("a link");
    assert_eq!(directory.names(), ["a.yaml"]);
}

#[test]
fn what_is_no_file_is_an_error_and_never_blocks() {
    let directory = Directory::new("odd");
    fs::create_dir(directory.path("x.yaml")).expect("a directory");
    assert!(matches!(directory.error(), ReadError::NotAFile(_)));
    fs::remove_dir(directory.path("x.yaml")).expect("removed");

    rustix::fs::mknodat(
        rustix::fs::CWD,
        directory.path("x.yaml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("a FIFO");
    assert!(matches!(directory.error(), ReadError::NotAFile(_)));
    assert!(matches!(
        file(&directory.path("x.yaml")),
        Err(ReadError::NotAFile(_))
    ));
    fs::remove_file(directory.path("x.yaml")).expect("removed");

    for (target, dangling) in [
        ("/nowhere/at/all", true),
        ("x.yaml", false),
        ("/proc/self/mem", false),
    ] {
        symlink(target, directory.path("x.yaml")).expect("a link");
        let error = directory.error();
        assert_eq!(
            matches!(error, ReadError::Dangling(_)),
            dangling,
            "{target}: {error}"
        );
        fs::remove_file(directory.path("x.yaml")).expect("removed");
    }
    symlink("/dev/zero", directory.path("x.yaml")).expect("a link");
    assert!(matches!(directory.error(), ReadError::NotAFile(_)));
    fs::remove_file(directory.path("x.yaml")).expect("removed");

    symlink(".", directory.path("loop")).expect("a link");
    assert!(matches!(directory.error(), ReadError::Loop(_)));
    assert!(super::directory(Path::new("/nowhere/at/all")).is_err());
}

#[test]
fn a_file_of_a_hundred_megabytes_is_an_error() {
    let directory = Directory::new("large");
    let file = fs::File::create(directory.path("x.yaml")).expect("a file");
    file.set_len(100 << 20).expect("a sparse file");
    assert!(matches!(directory.error(), ReadError::TooLarge(_)));
    file.set_len(MAX_FILE_BYTES).expect("a sparse file");
    assert_eq!(directory.names(), ["x.yaml"]);
}

/// A read that begins so late that all stamps are settled.
fn read(reader: &mut DirectoryReader, directory: &Path) -> Vec<Unit> {
    let later = SystemTime::now() + 2 * STAMP_GRAIN;
    reader.read_at(directory, later).expect("readable")
}

fn texts(files: &[Unit]) -> Vec<&[u8]> {
    files.iter().map(|file| &*file.text).collect()
}

fn are_same(one: &Unit, two: &Unit) -> bool {
    one.text.as_ptr() == two.text.as_ptr()
}

#[test]
fn only_files_with_another_stamp_are_read_again() {
    let directory = Directory::new("stamps");
    let path = |name: &str| directory.path(name);
    for name in ["a.yaml", "b.yaml", "c.yaml"] {
        fs::write(path(name), "one").expect("writable");
    }
    let mut reader = DirectoryReader::default();
    let first = read(&mut reader, &directory.0);
    let modified = fs::metadata(path("b.yaml"))
        .and_then(|b| b.modified())
        .expect("a time");
    // The clock for stamps stands still for some milliseconds.
    thread::sleep(Duration::from_millis(50));

    // As long as before, and with the same time of modification.
    fs::write(path("b.yaml"), "two").expect("writable");
    let times = FileTimes::new().set_modified(modified);
    let b = OpenOptions::new().append(true).open(path("b.yaml"));
    b.and_then(|b| b.set_times(times)).expect("settable");
    // As an editor replaces a file.
    fs::write(path("new"), "six").expect("writable");
    fs::rename(path("new"), path("c.yaml")).expect("movable");
    let second = read(&mut reader, &directory.0);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(texts(&second), [b"one", b"two", b"six"]);
    assert!(are_same(&first[0], &second[0]));

    fs::remove_file(path("a.yaml")).expect("removable");
    fs::write(path("a.yaml"), "ten").expect("writable");
    fs::remove_file(path("c.yaml")).expect("removable");
    let third = read(&mut reader, &directory.0);
    assert_eq!(texts(&third), [b"ten", b"two"]);
    assert!(are_same(&second[1], &third[1]));
}

#[test]
fn what_may_change_without_a_new_stamp_and_what_was_forgotten_is_read_again() {
    let directory = Directory::new("forgotten");
    let path = directory.path("a.yaml");
    fs::write(&path, "one").expect("writable");
    let mut reader = DirectoryReader::default();
    let [young, again] = [(); 2].map(|()| reader.read(&directory.0).expect("readable").remove(0));
    assert!(!are_same(&young, &again), "it was written just now");
    let settled = read(&mut reader, &directory.0).remove(0);
    let same = read(&mut reader, &directory.0).remove(0);
    assert!(are_same(&settled, &same));
    reader.forget(&path);
    let forgotten = read(&mut reader, &directory.0).remove(0);
    assert!(!are_same(&same, &forgotten));
    reader.forget_all();
    let all = read(&mut reader, &directory.0).remove(0);
    assert!(!are_same(&forgotten, &all));
    assert_eq!(&*all.text, b"one");
}

#[test]
fn what_was_touched_is_read_alone_while_no_file_comes_or_goes() {
    let directory = Directory::new("touched");
    let path = |name: &str| directory.path(name);
    for name in ["a.yaml", "b.yaml", "sub/c.yaml"] {
        directory.write(name, "one");
    }
    let touched = |names: &[&str]| names.iter().map(|name| path(name)).collect();
    let mut reader = DirectoryReader::default();
    assert_eq!(
        reader.read_touched(&touched(&["a.yaml"])),
        None,
        "nothing was read"
    );
    let first = read(&mut reader, &directory.0);
    directory.write("a.yaml", "two");
    directory.write("b.yaml", "two");
    assert_eq!(
        reader.read_touched(&touched(&[])),
        None,
        "nobody knows what changed"
    );
    let some = reader.read_touched(&touched(&["a.yaml", ".a.yaml.new", "a.yaml~"]));
    let some = some.expect("no file came or went");
    assert_eq!(
        texts(&some),
        [b"two", b"one", b"one"],
        "b.yaml was not looked at"
    );
    assert!(are_same(&first[2], &some[2]));
    // A file written a moment ago is read again, whether it was touched or not.
    directory.write("a.yaml", "six");
    let again = reader
        .read_touched(&touched(&["b.yaml"]))
        .expect("the same");
    assert_eq!(texts(&again), [b"six", b"two", b"one"]);
    for (name, what) in [
        ("d.yaml", "a new file"),
        ("sub", "a directory"),
        (".", "the directory itself"),
    ] {
        assert_eq!(reader.read_touched(&touched(&[name])), None, "{what}");
    }
    fs::remove_file(path("b.yaml")).expect("removable");
    assert_eq!(
        reader.read_touched(&touched(&["b.yaml"])),
        None,
        "one is gone"
    );
    fs::rename(path("sub"), path("other")).expect("movable");
    assert_eq!(
        reader.read_touched(&touched(&["sub"])),
        None,
        "a directory is gone"
    );
    assert_eq!(texts(&read(&mut reader, &directory.0)), [b"six", b"one"]);
    reader.forget_all();
    assert_eq!(
        reader.read_touched(&touched(&["a.yaml"])),
        None,
        "all is to be read"
    );
}

/// A notification names the file that was written, not the links to it.
#[test]
fn files_behind_links_are_looked_at_whatever_was_touched() {
    let directory = Directory::new("touched-links");
    let path = |name: &str| directory.path(name);
    for name in [".hidden/a.yaml", "target.txt", ".away/b.yaml", "plain.yaml"] {
        directory.write(name, "one");
    }
    symlink(".hidden/a.yaml", path("a.yaml")).expect("can be made");
    symlink(".away", path("folder")).expect("can be made");
    symlink("target.txt", path("c.yaml")).expect("can be made");
    let mut reader = DirectoryReader::default();
    let first = read(&mut reader, &directory.0);
    assert_eq!(texts(&first), [b"one"; 4]);
    thread::sleep(Duration::from_millis(50));
    directory.write(".away/b.yaml", "two");
    directory.write("target.txt", "six");
    let touched = BTreeSet::from([path("target.txt")]);
    let some = reader.read_touched(&touched).expect("no file came or went");
    assert_eq!(texts(&some), [b"one", b"six", b"two", b"one"]);
    assert!(are_same(&first[0], &some[0]));
    fs::remove_file(path("target.txt")).expect("removable");
    assert_eq!(reader.read_touched(&touched), None, "a link leads nowhere");
    assert!(matches!(directory.error(), ReadError::Dangling(_)));
}
