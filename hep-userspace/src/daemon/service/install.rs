//! Puts a confirmed policy where it lasts.

use std::path::Path;

use super::{
    super::{
        clock::unix_ms,
        control::Answer,
        mode::{Event, Frozen},
        summary::chain,
    },
    daemon::Daemon,
};
use crate::store::{PolicySet, directory};

impl Daemon {
    /// Keeps a confirmed policy in force beside a store of objects, which the daemon never writes to (spec
    /// DS-308), until that changes.
    pub(super) fn keep_beside_the_store(&mut self, generation: u32) -> Answer {
        let overrides = self.follower.checksum();
        self.note("the frozen policy", |journal| {
            journal.installing = None;
            journal.change(Event::Freeze(Frozen {
                since_unix_ms: unix_ms(),
                generation,
                overrides,
            }));
        });
        let text = format!(
            "generation {generation} is confirmed, and stays in force until the store changes; \
             write it there with `hep apply -f DIR` to make it last"
        );
        self.done(text, Vec::new())
    }

    /// Writes the policy in force to the store.
    pub(super) async fn put_in_place(
        &mut self,
        policy: &PolicySet,
        place: &Path,
        generation: u32,
    ) -> Answer {
        let Some(source) = &mut self.follower.source else {
            return Answer::Failed("only `hep boot` runs; start the daemon first".to_owned());
        };
        if let Err(error) = source.write(policy) {
            let overrides = directory::read(place).ok().map(|files| {
                let base = place.to_path_buf();
                PolicySet {
                    base,
                    files,
                    resume: None,
                }
                .checksum()
            });
            self.note("the frozen policy", |journal| {
                journal.change(Event::Freeze(Frozen {
                    since_unix_ms: unix_ms(),
                    generation,
                    overrides,
                }));
            });
            return Answer::Failed(format!(
                "generation {generation} is confirmed and in force, but {} does not hold it: {}; \
                 put the files there yourself, until then the directory is not followed",
                place.display(),
                chain(&error)
            ));
        }
        self.note("the policy's place", |journal| journal.installing = None);
        // The load changes nothing but the files' names.
        self.refresh_store().await;
        let text = format!(
            "generation {generation} is confirmed; {} holds it now",
            place.display()
        );
        self.done(text, Vec::new())
    }
}
