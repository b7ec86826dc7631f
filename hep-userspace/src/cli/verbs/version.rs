//! `hep version`.

use std::{thread, time::Duration};

use clap::Args;

use super::common::{End, Session, Target, exit, fail, say};
use crate::cli::{exit::Exit, output::complain};

/// Show the version of Calico that a store is of
///
/// `hep --version` shows hep's own, which is none of Calico's.
#[derive(Args, Debug)]
pub(crate) struct Version {
    /// Do not ask the store
    #[arg(long)]
    client: bool,
    /// Ask again at this interval until the store answers, such as 1s
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    poll: Option<Duration>,
    #[command(flatten)]
    target: Target,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.trim_end_matches('s').parse::<u64>();
    match seconds {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => Err("write seconds, such as 1s".to_owned()),
    }
}

impl Version {
    pub(crate) fn run(&self) -> Exit {
        exit(|| self.version())
    }

    fn version(&self) -> Result<Exit, End> {
        complain(format_args!("hep {}", env!("CARGO_PKG_VERSION")));
        // hep has no version of Calico, and must not seem to have one.
        say("Client Version:    ")?;
        say("Git commit:        ")?;
        if self.client {
            return Ok(Exit::Ok);
        }
        loop {
            let session = Session::open(&self.target)?;
            let error = match session.run(session.resources().cluster()) {
                Ok(Some(cluster)) => {
                    let known = |text: String| match text.as_str() {
                        "" => "unknown".to_owned(),
                        _ => text,
                    };
                    say(format_args!(
                        "Cluster Version:   {}",
                        known(cluster.version)
                    ))?;
                    say(format_args!("Cluster Type:      {}", known(cluster.kinds)))?;
                    return Ok(Exit::Ok);
                }
                Ok(None) => "resource does not exist: ClusterInformation(default)".to_owned(),
                Err(error) => error.to_string(),
            };
            match self.poll {
                None => {
                    return fail(format_args!(
                        "Unable to retrieve Cluster Version or Type: {error}"
                    ));
                }
                Some(interval) => thread::sleep(interval),
            }
        }
    }
}
