//! Lists of a document: their items, their length, and what repeats in them.

use std::collections::HashSet;

use super::{Code, cursor::Value, place::Step};
use crate::source::{Piece, Value as Yaml, YamlNode};

/// Most items of a list that is not meant to be long, but called like one that is.
const SHORT_LIST: usize = 256;

impl<'n> Value<'n> {
    /// The items of a list.
    pub(super) fn items(&self) -> Option<impl ExactSizeIterator<Item = Self> + use<'n>> {
        let Yaml::Sequence(list) = &self.node.value else {
            return self.wrong_type("a list", "write \"- \" before each item, or [a, b]");
        };
        let Some(nodes) = list.items() else {
            return self.too_many(list.len(), SHORT_LIST);
        };
        let (context, steps) = (self.context, self.steps.clone());
        Some(nodes.iter().enumerate().map(move |(index, node)| Self {
            context,
            node,
            steps: steps.then(Step::Index(index)),
        }))
    }

    /// The items of a list in order: long runs of lines are not taken apart.
    pub(super) fn pieces(&self) -> Option<impl Iterator<Item = Piece<'n, 'n>> + use<'n>> {
        match &self.node.value {
            Yaml::Sequence(nodes) => Some(nodes.pieces()),
            Yaml::Scalar(_) | Yaml::Mapping(_) => self.items().and(None),
        }
    }

    /// An item of this list.
    pub(super) fn item<'i>(&self, index: usize, node: &'i YamlNode<'i>) -> Value<'i>
    where
        'n: 'i,
    {
        Value {
            context: self.context,
            node,
            steps: self.steps.then(Step::Index(index)),
        }
    }

    /// How many items a list has; `None` if this is no list.
    pub(super) fn len(&self) -> Option<usize> {
        match &self.node.value {
            Yaml::Sequence(nodes) => Some(nodes.len()),
            Yaml::Scalar(_) | Yaml::Mapping(_) => None,
        }
    }

    /// The items of a list of at most `limit`, none of them empty.
    pub(super) fn items_up_to(&self, limit: usize) -> Option<Vec<Self>> {
        match self.len() {
            Some(items) if items > limit => self.too_many(items, limit),
            _ => Some(self.items()?.collect()),
        }
    }

    fn too_many<T>(&self, items: usize, limit: usize) -> Option<T> {
        self.error(
            Code::Range,
            format!("has {items} items, at most {limit} are allowed"),
            "split it",
        )
    }

    /// A list of text without repeats.
    pub(super) fn distinct_texts(&self, limit: usize) -> Option<Vec<(Self, &'n str)>> {
        let is_repeat = |item: &Self| {
            item.error(
                Code::Duplicate,
                "is already in this list",
                "keep one of the two",
            )
        };
        self.texts_once(self.items_up_to(limit)?, is_repeat)
    }

    /// A list of texts; repeats count once (RS-303).
    pub(super) fn texts(&self) -> Option<Vec<(Self, &'n str)>> {
        let is_repeat = |item: &Self| {
            item.notice_repeat();
            Some(())
        };
        self.texts_once(self.items()?.collect(), is_repeat)
    }

    /// Says that a list has this item already (RS-303).
    pub(super) fn notice_repeat(&self) {
        self.notice(
            Code::RepeatedItem,
            "is already in this list, and counts once",
            "",
        );
    }

    fn texts_once(
        &self,
        items: Vec<Self>,
        is_repeat: impl Fn(&Self) -> Option<()>,
    ) -> Option<Vec<(Self, &'n str)>> {
        let mut known = HashSet::new();
        let mut seen: Vec<(Self, &'n str)> = Vec::with_capacity(items.len());
        for item in items {
            let Some(text) = item.text() else { continue };
            if known.insert(text) {
                seen.push((item, text));
            } else {
                is_repeat(&item);
            }
        }
        Some(seen)
    }

    /// Warns of a list longer than Calico's schema allows from 3.33 on (RS-302), unless it is in a store
    /// (DS-098).
    pub(super) fn warn_if_longer(&self, limit: usize) {
        let is_longer = |items: &usize| *items > limit && !self.is_stored();
        if let Some(items) = self.len().filter(is_longer) {
            self.warn(
                Code::Schema,
                format!("has {items} items; Calico's schema allows {limit} from 3.33 on"),
                "split it if Calico is to take it as well",
            );
        }
    }
}
