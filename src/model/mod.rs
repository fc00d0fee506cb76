//! Plain data and pure code: the four kinds, the one declaration of their columns, and the way from a payload to a
//! row to CRM fields. Nothing here touches a file, a socket or a clock.

mod columns;
pub mod crm;
pub mod instant;
pub mod json;
pub mod kind;
pub mod mapping;
pub mod money;
pub mod nearest;
pub mod object_meanings;
pub mod objects;
pub mod personal;
mod report_views;
mod statements;
pub mod tables;
pub mod value;

pub use kind::Kind;
pub use mapping::{Content, Finding, Mapped, map_record, read_content, record_id};
pub use tables::{Column, Table};
pub use value::Value;
