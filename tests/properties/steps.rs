//! What may happen in a world: steps that mean something whatever happened before, so that a failing run can be cut short.

use crate::random::Random;

/// A step. Its numbers are taken modulo what there is when it happens.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Start { buyer: usize, seller: usize, source: usize, message: bool },
    BuyerSends { at: usize },
    OwnerSends { at: usize },
    BuyerCloses { at: usize },
    OwnerCloses { at: usize },
    Accept { at: usize },
    Decline { at: usize },
    TransferToGroup { at: usize, by: usize, group: usize },
    TransferToAgent { at: usize, agent: usize, force: bool },
    Claim { at: usize, by: usize, force: bool },
    Assign { at: usize, by: usize, agent: usize, force: bool },
    Status { agent: usize, status: usize, reroute: bool },
    SetOther { by: usize, agent: usize, seller: usize, status: usize, reroute: bool },
    Arrive { agent: usize, status: usize },
    Leave { agent: usize },
    BuyerPresence { buyer: usize, online: bool },
    Reopen { at: usize },
    Wait { tenths: u64 },
    Restart { seconds: u64 },
}

/// Some steps of a seed.
pub fn random(random: &mut Random, count: usize) -> Vec<Step> {
    let mut steps = Vec::with_capacity(count);
    for agent in 0..8 {
        if random.percent(60) {
            steps.push(Step::Arrive { agent, status: 0 });
        }
    }
    while steps.len() < count {
        steps.push(step(random));
    }
    steps
}

fn step(random: &mut Random) -> Step {
    let mut n = || random.next() as usize / 7;
    let (at, by, agent) = (n(), n(), n());
    let (flag, other) = (n().is_multiple_of(4), n());
    match n() % 100 {
        0..22 => Step::Start { buyer: at, seller: by, source: agent, message: flag },
        22..27 => Step::BuyerSends { at },
        27..31 => Step::OwnerSends { at },
        31..34 => Step::BuyerCloses { at },
        34..42 => Step::OwnerCloses { at },
        42..48 => Step::Accept { at },
        48..52 => Step::Decline { at },
        52..55 => Step::TransferToGroup { at, by, group: other },
        55..57 => Step::TransferToAgent { at, agent, force: flag },
        57..59 => Step::Claim { at, by, force: flag },
        59..61 => Step::Assign { at, by, agent, force: flag },
        61..68 => Step::Status { agent, status: other, reroute: flag },
        68..71 => Step::SetOther { by, agent, seller: at, status: other, reroute: flag },
        71..77 => Step::Arrive { agent, status: other },
        77..81 => Step::Leave { agent },
        81..84 => Step::BuyerPresence { buyer: at, online: flag },
        84..87 => Step::Reopen { at },
        87..99 => Step::Wait { tenths: [10, 10, 50, 100, 37, 200, 450, 3_000][other % 8] },
        _ => Step::Restart { seconds: [0, 5, 40, 400][other % 4] },
    }
}
