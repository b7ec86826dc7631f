//! `hep down`.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{
    exit::Exit,
    instance::Instance,
    output::{Format, Text, complain, emit},
    runtime,
};
use crate::{
    daemon::{self, NetworkWatch, control},
    datapath::{
        self, KernelError,
        attach::{Attachments, wait_until_unloaded},
        local_in::{self, LocalIn},
    },
    view::{Failure, FailureKind, Removal},
};

/// Time for the kernel to unload the programs.
const UNLOAD_LIMIT: Duration = Duration::from_secs(5);
/// Additional time for each interface, where RCU grace periods cannot be expedited.
const DETACH_LIMIT: Duration = Duration::from_millis(100);

/// Remove everything of hep from this host
///
/// Detaches every program, removes the filters, qdiscs, maps and directories that hep created, and
/// deletes its state with the last good policy. From then on nothing is policed. Refuses (5) while a
/// daemon runs.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let instance = &arguments.instance;
    if let Ok(report) = control::ask(&instance.socket) {
        return Err(refused(format!(
            "the daemon is running (pid {}); stop it first",
            report.pid
        )));
    }
    let runtime = runtime::of_command()?;
    let detached = runtime.block_on(detach(instance))?;
    match datapath::remove(&instance.bpffs) {
        Ok(()) => {}
        Err(error @ KernelError::Busy(_)) => {
            return Err(refused(format!("{error}; stop it first")));
        }
        Err(error) => return Err(error.into()),
    }
    daemon::remove_state(&instance.state_dir).context("state directory")?;
    for socket in [
        instance.socket.clone(),
        control::read_socket(&instance.socket),
    ] {
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                bail!("{}: {error}", socket.display());
            }
            _ => {}
        }
    }
    emit(&Removal::new(detached), format)?;
    Ok(Exit::Ok)
}

fn refused(message: String) -> anyhow::Error {
    Failure::new(FailureKind::Refused, message).into()
}

impl Text for Removal {
    fn text(&self) -> String {
        match self.interfaces {
            0 => "nothing was attached".to_owned(),
            1 => "1 interface is no longer policed".to_owned(),
            detached => format!("{detached} interfaces are no longer policed"),
        }
    }
}

/// Detaches the programs from all interfaces and waits until they are unloaded; returns how many
/// interfaces had any.
async fn detach(instance: &Instance) -> Result<usize> {
    let mut watch = NetworkWatch::open()?;
    let network = watch.read().await?;
    let names = network
        .interfaces
        .iter()
        .map(|interface| (interface.ifindex, interface.name.clone()))
        .collect();
    let mut detached = 0;
    let mut programs = BTreeSet::new();
    let mut expedited = Vec::new();
    for directory in datapath::all_links_directories(&instance.bpffs)? {
        datapath::answer_routes(&directory, false)?;
        let attachments = Attachments::new(directory.clone(), watch.handle());
        programs.extend(attachments.programs()?);
        expedited.extend(attachments.expedite_detaching()?);
        programs.extend(local_in::programs(&directory).into_iter().flatten());
        LocalIn::new(directory).detach()?;
        let nobody = |_ifindex| false;
        detached += attachments
            .detach_others(&BTreeSet::new(), &names, nobody)
            .await?;
    }
    let limit = UNLOAD_LIMIT + DETACH_LIMIT * u32::try_from(detached).unwrap_or(u32::MAX);
    if !wait_until_unloaded(&programs, limit) {
        complain(format_args!(
            "programs {programs:?} are still loaded; something else holds them"
        ));
    }
    Ok(detached)
}
