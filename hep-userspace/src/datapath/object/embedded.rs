//! The embedded object, and its map definitions.

use std::{collections::BTreeMap, sync::OnceLock};

use aya_obj::{Object, generated::bpf_map_type};

use crate::datapath::KernelError;

/// The kernel programs, built by `build.rs`; empty under `HEP_WITHOUT_BPF`.
pub(crate) static BYTES: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hep-ebpf"));

/// Bytes of one page of the description.
pub(crate) const DESCRIPTION_PAGE: u32 = 4096;

/// Map definitions by name.
pub(crate) type Definitions = BTreeMap<String, aya_obj::Map>;

/// The object's map definitions, parsed once per process; without `.rodata` and the like.
pub(crate) fn definitions() -> Result<&'static Definitions, KernelError> {
    static DEFINITIONS: OnceLock<Definitions> = OnceLock::new();
    if let Some(parsed) = DEFINITIONS.get() {
        return Ok(parsed);
    }
    if cfg!(hep_without_bpf) {
        return Err(KernelError::WithoutPrograms);
    }
    let object = Object::parse(BYTES).map_err(|error| KernelError::Object(Box::new(error)))?;
    let declared = object
        .maps
        .into_iter()
        .filter(|(_, map)| map.symbol_index().is_some())
        .collect();
    Ok(DEFINITIONS.get_or_init(|| declared))
}

/// Definition of the maps in an outer map's slots.
pub(crate) fn inner(map: &'static str) -> Result<aya_obj::Map, KernelError> {
    if map == super::names::DESCRIPTION {
        return Ok(description_page());
    }
    definitions()?
        .get(map)
        .and_then(aya_obj::Map::inner)
        .ok_or(KernelError::Missing(map))
}

/// The programs never read the description, so the object does not declare it.
fn description_page() -> aya_obj::Map {
    use aya_obj::generated::{BPF_F_INNER_MAP, BPF_F_MMAPABLE};
    aya_obj::Map::new_from_params(
        bpf_map_type::BPF_MAP_TYPE_ARRAY as u32,
        4,
        DESCRIPTION_PAGE,
        1,
        BPF_F_INNER_MAP | BPF_F_MMAPABLE,
    )
}

#[cfg(all(test, not(hep_without_bpf)))]
mod tests {
    use super::*;
    use crate::datapath::{object::names, sys::mmap};

    /// Every outer map's template is a map that `fill` can map into memory, and create in any size.
    #[test]
    fn inner_arrays_are_mappable_and_resizable() {
        for map in names::OUTER {
            let inner = inner(map).expect("has a template");
            if inner.map_type() != bpf_map_type::BPF_MAP_TYPE_ARRAY as u32 {
                continue;
            }
            assert_eq!(inner.map_flags(), 0x1400, "flags of {map}");
        }
    }

    /// A generation's half is memory that `fill` can map without the other.
    #[test]
    fn halves_are_mappable_and_whole_pages() {
        let definitions = definitions().expect("parses");
        for map in names::HALVES {
            let array = &definitions[map];
            assert_eq!(array.map_flags(), 0x400, "flags of {map}");
            let stride = mmap::stride(array.value_size() as usize);
            let half = array.max_entries() as usize / 2 * stride;
            assert_eq!(half % 4096, 0, "half of {map}");
        }
    }

    #[test]
    fn the_object_declares_every_map_that_userspace_uses() {
        let definitions = definitions().expect("parses");
        for map in names::PLAIN {
            assert!(definitions.contains_key(map), "{map}");
        }
    }
}
