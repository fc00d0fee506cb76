//! The one test binary; each room of the house has its own file here.

mod given;
mod report_files;
mod report_output;
mod report_rules;
