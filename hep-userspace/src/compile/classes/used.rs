//! The numbers in use, of those that last from generation to generation.

/// Those of the numbers ever given that the present generation uses.
#[derive(Debug, Default)]
pub(crate) struct Used {
    is_used: Vec<bool>,
    numbers: Vec<u32>,
}

impl Used {
    /// Begins a generation.
    pub(crate) fn clear(&mut self) {
        for number in self.numbers.drain(..) {
            self.is_used[number as usize] = false;
        }
    }

    /// Notes that a number is used; returns whether it was not before.
    pub(crate) fn mark(&mut self, number: u32) -> bool {
        let at = number as usize;
        if at >= self.is_used.len() {
            self.is_used.resize(at + 1, false);
        }
        let is_new = !std::mem::replace(&mut self.is_used[at], true);
        if is_new {
            self.numbers.push(number);
        }
        is_new
    }

    /// Whether a number is used.
    pub(crate) fn holds(&self, number: u32) -> bool {
        self.is_used.get(number as usize) == Some(&true)
    }

    /// The numbers in use, in the order of their first use.
    pub(crate) fn numbers(&self) -> &[u32] {
        &self.numbers
    }
}
