//! The one macro that lets a type cross the kernel boundary.

/// Asserts that `$type` is `$size` bytes and that its fields, listed in order, add up to that, so
/// that it has no padding; under the `user` feature it then is [`aya::Pod`].
macro_rules! abi {
    ($type:ty, $size:expr, [$($field:ty),+ $(,)?]) => {
        const _: () = {
            assert!(size_of::<$type>() == $size, "size of the ABI type changed");
            assert!(0 $(+ size_of::<$field>())+ == $size, "the ABI type has padding");
        };

        #[cfg(feature = "user")]
        // SAFETY: `$type` is `repr(C)` and `Copy`, the assertions above rule padding out, and its
        // fields are integers or arrays of such, for which every bit pattern is a value.
        unsafe impl aya::Pod for $type {}
    };
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{
        fs,
        path::{Path, PathBuf},
        string::{String, ToString as _},
        vec::Vec,
    };

    /// The ABI version and the [`fingerprint`] of its layouts.
    const KNOWN: (u32, u64) = (6, 13_249_296_365_940_280_236);

    /// A layout that changes without the version would be opened as the old one.
    #[test]
    fn no_layout_changes_without_the_version() {
        let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        let layouts: Vec<String> = sources
            .iter()
            .flat_map(|path| layouts(&fs::read_to_string(path).expect("readable")))
            .collect();
        assert!(layouts.len() > 20, "{layouts:#?}");
        let version = crate::ABI_VERSION - u32::from(cfg!(feature = "other-abi"));
        let found = (version, fingerprint(&layouts));
        assert_eq!(
            found, KNOWN,
            "a layout is not what it was: raise ABI_VERSION (and LAYOUT_VERSION, if it is that of \
             flows), and write the new pair here"
        );
    }

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).expect("the folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                found.extend(sources(&path));
            } else {
                found.push(path);
            }
        }
        found.sort();
        found
    }

    /// The items with a layout of their own, without comments and spaces.
    fn layouts(text: &str) -> Vec<String> {
        let code = text
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default());
        let code: String = code
            .flat_map(str::split_whitespace)
            .flat_map(|word| [word, " "])
            .collect();
        let items = code.split("#[repr(").skip(1);
        items
            .filter_map(|item| item.find('}').map(|end| item[..end].to_string()))
            .collect()
    }

    /// FNV-1a of the items, whatever their order.
    fn fingerprint(layouts: &[String]) -> u64 {
        let mut sorted: Vec<&String> = layouts.iter().collect();
        sorted.sort();
        let bytes = sorted.iter().flat_map(|item| item.bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    #[test]
    fn comments_do_not_count_and_fields_do() {
        let layout = |text| fingerprint(&layouts(text));
        let before = layout("#[repr(C)]\npub struct A {\n    /// One.\n    pub a: u32,\n}");
        assert_eq!(
            before,
            layout("#[repr(C)]\npub struct A {\n    pub a: u32, // two\n}")
        );
        assert_ne!(
            before,
            layout("#[repr(C)]\npub struct A {\n    pub a: u16,\n}")
        );
    }
}
