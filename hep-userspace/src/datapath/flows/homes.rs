//! The tables of flows, for code that inserts flows.

use std::io;

use aya::Pod;
use hep_common::{
    conntrack::{Conn, ConnKey4, ConnKey6},
    protocol,
};

use crate::datapath::{KernelError, Maps, object::names, sys::bpf::Hash};

/// The key of one family's flows.
pub(crate) trait Key: Pod {
    /// The key in the table of flows that are not assured.
    fn widened(&self) -> ConnKey6;
    /// The tables of assured flows of this family: TCP, and the others.
    fn assured<'a, 'b>(homes: &'b Homes<'a>) -> [&'b Hash<'a, Self, Conn>; 2];
}

impl Key for ConnKey4 {
    fn widened(&self) -> ConnKey6 {
        Self::widened(self)
    }

    fn assured<'a, 'b>(homes: &'b Homes<'a>) -> [&'b Hash<'a, Self, Conn>; 2] {
        [&homes.tcp4, &homes.others4]
    }
}

impl Key for ConnKey6 {
    fn widened(&self) -> ConnKey6 {
        *self
    }

    fn assured<'a, 'b>(homes: &'b Homes<'a>) -> [&'b Hash<'a, Self, Conn>; 2] {
        [&homes.tcp6, &homes.others6]
    }
}

/// All tables of flows.
pub(crate) struct Homes<'a> {
    tcp4: Hash<'a, ConnKey4, Conn>,
    tcp6: Hash<'a, ConnKey6, Conn>,
    others4: Hash<'a, ConnKey4, Conn>,
    others6: Hash<'a, ConnKey6, Conn>,
    unassured: Hash<'a, ConnKey6, Conn>,
}

impl<'a> Homes<'a> {
    pub(crate) fn of(maps: &'a Maps) -> Result<Self, KernelError> {
        Ok(Self {
            tcp4: maps.hash(names::ASSURED_TCP4)?,
            tcp6: maps.hash(names::ASSURED_TCP6)?,
            others4: maps.hash(names::ASSURED4)?,
            others6: maps.hash(names::ASSURED6)?,
            unassured: maps.hash(names::UNASSURED)?,
        })
    }

    /// Inserts a flow among the assured ones, or the others, unless its key is there already. If the table of
    /// assured flows is full it goes among the others.
    pub(crate) fn settle<K: Key>(&self, key: &K, conn: &Conn, assured: bool) -> io::Result<()> {
        if assured {
            let [tcp, others] = K::assured(self);
            let table = if conn.protocol == protocol::TCP {
                tcp
            } else {
                others
            };
            match table.insert_missing(key, conn) {
                Err(error) if error.raw_os_error() == Some(libc::E2BIG) => {}
                result => return result,
            }
        }
        self.settle_unassured(&key.widened(), conn)
    }

    /// Inserts a flow among those that are not assured, unless its key is there already.
    pub(crate) fn settle_unassured(&self, key: &ConnKey6, conn: &Conn) -> io::Result<()> {
        self.unassured.insert_missing(key, conn)
    }
}
