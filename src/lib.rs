#![doc = include_str!("README.md")]

pub mod cli;
pub mod config;
pub mod directory;
pub mod auth;
pub mod clock;
pub mod delivery;
pub mod journal;
pub mod logs;
pub mod protocol;
pub mod model;
pub mod policy;
pub mod routing;
