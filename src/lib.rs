#![doc = include_str!("README.md")]

pub mod cli;
pub mod config;
pub mod directory;
pub mod model;
pub mod policy;
pub mod routing;
