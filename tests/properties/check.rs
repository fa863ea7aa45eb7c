//! What has to hold after every command: the reference agrees, and the invariants hold by brute force.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use fenliu::directory::DomainId;
use fenliu::model::{AccountId, Caller, State};
use fenliu::routing::{
    Acted, Actor, Command, Conversation, Decision, Event, Hypothesis, Notice, Outcome, Outgoing, Recipient, Start,
};

use crate::model::Model;
use crate::real::is_decision;
use crate::run::Run;

/// Everything, of one domain.
pub fn all(run: &Run<'_>, domain: DomainId, acted: &Acted) -> Result<(), String> {
    let model = &run.models[domain.0 as usize];
    conversations(run, model)?;
    places(run, model, domain)?;
    agents(run, model)?;
    rotations(run, model)?;
    limits(model)?;
    secrets(run, acted)?;
    traced(acted)?;
    kept(run)
}

/// A conversation, but for what only counts messages, and for what brought it to its owner: the traces are held to that.
fn plain(conversation: &Conversation) -> Conversation {
    let mut plain = conversation.clone();
    plain.rev = 0;
    plain.came_by = None;
    plain.rare.change(|rare| rare.note = None);
    plain.tail = fenliu::routing::Tail {
        last_wrote: plain.tail.last_wrote,
        unanswered_since: plain.tail.unanswered_since,
        ..fenliu::routing::Tail::default()
    };
    plain
}

fn same<T: PartialEq + Debug>(what: &str, real: &T, reference: &T) -> Result<(), String> {
    if real == reference {
        return Ok(());
    }
    Err(format!("{what}:\n{}", difference(&format!("{real:#?}"), &format!("{reference:#?}"))))
}

/// The members that differ: the real ones first.
fn difference(real: &str, reference: &str) -> String {
    let (real, reference) = (members(real), members(reference));
    let only = |these: &[String], others: &[String]| {
        these.iter().filter(|line| !others.contains(line)).cloned().collect::<Vec<_>>().join("\n    ")
    };
    format!("  real\n    {}\n  reference\n    {}", only(&real, &reference), only(&reference, &real))
}

/// A pretty-printed value, a member of its outermost structs a line.
fn members(pretty: &str) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    for line in pretty.lines() {
        let depth = line.len() - line.trim_start().len();
        match members.last_mut() {
            Some(last) if depth > 4 => last.push_str(line.trim()),
            _ => members.push(line.trim().to_owned()),
        }
    }
    members
}

fn conversations(run: &Run<'_>, model: &Model) -> Result<(), String> {
    let facts = run.real.facts().open;
    let real = facts.values().filter(|c| model.sellers.contains(&c.seller));
    let (real, reference): (Vec<_>, Vec<_>) = (real.map(plain).collect(), model.open.values().map(plain).collect());
    for conversation in facts.values() {
        same("whether something brought it there", &conversation.came_by.is_some(), &conversation.owner().is_some())?;
    }
    for (real, reference) in real.iter().zip(&reference) {
        same(&format!("conversation {} of {}", real.id, real.seller), real, reference)?;
    }
    same("how many are open", &real.len(), &reference.len())
}

fn places(run: &Run<'_>, model: &Model, domain: DomainId) -> Result<(), String> {
    for view in run.real.views(domain, run.now) {
        let conversation = &model.open[&view.id];
        let position = view.queue.map(|place| place.position as usize);
        let expected = (conversation.state == State::Queued).then(|| model.position(conversation));
        same(&format!("the place of {}", view.id), &position, &expected)?;
        let agent = view.agent.as_ref().map(|(account, _)| account);
        same("who owns it, as shown", &agent, &conversation.owner())?;
    }
    Ok(())
}

fn agents(run: &Run<'_>, model: &Model) -> Result<(), String> {
    for (account, agent) in &model.agents {
        let Some(row) = run.real.store.agents.get(account) else {
            same("an agent without a row", &agent.status, &fenliu::model::Status::Offline)?;
            continue;
        };
        let paused: Vec<_> = agent.paused.iter().map(|(seller, status)| (seller.clone(), *status)).collect();
        let mut real = row.paused.clone();
        real.sort_by(|(a, _), (b, _)| a.cmp(b));
        same(&format!("the pauses of {account}"), &real, &paused)?;
        let real = (row.status, row.since, row.last_given, row.last_ended, row.missed_offers);
        let reference = (agent.status, agent.since, agent.given, agent.ended, agent.missed);
        same(&format!("status, since, given, ended, missed of {account}"), &real, &reference)?;
    }
    Ok(())
}

fn rotations(run: &Run<'_>, model: &Model) -> Result<(), String> {
    for (key, rotation) in &model.rotations {
        let row = run.real.store.groups.get(key).ok_or_else(|| format!("no row of the rotation of {key:?}"))?;
        same(&format!("the rotation of {key:?}"), &row.last_chosen, &rotation.last)?;
        // A rotation that is not weighted has none: all stay where they began.
        let weights: BTreeMap<_, _> = row.weights.iter().filter(|(_, weight)| *weight != 0).cloned().collect();
        let reference = rotation.weights.iter().filter(|(_, weight)| **weight != 0);
        let reference = reference.map(|(who, weight)| (who.clone(), *weight)).collect();
        same(&format!("the weights of {key:?}"), &weights, &reference)?;
    }
    Ok(())
}

/// Invariants 1 and 2: one owner, and nobody above twice any limit.
fn limits(model: &Model) -> Result<(), String> {
    for conversation in model.open.values() {
        let one = conversation.agent.is_some() == matches!(conversation.state, State::Active | State::Offered);
        same("that who holds it is one", &one, &true)?;
    }
    for account in model.agents.keys() {
        let held = model.held(account, None, None);
        let most = 2 * model.directory.capacity_of(account);
        same("that nobody holds more than twice its capacity", &(held <= most), &true)?;
    }
    Ok(())
}

