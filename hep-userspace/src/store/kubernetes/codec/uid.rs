//! Conversion between the uid of a custom resource and that of the resource in it (spec DS-126).

use uuid::Uuid;

/// The other uid of either: the bits of each byte reversed, except in those of the version and the variant.
///
/// # Errors
///
/// A text that is no UUID.
pub(super) fn converted(uid: &str) -> Result<String, String> {
    let uuid = Uuid::try_parse(uid).map_err(|error| format!("uid {uid:?}: {error}"))?;
    let mut bytes = uuid.into_bytes();
    for (index, byte) in bytes.iter_mut().enumerate() {
        if index != 6 && index != 8 {
            *byte = byte.reverse_bits();
        }
    }
    Ok(Uuid::from_bytes(bytes).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec DS-126, EX-20.
    #[test]
    fn a_uid_converts_both_ways() {
        for (stored, shown) in [
            (
                "30316465-6365-4463-ad63-3564622d3638",
                "0c8c26a6-c6a6-44c6-adc6-ac2646b46c1c",
            ),
            (
                "11111111-2222-4333-8444-555566667777",
                "88888888-4444-43cc-8422-aaaa6666eeee",
            ),
            (
                "6f0e2c1a-9b7d-4e53-8a41-0c2d3e4f5a6b",
                "f6703458-d9be-4eca-8a82-30b47cf25ad6",
            ),
        ] {
            assert_eq!(converted(stored).as_deref(), Ok(shown));
            assert_eq!(converted(shown).as_deref(), Ok(stored));
        }
        assert!(converted("not-a-uuid").is_err());
    }
}
