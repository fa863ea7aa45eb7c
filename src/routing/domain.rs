//! A domain: sellers joined by the agents they share, and everything that one routing decision can touch.
//! Here is what it consists of and how its parts are found; what it decides is in its child modules.

mod apply;
mod availability;
mod build;
mod carry;
mod command;
mod due;
mod handing;
mod links;
mod look;
mod messages;
mod old;
mod place;
mod presence;
mod route;
mod select;
mod show;
mod talk;
mod tally;
mod targets;
mod tell;
mod tick;
mod trace;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::agent::Agent;
use super::buyers::Buyers;
use super::conversation::Conversation;
use super::day::Counted;
use super::deadline::{Armed, Deadlines};
use super::decision::{Bindings, Cause, Decision};
use super::desk::Desk;
use super::event::{Batch, Event, Row};
use super::fronts::Fronts;
use super::index::Index;
use super::view::{Outcome, Outgoing};
use super::{Command, Refusal};
use crate::directory::{Directory, Strategy};
use crate::model::{AccountId, Caller, ConversationId, GroupId, Map, SellerId, SessionId, Timestamp};

pub(in crate::routing) use carry::{Parts, Sessions};

/// How much one command does at most; what is left goes on as another command.
const STEPS: usize = 256;

/// What holds for all domains.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long an agent whose last session has dropped keeps its conversations.
    pub presence_grace: Duration,
    /// How many conversations a buyer may have open at once; 0: no limit.
    pub conversations_per_buyer: u32,
    /// How many of those who wait a domain tells in a second at most that they have moved up; 0: nobody listens.
    pub positions_per_second: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { presence_grace: Duration::from_secs(30), conversations_per_buyer: 20, positions_per_second: 1_000 }
    }
}

/// Who gives a command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Actor<'a> {
    /// Whose session; nobody's if the daemon acts of itself.
    pub caller: Option<&'a Caller>,
    /// Which session.
    pub session: Option<SessionId>,
}

/// What came of a command.
#[derive(Clone, Debug)]
pub struct Acted {
    /// The answer for whoever gave it.
    pub result: Result<Outcome, Refusal>,
    /// What has to be recorded, if anything happened.
    pub batch: Option<Batch>,
    /// Who is told what.
    pub outgoing: Vec<Outgoing>,
    /// Whether more is left to do: [`Command::Tick`] goes on with it.
    pub more: bool,
}

/// How the members of a pool are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Loaded,
    Active,
    Idle,
    Member,
}

impl Kind {
    fn of(strategy: Strategy) -> Self {
        match strategy {
            Strategy::LeastLoaded => Self::Loaded,
            Strategy::LeastActive => Self::Active,
            Strategy::LongestIdle => Self::Idle,
            Strategy::RoundRobin | Strategy::Weighted => Self::Member,
        }
    }
}

/// The members of groups that have the same ones and compare them alike.
#[derive(Clone, Debug)]
struct Pool {
    kind: Kind,
    /// In member order: agent and tier.
    members: Vec<(usize, u32)>,
    index: Index,
    /// Where something waits that they may take, of all their groups, and where something was left.
    queues: Fronts,
    lefts: Fronts,
}

/// An open conversation, and what of it no restart keeps.
#[derive(Clone, Debug)]
struct Entry {
    conversation: Conversation,
    desk: usize,
    group: usize,
    /// Overflow steps that have come due in this waiting, as bits.
    due: u64,
    /// The position last told, and when.
    told: Option<(u32, Timestamp)>,
    /// A byte for every message: who wrote it and who may read it.
    kinds: Vec<u8>,
    /// Hashes of every sender and client id, in order, if all are here.
    hashes: Vec<u64>,
    /// Whether messages from before the start of this process are not in `hashes` and `kinds`.
    partial: bool,
    /// How far the lateness of an answer has been told.
    overdue: Option<super::Overdue>,
    /// Whether its agent has been told that the buyer is gone.
    gone_told: bool,
    armed: Armed,
}

/// What has to be looked at before the command has settled.
#[derive(Clone, Debug, Default)]
struct Work {
    /// Conversations for which something has become possible or impossible.
    look: BTreeSet<ConversationId>,
    /// Conversations that have begun to wait by this command: what becomes of them is recorded.
    fresh: Map<ConversationId, Fresh>,
    /// What time has made possible for a conversation: the cause of its placing, if it is placed now.
    woken: Map<ConversationId, Cause>,
    /// Everything that waited when there was much to look at, in order.
    pass: VecDeque<ConversationId>,
    /// Agents that can take something now.
    agents: BTreeSet<usize>,
    /// Left messages that may be handed out now.
    left: BTreeSet<ConversationId>,
    /// Everything that waits.
    all: bool,
    /// Conversations to be taken from their agents, and why.
    evict: Vec<(ConversationId, Cause)>,
    /// Offers to be withdrawn.
    withdraw: Vec<ConversationId>,
    /// Conversations excluded for an agent who is back.
    readmit: Vec<(ConversationId, AccountId)>,
    /// Groups where nobody is online any more.
    emptied: BTreeSet<(usize, usize)>,
    /// Offers that are over by a refusal: whether the round is over has to be seen.
    rounds: BTreeSet<ConversationId>,
    /// Conversations whose seller is gone.
    close: Vec<ConversationId>,
    /// Conversations whose group is gone.
    moved: Vec<ConversationId>,
    /// Groups whose rotation is not what was kept of it: members are gone, or the strategy is another.
    rotated: Vec<(usize, usize)>,
    /// Pauses for sellers for whom the agent does not act any more.
    unpaused: Vec<(AccountId, SellerId)>,
    /// What was counted on sellers' days since the last record.
    counted: Vec<Counted>,
    /// Whether all this follows from a reload.
    reloading: bool,
}

