//! A private network namespace with devices that frames can be judged at.

use std::{fs, io, net::Ipv4Addr, net::Ipv6Addr};

use nix::sched::{CloneFlags, unshare};
use rtnetlink::{LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::frame::MAC_DESTINATION;

/// Sysctls that make the kernel's routing look-up return "forwarded" for unknown addresses.
const SYSCTLS: [(&str, &str); 4] = [
    ("/proc/sys/net/ipv4/conf/all/forwarding", "1"),
    ("/proc/sys/net/ipv4/conf/default/forwarding", "1"),
    ("/proc/sys/net/ipv6/conf/all/forwarding", "1"),
    ("/proc/sys/net/ipv6/conf/default/accept_dad", "0"),
];

/// Pairs of devices; each gives two.
const PAIRS: u32 = 8;

/// Why there is no namespace.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// The system call refused.
    #[error("leave the network namespace; this needs root, or CAP_SYS_ADMIN")]
    Unshare(#[source] nix::Error),
    /// A switch cannot be set.
    #[error("set {path}")]
    Sysctl {
        /// The switch.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
    /// No netlink socket, or no runtime to use it with.
    #[error("open a netlink socket")]
    Open(#[source] io::Error),
    /// A request was refused.
    #[error("configure the network namespace")]
    Netlink(#[source] rtnetlink::Error),
}

/// Moves the calling thread into a network namespace of its own and makes devices there; returns
/// their numbers. The namespace goes when the thread ends and its file descriptors are closed.
pub(super) fn enter() -> Result<Vec<u32>, NamespaceError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(NamespaceError::Unshare)?;
    for (path, value) in SYSCTLS {
        fs::write(path, value).map_err(|source| NamespaceError::Sysctl { path, source })?;
    }
    // A runtime on this thread: its socket has to be in the new namespace.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(NamespaceError::Open)?
        .block_on(make_devices())
}

async fn make_devices() -> Result<Vec<u32>, NamespaceError> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(NamespaceError::Open)?;
    let task = tokio::spawn(connection);
    let result = async {
        for pair in 0..PAIRS {
            let (left, right) = (format!("left{pair}"), format!("right{pair}"));
            handle
                .link()
                .add(LinkVeth::new(&left, &right).build())
                .execute()
                .await?;
        }
        // Number 1 is the loopback device, which stays down: with it up, 127.0.0.0/8 and ::1 were
        // local whatever a packet's case says.
        let mut devices: Vec<u32> = (2..2 + 2 * PAIRS).collect();
        for device in &devices {
            // Frames are for whatever device they come to.
            let up = LinkUnspec::new_with_index(*device)
                .address(MAC_DESTINATION.to_vec())
                .up()
                .build();
            handle.link().set(up).execute().await?;
        }
        // All is routed to a device where nothing comes from.
        if let Some(device) = devices.pop() {
            let ipv4 = RouteMessageBuilder::<Ipv4Addr>::new().output_interface(device);
            handle.route().add(ipv4.build()).execute().await?;
            let ipv6 = RouteMessageBuilder::<Ipv6Addr>::new().output_interface(device);
            handle.route().add(ipv6.build()).execute().await?;
        }
        Ok(devices)
    }
    .await;
    task.abort();
    result.map_err(NamespaceError::Netlink)
}
