//! What the domain shows of itself: conversations, places in queues, desks, hypothetical decisions.

use std::sync::Arc;
use std::time::Duration;

use super::command::Answer;
use super::route::Asked;
use super::{Actor, Cause, Domain, Entry};
use crate::model::{AccountId, Body, Caller, ConversationId, SellerId, Sender, State, Status, Timestamp, Visibility};
use crate::routing::conversation::Conversation;
use crate::routing::day::Day;
use crate::routing::desk::{self, GroupState};
use crate::routing::view::{
    Desk, DeskAgent, DeskEntry, DeskGroup, LeftReason, Message, Outcome, Place, Seen, Today, View,
};
use crate::routing::{Hypothesis, Past, Refusal, Start};

impl Domain {
    /// An open conversation as it is now.
    pub(in crate::routing) fn shown(&self, id: ConversationId, now: Timestamp) -> Option<Arc<View>> {
        self.conversations.get(&id).map(|entry| self.view(entry, now))
    }

    /// What an agent owns.
    pub(in crate::routing) fn held_by(&self, account: &AccountId, now: Timestamp) -> Vec<Arc<View>> {
        let holds = self.agent_of(account).into_iter().flat_map(|agent| &self.agents[agent].holds);
        let entries = holds.filter_map(|id| self.conversations.get(id));
        entries.filter(|entry| entry.conversation.owner() == Some(account)).map(|entry| self.view(entry, now)).collect()
    }

    /// A conversation as it is now.
    pub(super) fn view(&self, entry: &Entry, now: Timestamp) -> Arc<View> {
        let conversation = &entry.conversation;
        let mut view = self.view_closed(conversation);
        if conversation.state == State::Queued {
            view.queue = Some(self.place(entry, now));
        }
        view.at = now;
        view.offer = conversation.rare.offer_until.filter(|_| conversation.state == State::Offered);
        Arc::new(view)
    }

    /// A conversation as its row says it: all there is to one that is closed.
    pub(super) fn view_closed(&self, conversation: &Conversation) -> View {
        let name = |account| match self.agent_of(account) {
            Some(agent) => Arc::clone(&self.agents[agent].name),
            None => account.as_str().into(),
        };
        let shown = matches!(conversation.state, State::Active | State::Closed);
        let agent = conversation.agent.as_ref().filter(|_| shown);
        View::of(conversation, agent.map(|account| (account.clone(), name(account))))
    }

    /// The place of a conversation in its queue, and how long it will wait if that is known.
    pub(super) fn place(&self, entry: &Entry, _now: Timestamp) -> Place {
        let desk = &self.desks[entry.desk];
        let key = desk::key(desk.config(entry.group), &entry.conversation);
        let position = desk.groups[entry.group].position(&key);
        Place { position, estimated_wait: self.estimate(entry.desk, entry.group, position) }
    }

