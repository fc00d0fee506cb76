//! Answers that nobody honest gives: larger than memory, endless, too deep, no UTF-8, out of range. Each ends in a clear
//! error or a quarantined record, within bounded memory, with everything that came before kept.

mod answers;
mod records;
pub mod rude;
