#![doc = include_str!("README.md")]

pub mod directory;
pub mod model;
pub mod policy;
pub mod routing;