    /// ⌈position × mean duration of the group's last 50 closed ÷ slots of its members online⌉.
    pub(super) fn estimate(&self, at: usize, group: usize, position: u32) -> Option<u32> {
        let GroupState { durations, slots, .. } = &self.desks[at].groups[group];
        let mean = durations.mean()?;
        let millis = u128::from(position) * mean.as_millis();
        let seconds = millis.div_ceil(u128::from(*slots).checked_mul(1000).filter(|slots| *slots > 0)?);
        Some(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// A text of the daemon itself.
    pub(super) fn system_text(&self, entry: &Entry, text: &str, now: Timestamp) -> Message {
        let tail = &entry.conversation.tail;
        let json = format!(r#"{{"type":"text","text":{}}}"#, serde_json::Value::from(text));
        Message {
            conversation: entry.conversation.id,
            seq: tail.last_seq + 1,
            prev_for_buyer: tail.last_for_buyer,
            sender: Sender::System,
            name: None,
            body: Body::from_checked(json),
            visibility: Visibility::All,
            client_id: None,
            at: now,
        }
    }

    pub(super) fn view_desk(
        &mut self,
        actor: &Actor<'_>,
        seller: &SellerId,
        subscribe: Option<bool>,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let at = self.desk_at.get(seller).copied().ok_or(Refusal::NotFound)?;
        if let (Some(Caller::Staff { account, .. }), Some(on)) = (actor.caller, subscribe) {
            self.desks[at].listeners.subscribe(account, on);
        }
        Ok(Answer::Ready(Outcome::Desk(self.desk(at, now))))
    }

    /// A desk as it is now.
    pub(super) fn desk(&self, at: usize, now: Timestamp) -> Arc<Desk> {
        let desk = &self.desks[at];
        let nothing = Day::default();
        let day = desk.counted_today(now).unwrap_or(&nothing);
        let waited = |id: &ConversationId| now.since(self.conversations[id].conversation.waiting_since);
        let groups = desk.groups.iter().map(|group| DeskGroup {
            group: desk.config(group.at).id.clone(),
            name: Arc::clone(&desk.config(group.at).name),
            waiting: u32::try_from(group.queue.len()).unwrap_or(u32::MAX),
            left_messages: u32::try_from(group.left.len()).unwrap_or(u32::MAX),
            longest_wait: group.queue.iter().map(|(_, _, id)| waited(id)).max().unwrap_or(Duration::ZERO),
        });
        let agents = desk.agents.iter().map(|agent| self.desk_agent(at, *agent));
        let entries = day.entries.iter().map(|(entry, (started, served))| DeskEntry {
            entry: entry.clone(),
            started: *started,
            served: *served,
        });
        let today = Today {
            started: day.started,
            served: day.served,
            left: day.left,
            closed: day.closed,
            median_wait: day.waits.median(),
            median_first_reply: day.first_replies.median(),
            replied_in_time_ratio: (day.replied > 0).then(|| day.replied_in_time as f64 / day.replied as f64),
        };
        Arc::new(Desk {
            seller: Some(desk.seller.id.clone()),
            generation: self.directory.generation,
            groups: groups.collect(),
            agents: agents.collect(),
            entries: entries.collect(),
            today,
        })
    }

    fn desk_agent(&self, at: usize, agent: usize) -> DeskAgent {
        let state = &self.agents[agent];
        let post = state.post(at);
        DeskAgent {
            account: state.account.clone(),
            name: Arc::clone(&state.name),
            groups: state.seats_at(at).map(|seat| self.group_id(at, seat.group).clone()).collect(),
            status: self.status_shown(agent, at),
            held: post.map_or(0, |post| post.load),
            capacity: post.and_then(|post| post.capacity).map_or(state.capacity, |limit| limit.min(state.capacity)),
            sessions: u32::try_from(state.sessions.len()).unwrap_or(u32::MAX),
            since: state.since,
        }
    }

    /// What an agent is for a seller: offline as soon as it cannot be reached.
    pub(super) fn status_shown(&self, agent: usize, desk: usize) -> Status {
        let state = &self.agents[agent];
        let reachable = state.is_connected() || state.grace_until.is_some();
        if reachable { state.status_for(desk) } else { Status::Offline }
    }

    /// What would happen to a hypothetical buyer: the same code on the live table, and nothing changes.
    pub(super) fn explain(&self, hypothesis: &Hypothesis, now: Timestamp) -> Result<Answer, Refusal> {
        let at = self.desk_at.get(&hypothesis.seller).copied().ok_or(Refusal::NotFound)?;
        let desk = &self.desks[at];
        let start = Start {
            conversation: ConversationId(0),
            seller: hypothesis.seller.clone(),
            entry: desk.seller.shop.clone(),
            profile: Arc::clone(&hypothesis.profile),
            context: Arc::clone(&hypothesis.context),
            message: None,
            past: Past { recent: hypothesis.past.recent.clone() },
            open: 0,
        };
        let group = self.group_id(at, desk.default_group).clone();
        let mut entry = Entry::new(Conversation::begun(&start, group, now), at, desk.default_group, true);
        let text = hypothesis.text.as_deref();
        let asked = Asked { profile: &start.profile, context: &start.context, entry: &start.entry, text };
        let fresh = self.route(&mut entry, &asked, Cause::WhatIf, now);
        self.wait_for_recent(&mut entry, now);
        let leaves = fresh.leave.is_some();
        let pick = if leaves { None } else { self.select(&entry, Some(Cause::WhatIf), now) };
        let mut decision = self.trace(&entry, &fresh, pick.as_ref(), true, now);
        decision.chosen.state = match &pick {
            Some(pick) => {
                let asks =
                    desk.config(entry.group).assignment == crate::directory::Assignment::Offer && !pick.how.gives();
                if asks { State::Offered } else { State::Active }
            }
            None if self.would_leave(&entry, &fresh, now) => State::LeftMessage,
            None => State::Queued,
        };
        Ok(Answer::Ready(Outcome::Decision(Arc::new(decision))))
    }

    fn would_leave(&self, entry: &Entry, fresh: &super::Fresh, now: Timestamp) -> bool {
        let limit = self.desks[entry.desk].config(entry.group).queue_limit;
        let full = limit > 0 && self.desks[entry.desk].groups[entry.group].counted >= limit;
        full || self.must_leave(entry, Some(fresh), now).is_some_and(|reason| reason != LeftReason::QueueFull)
    }
}

impl View {
    /// A conversation as its row says it, with the agent to be shown.
    pub fn of(conversation: &Conversation, agent: Option<(crate::model::AccountId, Arc<str>)>) -> Self {
        let tail = &conversation.tail;
        let left = conversation.left.filter(|_| conversation.state == State::LeftMessage);
        Self {
            id: conversation.id,
            rev: conversation.rev,
            seller: conversation.seller.clone(),
            buyer: Arc::clone(&conversation.profile),
            state: conversation.state,
            agent,
            group: Some(conversation.group.clone()),
            priority: conversation.priority,
            queue: None,
            offer: None,
            at: Timestamp::ZERO,
            reason: left.map(|left| left.name().into()).or_else(|| conversation.rare.reason.clone()),
            context: Arc::clone(&conversation.context),
            entry: conversation.entry.clone(),
            started_at: conversation.started_at,
            assigned_at: conversation.assigned_at,
            cause: conversation.came_by,
            first_reply_at: conversation.first_reply_at,
            closed_at: conversation.rare.closed_at,
            for_buyer: Seen { last_seq: tail.last_for_buyer, unread: u64::from(tail.unread_by_buyer) },
            for_staff: Seen { last_seq: tail.last_seq, unread: u64::from(tail.unread_by_staff) },
            rating: conversation.rare.rating.clone(),
        }
    }
}
