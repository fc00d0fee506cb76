//! A payload of any kind becomes a row, or says which field is wrong.

#![no_main]

#[path = "../invariants.rs"]
#[allow(dead_code)]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::payload(bytes));
