//! A policy directory that is mounted as Kubernetes mounts a ConfigMap: its files are links into
//! `..data`, which is a link to a directory of one moment.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;

use crate::{
    chaos_dir,
    reader::{COUNT, Open},
    states::States,
};

/// Policies in the directory.
const FILES: u8 = 6;

/// The directory and the states that it has been in.
pub(crate) struct ConfigMap {
    path: PathBuf,
    rng: Rng,
    moment: u32,
    pub(crate) states: States,
}

impl ConfigMap {
    /// Fills an empty directory.
    pub(crate) fn new(path: &Path, seed: u64) -> Self {
        let mut map = Self {
            path: path.to_owned(),
            rng: Rng::with_seed(seed),
            moment: 0,
            states: States::default(),
        };
        map.swap();
        for number in 0..FILES {
            map.link(&format!("p{number}.yaml"));
        }
        map.link("base.yaml");
        map
    }

    fn link(&self, name: &str) {
        symlink(Path::new("..data").join(name), self.path.join(name)).expect("make a link");
    }

    /// Writes the directory of the next moment, slowly, and swaps it in; what it opens.
    pub(crate) fn swap(&mut self) -> Open {
        let former = self.directory();
        self.moment += 1;
        let next = self.directory();
        fs::create_dir(&next).expect("make a directory");
        fs::write(next.join("base.yaml"), chaos_dir::base()).expect("write a file");
        let mut opens = 0;
        for number in 0..FILES {
            let ports = 1 << self.rng.u16(..COUNT - 1);
            opens |= ports;
            let text = chaos_dir::policy(number, ports);
            let (begin, end) = text.split_at(self.rng.usize(..text.len()));
            let mut file = File::create(next.join(format!("p{number}.yaml"))).expect("make a file");
            file.write_all(begin.as_bytes()).expect("write a piece");
            self.pause(30);
            file.write_all(end.as_bytes()).expect("write a piece");
        }
        let link = self.path.join("..data_tmp");
        let target = next.file_name().expect("it has a name");
        symlink(target, &link).expect("make a link");
        let since = Instant::now();
        fs::rename(link, self.path.join("..data")).expect("swap the link");
        self.states.add(opens, since);
        self.pause(60);
        if former.exists() {
            fs::remove_dir_all(former).expect("remove the former directory");
        }
        opens
    }

    fn directory(&self) -> PathBuf {
        self.path.join(format!("..moment_{}", self.moment))
    }

    fn pause(&mut self, milliseconds: u64) {
        thread::sleep(Duration::from_millis(self.rng.u64(..=milliseconds)));
    }
}
