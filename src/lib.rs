//! storemirror
pub mod api;
pub mod config;
pub mod db;
pub mod failure;
pub mod files;
pub mod model;