/// Invariant 5: nothing of a seller reaches anybody not authorised for it.
fn secrets(run: &Run<'_>, acted: &Acted) -> Result<(), String> {
    for outgoing in &acted.outgoing {
        for to in &outgoing.to {
            let Recipient::Staff(account) = to else { continue };
            let authorization = run.world.directory.sellers[&outgoing.seller].agents.get(account);
            let in_force = authorization.is_some_and(|authorization| authorization.in_force(run.now));
            if authorization.is_none() && matches!(outgoing.notice, Notice::Unassigned { to: Some(_), .. }) {
                return Err(format!("{account} is told who has what was its own: {:?}", outgoing.notice));
            }
            if !in_force && !may_hear_suspended(outgoing, account) {
                return Err(format!("{account} is told of {}: {:?}", outgoing.seller, outgoing.notice));
            }
        }
    }
    Ok(())
}

/// What somebody suspended is told: that it has lost what it held, and its own status.
fn may_hear_suspended(outgoing: &Outgoing, account: &AccountId) -> bool {
    match &outgoing.notice {
        Notice::Unassigned { .. } | Notice::OfferEnded { .. } => true,
        Notice::Presence { agent, .. } => agent == account,
        _ => false,
    }
}

/// A trace stands behind every placement and every end without one, and says what happened.
fn traced(acted: &Acted) -> Result<(), String> {
    let Some(batch) = &acted.batch else { return Ok(()) };
    for (at, event) in batch.events.iter().enumerate() {
        let (agent, state, cause) = match event {
            Event::Assigned { agent, cause, .. } => (Some(agent), State::Active, Some(cause)),
            Event::Offered { agent, .. } => (Some(agent), State::Offered, None),
            Event::Left { .. } => (None, State::LeftMessage, None),
            _ => continue,
        };
        let decision = batch.events[..].iter().skip(at + 1).find(|event| is_decision(event));
        let Some(Event::Decided { decision, .. }) = decision else { return Err(format!("no trace of {event:?}")) };
        same("whom the trace says was chosen", &decision.chosen.agent.as_ref(), &agent)?;
        same("the state the trace says it is in", &decision.chosen.state, &state)?;
        same("what the trace says brought it there", &&decision.cause, &cause.unwrap_or(&decision.cause))?;
    }
    Ok(())
}

/// Invariant 7: the rows that were written are the table's, and so is what the records make of the rows before them.
fn kept(run: &Run<'_>) -> Result<(), String> {
    let facts = run.real.facts();
    let (mut here, mut there) = (facts.open.clone(), run.real.store.open.clone());
    // A start takes every buyer for gone until it is seen: that is of its sessions, and nowhere written.
    for (here, there) in here.values_mut().zip(there.values_mut()) {
        if there.buyer_gone_since.is_none() {
            here.buyer_gone_since = None;
        }
    }
    same("the rows of the table, and those written", &here, &there)?;
    for (account, row) in &run.real.store.agents {
        same("the agent's row of the table, and that written", &facts.agents[account], row)?;
    }
    for (key, row) in &run.real.store.groups {
        same("the group's row of the table, and that written", &facts.groups[key], row)?;
    }
    Ok(())
}

/// Invariant 7, the costly half: the records applied to the rows of the start.
pub fn replayed(run: &Run<'_>) -> Result<(), String> {
    let (replayed, facts) = (run.real.replayed(), run.real.facts());
    same("what the records make, and the table", &replayed.open, &facts.open)?;
    same("the agents that the records make", &replayed.agents, &facts.agents)?;
    same("the rotations that the records make", &replayed.groups, &facts.groups)
}

/// What a hypothetical buyer is told, if it has nothing open; nothing changes by it.
pub fn hypothesis(run: &Run<'_>, domain: DomainId, start: &Start) -> Result<Option<Arc<Decision>>, String> {
    let mut open = run.real.store.open.values();
    if open.any(|c| c.seller == start.seller && c.profile.key == start.profile.key) {
        return Ok(None);
    }
    let before = run.real.facts();
    let hypothesis = Hypothesis {
        seller: start.seller.clone(),
        profile: Arc::clone(&start.profile),
        context: Arc::clone(&start.context),
        text: None,
        past: start.past.clone(),
    };
    let operator = Caller::Operator { sub: "op".into() };
    let actor = Actor { caller: Some(&operator), session: None };
    let command = Command::Explain(Box::new(hypothesis));
    let acted = run.real.table.act(domain, &actor, command, run.now, |acted| acted);
    same("what a hypothesis records", &acted.batch, &None)?;
    same("what a hypothesis changes", &run.real.facts(), &before)?;
    let Ok(Outcome::Decision(decision)) = acted.result else { return Err(format!("{:?}", acted.result)) };
    Ok(Some(decision))
}

/// What was said of a hypothetical buyer is what became of the real one.
pub fn as_said(run: &Run<'_>, start: &Start, said: &Decision) -> Result<(), String> {
    let events = run.real.batches.iter().rev().flat_map(|(_, batch)| batch.events.iter());
    let mut decisions = events.filter_map(|event| match event {
        Event::Decided { conversation, decision } if *conversation == start.conversation => Some(decision),
        _ => None,
    });
    let live = decisions.next().ok_or("no trace of a start")?;
    same("who was said to get it", &live.chosen, &said.chosen)?;
    same("the steps that were said", &live.steps, &said.steps)?;
    same("the bindings that were said", &live.bindings, &said.bindings)?;
    same("who was said to be next", &live.runner_up, &said.runner_up)?;
    same("who was said to be unavailable", &live.unavailable, &said.unavailable)
}
