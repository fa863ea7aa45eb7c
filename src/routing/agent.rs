//! An agent as its domain keeps it: what it says of itself, whether it is reachable, and what it holds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::deadline::Armed;
use super::event::AgentRow;
use super::fronts::Since;
use crate::model::{AccountId, ConversationId, SessionId, Status, Timestamp};
use crate::policy::{Scope, ScopeSet};

/// How an agent can be reached for one seller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    /// Online with a live session.
    Online,
    /// Away, or paused as away, with a live session.
    Away,
    /// Its last session has dropped a short time ago.
    Grace,
    /// Not there, or not authorised.
    #[default]
    Absent,
}

/// What an agent is for one seller.
#[derive(Clone, Debug)]
pub(super) struct Post {
    /// The seller's desk.
    pub(super) desk: usize,
    /// Conversations of this seller that take a slot.
    pub(super) load: u32,
    /// The authorization's limit.
    pub(super) capacity: Option<u32>,
    /// The authorization's scopes, as written.
    pub(super) scopes: ScopeSet,
    /// When the authorization is suspended.
    pub(super) in_force_until: Timestamp,
    /// Whether the agent is the seller itself.
    pub(super) main: bool,
    /// Whether it is paused for this seller, and as what.
    pub(super) paused: Option<Status>,
}

/// A membership.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    /// The seller's desk.
    pub(super) desk: usize,
    /// The group's place on it.
    pub(super) group: usize,
    /// The member's place in the group.
    pub(super) member: usize,
}

/// A slot that stays taken for a while after a close.
#[derive(Clone, Debug)]
pub(super) struct WrapUp {
    pub(super) until: Timestamp,
    pub(super) desk: usize,
    /// The group through which it was held, and the member's place in it.
    pub(super) via: Option<(usize, usize)>,
}

/// An agent.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) account: AccountId,
    pub(super) name: Arc<str>,
    pub(super) capacity: u32,
    pub(super) status: Status,
    pub(super) since: Timestamp,
    pub(super) sessions: Vec<SessionId>,
    pub(super) grace_until: Option<Timestamp>,
    /// Slots taken: active, offered and wrapping up.
    pub(super) load: u32,
    pub(super) wrap_ups: Vec<WrapUp>,
    pub(super) last_given: Timestamp,
    pub(super) last_ended: Timestamp,
    pub(super) missed_offers: u32,
    /// One a seller, sorted by desk.
    pub(super) posts: Vec<Post>,
    pub(super) seats: Vec<Seat>,
    /// The desks of the sellers that it is.
    pub(super) mains: Vec<usize>,
    /// How long after it was given something groups give it nothing more: each once.
    pub(super) spacings: Vec<Duration>,
    /// The pools it is in, and its place in each.
    pub(super) pools: Vec<(usize, u32)>,
    pub(super) armed: Armed,
    /// What it owns or is asked for.
    pub(super) holds: BTreeSet<ConversationId>,
    /// What waits for it alone, or would go to it though it is away.
    pub(super) reserved: BTreeSet<ConversationId>,
    /// The same of left messages, and those of them that may be handed out.
    pub(super) reserved_left: BTreeSet<ConversationId>,
    pub(super) young_left: BTreeSet<Since>,
    /// What is not given to it again for now, whatever the reason.
    pub(super) excluded: BTreeSet<ConversationId>,
}

impl Agent {
    /// An agent that has never been there.
    pub(super) fn new(account: AccountId, name: Arc<str>, capacity: u32) -> Self {
        Self {
            account,
            name,
            capacity,
            status: Status::Offline,
            since: Timestamp::ZERO,
            sessions: Vec::new(),
            grace_until: None,
            load: 0,
            wrap_ups: Vec::new(),
            last_given: Timestamp::ZERO,
            last_ended: Timestamp::ZERO,
            missed_offers: 0,
            posts: Vec::new(),
            seats: Vec::new(),
            mains: Vec::new(),
            spacings: Vec::new(),
            pools: Vec::new(),
            armed: None,
            holds: BTreeSet::new(),
            reserved: BTreeSet::new(),
            reserved_left: BTreeSet::new(),
            young_left: BTreeSet::new(),
            excluded: BTreeSet::new(),
        }
    }

    /// Whether a session is there.
    pub(super) fn is_connected(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Whether, as far as all sellers go, it could be given one more.
    pub(super) fn has_slot(&self) -> bool {
        self.status == Status::Online && self.is_connected() && self.load < self.capacity
    }

    /// Where among its posts that of a seller is.
    pub(super) fn post_at(&self, desk: usize) -> Option<usize> {
        self.posts.binary_search_by_key(&desk, |post| post.desk).ok()
    }

    /// What it is for a seller.
    pub(super) fn post(&self, desk: usize) -> Option<&Post> {
        self.post_at(desk).map(|at| &self.posts[at])
    }

    /// What it is for a seller, to be changed.
    pub(super) fn post_mut(&mut self, desk: usize) -> Option<&mut Post> {
        self.post_at(desk).map(|at| &mut self.posts[at])
    }

    /// Its memberships at a seller: seats are sorted by desk and group.
    pub(super) fn seats_at(&self, desk: usize) -> impl Iterator<Item = &Seat> {
        let from = self.seats.partition_point(|seat| seat.desk < desk);
        self.seats[from..].iter().take_while(move |seat| seat.desk == desk)
    }

    /// Its status as one seller sees it: that of its pause there, if it is not offline altogether.
    pub(super) fn status_for(&self, desk: usize) -> Status {
        match (self.status, self.post(desk).and_then(|post| post.paused)) {
            (Status::Offline, _) | (_, None) => self.status,
            (_, Some(paused)) => paused,
        }
    }

    /// Whether it may receive what is the seller's, whether or not it can be reached now, and is not offline.
    pub(super) fn may_be_waited_for(&self, desk: usize, now: Timestamp) -> bool {
        let receives = |post: &Post| now < post.in_force_until && (post.main || post.scopes.has(Scope::Receive));
        self.status_for(desk) != Status::Offline && self.post(desk).is_some_and(receives)
    }

    /// How it can be reached for a seller.
    pub(super) fn reach(&self, desk: usize, now: Timestamp) -> Reach {
        let Some(post) = self.post(desk).filter(|post| now < post.in_force_until) else { return Reach::Absent };
        if !post.main && !post.scopes.has(Scope::Receive) {
            return Reach::Absent;
        }
        match self.status_for(desk) {
            Status::Offline => Reach::Absent,
            _ if !self.is_connected() => {
                if self.grace_until.is_some() {
                    Reach::Grace
                } else {
                    Reach::Absent
                }
            }
            Status::Online => Reach::Online,
            Status::Away => Reach::Away,
        }
    }

    /// When something of it comes due: the end of its grace, of a wrap-up.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.wrap_ups.iter().map(|wrap_up| wrap_up.until).chain(self.grace_until).min()
    }

    /// Its row.
    pub(super) fn row(&self, seller_of: impl Fn(usize) -> crate::model::SellerId) -> AgentRow {
        let paused = self.posts.iter().filter_map(|post| post.paused.map(|status| (seller_of(post.desk), status)));
        AgentRow {
            account: self.account.clone(),
            status: self.status,
            since: self.since,
            last_given: self.last_given,
            last_ended: self.last_ended,
            missed_offers: self.missed_offers,
            paused: paused.collect(),
        }
    }
}
