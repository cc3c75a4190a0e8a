//! Finds two tools with one name in two parts, while the program is compiled.

use crate::policy::{Declaration, Feature, Location};

/// A sentence that is made while the program is compiled.
#[derive(Debug)]
pub struct Sentence {
    text: [u8; LONGEST],
    length: usize,
}

/// The longest sentence, in bytes. What is longer is cut off.
const LONGEST: usize = 240;

impl Sentence {
    /// The text.
    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.text.split_at(self.length).0) {
            Ok(text) => text,
            // A cut within a character.
            Err(_) => "two parts have a tool, a prompt or a resource of the same name",
        }
    }

    const fn with(mut self, text: &str) -> Self {
        let (bytes, mut number) = (text.as_bytes(), 0);
        while number < bytes.len() && self.length < LONGEST {
            self.text[self.length] = bytes[number];
            self.length += 1;
            number += 1;
        }
        self
    }
}

const DIGITS: &str = "0123456789";

impl Sentence {
    const fn at(self, place: Location) -> Self {
        self.with(place.file()).with(":").with_number(place.line())
    }

    const fn with_number(mut self, number: u32) -> Self {
        if number >= 10 {
            self = self.with_number(number / 10);
        }
        let (_, from) = DIGITS.split_at(number as usize % 10);
        self.with(from.split_at(1).0)
    }
}

/// The sentence about the first two declarations of different parts that have one name.
pub const fn two_with_one_name(parts: &[&[Declaration]]) -> Option<Sentence> {
    let mut later = 1;
    while later < parts.len() {
        let mut earlier = 0;
        while earlier < later {
            if let Some(sentence) = two_of(parts[earlier], parts[later]) {
                return Some(sentence);
            }
            earlier += 1;
        }
        later += 1;
    }
    None
}

const fn two_of(some: &[Declaration], others: &[Declaration]) -> Option<Sentence> {
    let mut one = 0;
    while one < some.len() {
        let mut other = 0;
        while other < others.len() {
            let (first, second) = (&some[one], &others[other]);
            if same(first.name(), second.name()) && first.feature() as u8 == second.feature() as u8
            {
                let sentence = Sentence { text: [0; LONGEST], length: 0 };
                let word = match first.feature() {
                    Feature::Tool => "tools are",
                    Feature::Resource => "resources are",
                    Feature::Prompt => "prompts are",
                };
                let sentence = sentence.with("two ").with(word).with(" named \"");
                let sentence = sentence.with(first.name()).with("\", at ").at(first.location());
                return Some(sentence.with(" and at ").at(second.location()));
            }
            other += 1;
        }
        one += 1;
    }
    None
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    // Names differ at their end more often than at their beginning: `todo_list`, `todo_read`.
    let mut number = one.len();
    while number > 0 {
        number -= 1;
        if one[number] != other[number] {
            return false;
        }
    }
    true
}
