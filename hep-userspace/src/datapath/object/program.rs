//! The programs that are attached to interfaces.

use hep_common::Direction;

/// A program of the object, by the hook that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// Judges packets that come in.
    Ingress,
    /// Judges packets that go out.
    Egress,
}

impl Program {
    /// Every program.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    /// Its name in the object.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "hep_ingress",
            Self::Egress => "hep_egress",
        }
    }

    /// Its hook, in the names of pins and records and in messages.
    #[must_use]
    pub const fn hook(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// The program for packets of a direction.
impl From<Direction> for Program {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Ingress => Self::Ingress,
            Direction::Egress => Self::Egress,
        }
    }
}
