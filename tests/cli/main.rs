//! The program as its users call it: arguments, files and variables in; data, words and an exit code out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod check;
mod config;
mod explain;
mod logs;
mod run;
mod simulate;
mod token;
