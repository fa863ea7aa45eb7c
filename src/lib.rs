#![doc = include_str!("README.md")]

pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod delivery;
pub mod directory;
pub mod dispatch;
pub mod journal;
pub mod logs;
pub mod model;
pub mod policy;
pub mod protocol;
pub mod routing;
pub mod server;
pub mod session;
