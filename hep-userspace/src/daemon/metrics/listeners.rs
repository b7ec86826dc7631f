//! The addresses at which the pages are served: one from the option, and those of the
//! FelixConfiguration (spec RS-200 to RS-202, RS-206), which may change.

use std::{collections::BTreeMap, io};

use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    address::Address,
    cache::Cache,
    registry::Metrics,
    server::{Pages, serve},
};
use crate::model::FelixConfiguration;

/// The running servers.
#[derive(Debug)]
pub struct Listeners {
    cache: Cache,
    /// The address from the option.
    option: Option<Address>,
    running: BTreeMap<Address, (Pages, JoinHandle<()>)>,
    /// Addresses that could not be bound, with the error that was logged.
    failed: BTreeMap<Address, String>,
}

impl Listeners {
    /// Starts the server at the option's address, if any.
    ///
    /// # Errors
    ///
    /// The system's error if that address cannot be bound.
    pub async fn start(metrics: Metrics, option: Option<Address>) -> io::Result<Self> {
        let mut listeners = Self {
            cache: Cache::new(metrics),
            option,
            running: BTreeMap::new(),
            failed: BTreeMap::new(),
        };
        if let Some(address) = listeners.option.clone() {
            listeners.run(address, Pages { metrics: true }).await?;
        }
        Ok(listeners)
    }

    /// Serves at the addresses of the configuration and of the option, and at no others. An address that
    /// cannot be bound is logged once, and tried again at the next call.
    pub async fn follow(&mut self, felix: &FelixConfiguration) {
        let address = |(host, port): &(String, u16)| Address {
            host: host.clone(),
            port: *port,
        };
        let mut wanted: BTreeMap<Address, Pages> = BTreeMap::new();
        wanted.extend(
            felix
                .health
                .iter()
                .map(|at| (address(at), Pages::default())),
        );
        let metrics = felix.metrics.iter().map(address).chain(self.option.clone());
        wanted.extend(metrics.map(|address| (address, Pages { metrics: true })));
        self.running.retain(|address, (pages, task)| {
            let stays = wanted.get(address) == Some(pages);
            if !stays {
                task.abort();
            }
            stays
        });
        self.failed
            .retain(|address, _| wanted.contains_key(address));
        for (address, pages) in wanted {
            if self.running.contains_key(&address) {
                continue;
            }
            match self.run(address.clone(), pages).await {
                Ok(()) => drop(self.failed.remove(&address)),
                Err(error) => {
                    let text = error.to_string();
                    if self.failed.get(&address) != Some(&text) {
                        log::error!("listen at {address} for metrics or health checks: {text}");
                        self.failed.insert(address, text);
                    }
                }
            }
        }
    }

    async fn run(&mut self, address: Address, pages: Pages) -> io::Result<()> {
        let listener = bind(&address).await?;
        if let Ok(bound) = listener.local_addr() {
            let what = if pages.metrics {
                "metrics"
            } else {
                "health checks"
            };
            log::info!("{what} at http://{bound}");
        }
        let task = tokio::spawn(serve(listener, self.cache.clone(), pages));
        self.running.insert(address, (pages, task));
        Ok(())
    }
}

/// Binds an address; all addresses means both families, unless the kernel has no IPv6.
async fn bind(address: &Address) -> io::Result<TcpListener> {
    let port = address.port;
    match address.host.as_str() {
        "" => match TcpListener::bind(("::", port)).await {
            Ok(listener) => Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            Err(_) => TcpListener::bind(("0.0.0.0", port)).await,
        },
        host => TcpListener::bind((host, port)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        for text in ["127.0.0.1:9091", "[::1]:0", ":9091", "localhost:9091"] {
            assert_eq!(read(text), Ok(text.to_owned()));
        }
        for text in ["9091", "::1:9091", "localhost:", "localhost:65536"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
