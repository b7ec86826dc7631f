//! Maps that new ones have replaced.

use aya::maps::MapData;

use super::layout::Layout;

/// A map that a new one has replaced.
#[derive(Debug)]
pub(crate) struct Displaced {
    pub(crate) name: &'static str,
    pub(crate) map: MapData,
    /// Layout of the flows in it, if they are another version's.
    pub(crate) former: Option<Layout>,
}

impl Displaced {
    /// A map of another version.
    pub(crate) const fn of_another_version(
        name: &'static str,
        map: MapData,
        layout: Layout,
    ) -> Self {
        Self {
            name,
            map,
            former: Some(layout),
        }
    }
}
