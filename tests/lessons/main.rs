//! What other routers got wrong, a test each, and what was once wrong here.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod assigning;
mod bound;
mod figures;
mod found;
mod keeping;
mod reloading;
mod shop;
mod telling;
mod waiting;

/// A group of the shop.
fn group(id: &str, members: &[&str], settings: &str) -> String {
    let members: Vec<String> = members.iter().map(|who| format!("\"{who}\"")).collect();
    format!("[[seller.group]]\nid = \"{id}\"\nmembers = [{}]\n{settings}\n", members.join(", "))
}