impl Work {
    fn is_empty(&self) -> bool {
        !self.all
            && self.look.is_empty()
            && self.left.is_empty()
            && self.pass.is_empty()
            && self.agents.is_empty()
            && self.evict.is_empty()
            && self.withdraw.is_empty()
            && self.readmit.is_empty()
            && self.emptied.is_empty()
            && self.rounds.is_empty()
            && self.close.is_empty()
            && self.moved.is_empty()
            && self.rotated.is_empty()
            && self.unpaused.is_empty()
    }
}

/// How a conversation came to wait.
#[derive(Clone, Debug)]
struct Fresh {
    cause: Cause,
    /// The bindings that were looked at.
    looked: Bindings,
    /// The text of a binding that leaves a message.
    leave: Option<Arc<str>>,
}

impl Fresh {
    fn new(cause: Cause) -> Self {
        Self { cause, looked: Bindings::default(), leave: None }
    }
}

/// Something about to happen, with what is told and recorded of it.
#[derive(Clone, Debug)]
struct Change {
    event: Event,
    cause: Cause,
    note: Option<Arc<str>>,
    decision: Option<Arc<Decision>>,
}

impl Change {
    fn new(event: Event, cause: Cause) -> Self {
        Self { event, cause, note: None, decision: None }
    }
}

/// What the running command has gathered so far.
#[derive(Debug, Default)]
struct Run {
    events: Vec<Event>,
    outgoing: Vec<Outgoing>,
    /// Owners who have lost a conversation, and why: they are told when it is known who has it then.
    unassigned: Vec<(ConversationId, AccountId, Cause)>,
    conversations: Vec<ConversationId>,
    tails: Vec<ConversationId>,
    closed: Vec<Conversation>,
    agents: BTreeSet<usize>,
    groups: BTreeSet<(usize, usize)>,
    session: Option<SessionId>,
    /// The conversation that was started or reopened, and how many others were told something before its message.
    first: Option<(ConversationId, usize)>,
}

impl Run {
    /// The message that starts or reopens a conversation is told behind the event of its new state.
    fn tell_first_last(&mut self) {
        let Some((id, at)) = self.first.filter(|(_, at)| *at < self.outgoing.len()) else { return };
        let state = |outgoing: &Outgoing| outgoing.notice.is_state_of(id);
        let Some(behind) = self.outgoing[at..].iter().position(state) else { return };
        self.outgoing[at..=at + behind].rotate_left(1);
    }
}

/// A domain. Its conversations are in boxes: a map that has just grown is half empty.
#[derive(Debug)]
pub struct Domain {
    directory: Arc<Directory>,
    settings: Settings,
    desks: Vec<Desk>,
    desk_at: Map<SellerId, usize>,
    agents: Vec<Agent>,
    agent_at: Map<AccountId, usize>,
    pools: Vec<Pool>,
    conversations: Map<ConversationId, Box<Entry>>,
    buyers: Buyers,
    deadlines: Deadlines,
    work: Work,
    /// When somebody was last given a conversation or ended one: no two are equal, so the order is never in doubt.
    last_time: Timestamp,
    /// When the next authorization ends by the clock.
    lapses_at: Timestamp,
    /// After a start: what of conversations fell due before the first time acts at the second.
    held: Option<(Timestamp, Timestamp)>,
    /// The key of all hashes of client ids: the whole table's, since conversations move between domains.
    hasher: std::hash::RandomState,
}

impl Domain {
    /// Runs one command until everything has settled.
    pub fn act(&mut self, actor: &Actor<'_>, command: Command, now: Timestamp) -> Acted {
        if now >= self.lapses_at {
            self.lapse(now);
        }
        let mut run = Run { session: actor.session, ..Run::default() };
        let result = self.carry_out(actor, command, now, &mut run);
        let more = self.settle(now, &mut run);
        self.tell_unassigned(&mut run);
        run.tell_first_last();
        let result = result.map(|answer| self.outcome(answer, actor, &run, now));
        Acted { result, batch: self.batch(&mut run, now), outgoing: run.outgoing, more }
    }

