//! Servers that answer with what they were sent.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use socket2::SockRef;

use super::{
    namespace,
    probe::{Probe, Traffic},
};

/// How often a server looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(200);

/// Echo servers; they end when this is dropped.
pub(crate) struct Services {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Services {
    /// Starts the services that the probes use.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound.
    pub(crate) fn start(probes: &[Probe]) -> Result<Self> {
        let mut services = Self {
            stop: Arc::default(),
            threads: Vec::new(),
        };
        let mut bound = BTreeSet::new();
        for probe in probes {
            if let (Some(address), traffic) = (probe.service(), probe.traffic)
                && bound.insert((address, matches!(traffic, Traffic::Tcp(_))))
            {
                services
                    .serve(probe.to, address, traffic)
                    .with_context(|| format!("serve {address} in {}", probe.to))?;
            }
        }
        Ok(services)
    }

    fn serve(&mut self, namespace: &str, address: SocketAddr, traffic: Traffic) -> Result<()> {
        let stop = Arc::clone(&self.stop);
        let thread = if matches!(traffic, Traffic::Tcp(_)) {
            let listener = namespace::inside(namespace, || Ok(TcpListener::bind(address)?))?;
            // Linux ends `accept` after this time too.
            SockRef::from(&listener).set_read_timeout(Some(PATIENCE))?;
            thread::spawn(move || serve_tcp(&listener, &stop))
        } else {
            let socket = namespace::inside(namespace, || Ok(UdpSocket::bind(address)?))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            thread::spawn(move || serve_udp(&socket, &stop))
        };
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A server that panicked has ended, which is all that is asked of it.
            drop(thread.join());
        }
    }
}

fn serve_tcp(listener: &TcpListener, stop: &AtomicBool) {
    thread::scope(|scope| {
        while !stop.load(Ordering::Relaxed) {
            if let Ok((connection, _peer)) = listener.accept() {
                scope.spawn(move || echo(connection, stop));
            }
        }
    });
}

fn echo(mut connection: TcpStream, stop: &AtomicBool) {
    let mut buffer = [0; 512];
    if connection.set_read_timeout(Some(PATIENCE)).is_err() {
        return;
    }
    while !stop.load(Ordering::Relaxed) {
        match connection.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                if connection.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
}

fn serve_udp(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            // The sender notices a lost answer itself.
            drop(socket.send_to(&buffer[..length], peer));
        }
    }
}