    /// Answers what changes nothing; what is left to do stays so.
    pub fn look(&mut self, actor: &Actor<'_>, command: Command, now: Timestamp) -> Result<Outcome, Refusal> {
        debug_assert!(command.only_reads());
        let mut run = Run { session: actor.session, ..Run::default() };
        let answer = self.carry_out(actor, command, now, &mut run)?;
        debug_assert!(run.events.is_empty());
        Ok(self.outcome(answer, actor, &run, now))
    }

    /// Applies what was recorded, and nothing else: what it leaves to be done was done by later records.
    pub fn replay(&mut self, batch: &Batch) {
        let mut run = Run::default();
        for event in &batch.events {
            self.apply(event);
            if let Event::Closed { conversation, .. } = event {
                self.forget(*conversation, &mut run);
            }
        }
        self.work = Work::default();
    }

    /// When something comes due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.work.is_empty() { self.deadlines.next() } else { Some(Timestamp::ZERO) }
    }

    /// Goes on until nothing is left to do, or the limit of steps is reached; says whether something is left.
    fn settle(&mut self, now: Timestamp, run: &mut Run) -> bool {
        let mut steps = 0;
        while steps < STEPS {
            // What is taken from an agent who has gone is in the record of its going: no crash can leave it a part.
            steps += usize::from(!self.takes_from_lost());
            let changes = self.next_changes(now);
            let Some(changes) = changes else {
                self.work.reloading = false;
                return false;
            };
            for change in changes {
                self.happen(change, now, run);
            }
        }
        !self.work.is_empty()
    }

    /// Applies one change, and gathers what is told and recorded of it.
    fn happen(&mut self, change: Change, now: Timestamp, run: &mut Run) {
        let before = self.before(&change.event);
        self.apply(&change.event);
        self.tell(&change, before, now, run);
        self.note_rows(&change.event, run);
        let Change { event, decision, .. } = change;
        let decided = decision.zip(event.decided());
        run.events.push(event);
        run.events.extend(decided.map(|(decision, conversation)| Event::Decided { conversation, decision }));
    }

    /// The batch of a run: its events and the rows that are different now.
    fn batch(&mut self, run: &mut Run, now: Timestamp) -> Option<Batch> {
        if run.events.is_empty() {
            return None;
        }
        run.conversations.sort_unstable();
        run.conversations.dedup();
        let conversations = run.conversations.len() + run.closed.len() + run.tails.len();
        let rows = conversations + run.agents.len() + run.groups.len() + self.work.counted.len();
        let mut rows = Vec::with_capacity(rows);
        for id in &run.conversations {
            if let Some(entry) = self.conversations.get(id) {
                rows.push(Row::Conversation(Box::new(entry.conversation.clone())));
            }
        }
        rows.extend(run.closed.drain(..).map(|closed| Row::Conversation(Box::new(closed))));
        for id in &run.tails {
            if let Some(entry) = self.conversations.get(id).filter(|_| run.conversations.binary_search(id).is_err()) {
                let conversation = &entry.conversation;
                let (rev, first_reply_at) = (conversation.rev, conversation.first_reply_at);
                rows.push(Row::Tail { conversation: *id, rev, first_reply_at, tail: conversation.tail });
            }
        }
        for agent in &run.agents {
            rows.push(Row::Agent(self.agents[*agent].row(|desk| self.desks[desk].seller.id.clone())));
        }
        for (desk, group) in &run.groups {
            rows.push(Row::Group(self.group_row(*desk, *group)));
        }
        rows.extend(self.work.counted.drain(..).map(Row::Counted));
        Some(Batch { at: now, events: std::mem::take(&mut run.events), rows })
    }

    /// Takes another snapshot that says the same of this domain.
    pub(in crate::routing) fn adopt(&mut self, directory: &Arc<Directory>) {
        self.directory = Arc::clone(directory);
    }

    /// Whether this conversation is open here.
    pub(in crate::routing) fn has(&self, conversation: ConversationId) -> bool {
        self.conversations.contains_key(&conversation)
    }

    /// Every open conversation, in no order.
    pub(in crate::routing) fn open(&self) -> impl Iterator<Item = &Conversation> {
        self.conversations.values().map(|entry| &entry.conversation)
    }

    fn entry(&self, id: ConversationId) -> Result<&Entry, Refusal> {
        self.conversations.get(&id).map(Box::as_ref).ok_or(Refusal::NotFound)
    }

    fn agent_of(&self, account: &AccountId) -> Option<usize> {
        self.agent_at.get(account).copied()
    }

    fn group_of(&self, desk: usize, group: &GroupId) -> Option<usize> {
        self.desks[desk].group_at.get(group).copied()
    }

    fn group_id(&self, desk: usize, group: usize) -> &GroupId {
        &self.desks[desk].seller.groups[group].id
    }

    /// The member of a group that an agent is.
    fn member_of(&self, agent: usize, desk: usize, group: usize) -> Option<usize> {
        let seats = &self.agents[agent].seats;
        let at = seats.binary_search_by_key(&(desk, group), |seat| (seat.desk, seat.group)).ok()?;
        Some(seats[at].member)
    }
}
