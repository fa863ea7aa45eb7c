//! What every journal has to keep: one suite for all of them.
//! How a store writes, and what it does when it cannot, is tested beside it.

use std::sync::Arc;
use std::time::Duration;

use super::{Again, Audit, Filter, Journal, Position, Range, Recovered, Write, Writer};
use crate::directory::Accepted;
use crate::model::{
    AccountId, Body, BuyerKey, ConversationId, EntryId, GroupId, SellerId, Sender, State, Status, Timestamp, Visibility,
};
use crate::routing::{
    AgentRow, Batch, Bindings, Bound, Candidate, Cause, Chosen, Conversation, Count, Counted, Day, DayRow, Decision,
    Event, Exclusion, GroupRow, LeftReason, Message, Profile, RareParts, Rating, Row, Spread, Step, Tail, WhyNot,
};

/// A store under test: its writer, its reads, and how it is opened again.
pub(super) struct Store {
    pub(super) writer: Writer,
    pub(super) journal: Arc<dyn Journal>,
}

impl Store {
    pub(super) async fn write(&self, write: Write) -> Position {
        let position = self.writer.slot().await.unwrap().write(write);
        self.writer.durable(position).await.unwrap();
        position
    }

    async fn batch(&self, events: Vec<Event>, rows: Vec<Row>) {
        let at = Timestamp::from_micros(9_000);
        self.write(Write::Batch(Batch { at, events, rows })).await;
    }

    pub(super) async fn start(&self, conversation: &Conversation) {
        let boxed = || Box::new(conversation.clone());
        self.batch(vec![Event::Started { conversation: boxed() }], vec![Row::Conversation(boxed())]).await;
    }

    pub(super) async fn say(&self, message: Message) {
        let tail = Tail { last_seq: message.seq, ..Tail::default() };
        let row = Row::Tail { conversation: message.conversation, rev: message.seq + 1, first_reply_at: None, tail };
        self.batch(vec![Event::Messaged { message }], vec![row]).await;
    }

    async fn close(&self, conversation: &mut Conversation, at: i64) {
        conversation.state = State::Closed;
        conversation.rare.change(|rare| rare.closed_at = Some(Timestamp::from_micros(at)));
        self.batch(Vec::new(), vec![Row::Conversation(Box::new(conversation.clone()))]).await;
    }

    async fn page(&self, id: u128, after: Option<u64>, before: Option<u64>, limit: usize) -> (Vec<u64>, bool) {
        let range = Range { conversation: ConversationId(id), after, before, limit, notes: false };
        let history = self.journal.history(range).await.unwrap();
        (history.messages.iter().map(|message| message.seq).collect(), history.more)
    }
}

pub(crate) fn buyer(sub: &str) -> BuyerKey {
    BuyerKey { within: Some("tea".into()), sub: sub.into() }
}

pub(crate) fn conversation(id: u128, who: &str) -> Conversation {
    let at = Timestamp::from_micros(i64::try_from(id).unwrap());
    let attributes = vec![("level".into(), vec!["gold".into(), "old".into()])];
    let rare = RareParts {
        offer_until: Some(at),
        bound: Some(Bound { agent: "mei".into(), waits: true }),
        recent_until: Some(at),
        pause_until: Some(at),
        excluded: vec![("bo".into(), Exclusion::TimedOut), ("li".into(), Exclusion::Transferred)],
        closed_at: None,
        reason: Some("why".into()),
        rating: Some(Rating { score: 5, comment: Some("好".into()) }),
        note: Some("handle with care".into()),
    };
    Conversation {
        id: ConversationId(id),
        rev: 3,
        seller: SellerId::from("tea"),
        profile: Arc::new(Profile { key: buyer(who), name: Some("Bai".into()), attributes }),
        context: vec![("product".into(), "tea-\"green\"".into())].into(),
        entry: EntryId::from("shop-881"),
        state: State::Queued,
        group: GroupId::from("presale"),
        via: Some("presale".into()),
        agent: Some("mei".into()),
        recent: Some(("bo".into(), at)),
        priority: 7,
        queued_at: at,
        waiting_since: at,
        counted: true,
        buyer_gone_since: Some(at),
        asked: vec!["bo".into()],
        held: vec!["li".into(), "mei".into()],
        started_at: at,
        assigned_at: Some(at),
        came_by: Some(Cause::Claim),
        first_assigned_at: Some(at),
        first_reply_at: None,
        left: Some(LeftReason::Timeout),
        rare: rare.into(),
        tail: Tail { last_seq: 2, unread_by_staff: 1, unanswered_since: Some(at), ..Tail::default() },
    }
}

pub(super) fn message(id: u128, seq: u64) -> Message {
    Message {
        conversation: ConversationId(id),
        seq,
        prev_for_buyer: seq - 1,
        sender: Sender::Buyer(buyer("b")),
        name: Some("Bai".into()),
        body: Body::from_checked(format!("{{\"type\":\"text\",\"text\":\"{seq}\"}}")),
        visibility: Visibility::All,
        client_id: Some(format!("c{seq}").into()),
        at: Timestamp::from_micros(1_000 + i64::try_from(seq).unwrap()),
    }
}

fn decision() -> Decision {
    Decision {
        at: Timestamp::from_micros(5),
        generation: 4,
        cause: Cause::Start,
        seller: "tea".into(),
        steps: vec![Step { step: "select", outcome: "chosen", group: Some("presale".into()), agent: None }],
        bindings: Bindings::stored(vec![("vip".into(), Some("attr.level".into()))]),
        candidates: vec![Candidate {
            agent: "mei".into(),
            why_not: vec![WhyNot::Away, WhyNot::Spacing],
            held: 1,
            capacity: 5,
            score: Some(0.4),
        }],
        unavailable: [(WhyNot::Offline, 2)].into(),
        runner_up: Some("bo".into()),
        chosen: Chosen { agent: Some("mei".into()), group: Some("presale".into()), via: None, state: State::Active },
    }
}

fn accepted(generation: u64) -> Accepted {
    let files = vec![("a.toml".into(), "x".into()), ("b.toml".into(), format!("# {generation}").into())];
    Accepted { generation, files, unbound: [("tea".into(), "bo".into())].into() }
}

fn audit(action: &str) -> Audit {
    Audit { at: Timestamp::from_micros(3), by: "root".into(), action: action.into(), detail: "{}".into() }
}

/// Runs the whole suite on stores that begin empty.
pub(super) async fn check(mut empty: impl FnMut() -> Store) {
    history_is_read_by_range(&empty()).await;
    notes_are_read_only_where_asked_for(&empty()).await;
    what_is_open_is_recovered_and_nothing_else(&empty()).await;
    a_configuration_is_recorded_with_who_changed_it(&empty()).await;
    what_is_counted_adds_up_to_a_day(&empty()).await;
    a_closed_conversation_is_found_as_it_closed(&empty()).await;
    conversations_are_listed_newest_first(&empty()).await;
    a_message_is_known_again_by_sender_and_client_id(&empty()).await;
    decisions_and_audit_come_back_in_order(&empty()).await;
    positions_rise_with_every_write(&empty()).await;
}

async fn history_is_read_by_range(store: &Store) {
    store.start(&conversation(1, "b")).await;
    for seq in 1..=6 {
        store.say(message(1, seq)).await;
    }

    assert_eq!(store.page(1, Some(0), None, 4).await, (vec![1, 2, 3, 4], true));
    assert_eq!(store.page(1, Some(4), None, 4).await, (vec![5, 6], false));
    assert_eq!(store.page(1, None, None, 2).await, (vec![5, 6], true));
    assert_eq!(store.page(1, None, Some(3), 2).await, (vec![1, 2], false));
    assert_eq!(store.page(1, None, Some(1), 2).await, (vec![], false));
    assert_eq!(store.page(2, None, None, 2).await, (vec![], false));
}

async fn notes_are_read_only_where_asked_for(store: &Store) {
    store.start(&conversation(1, "b")).await;
    let note = Message {
        visibility: Visibility::Staff,
        sender: Sender::Agent(AccountId::from("mei")),
        client_id: None,
        name: None,
        ..message(1, 2)
    };
    let system = Message { sender: Sender::System, ..message(1, 3) };
    for said in [message(1, 1), note.clone(), system.clone()] {
        store.say(said).await;
    }

    assert_eq!(store.page(1, Some(0), None, 9).await, (vec![1, 3], false));
    let all = Range { conversation: ConversationId(1), after: Some(1), before: None, limit: 9, notes: true };
    assert_eq!(store.journal.history(all).await.unwrap().messages, [note, system]);
}

async fn what_is_open_is_recovered_and_nothing_else(store: &Store) {
    let (mut closed, mut open) = (conversation(1, "b"), conversation(2, "b"));
    store.start(&closed).await;
    store.start(&open).await;
    store.close(&mut closed, 50).await;
    let tail = Tail { last_seq: 9, unread_by_buyer: 4, last_wrote: Timestamp::from_micros(77), ..Tail::default() };
    let first_reply_at = Some(Timestamp::from_micros(78));
    (open.rev, open.first_reply_at, open.tail) = (11, first_reply_at, tail);
    let agent = AgentRow {
        account: "mei".into(),
        status: Status::Away,
        since: Timestamp::from_micros(1),
        last_given: Timestamp::from_micros(2),
        last_ended: Timestamp::from_micros(3),
        missed_offers: 2,
        paused: vec![("tea".into(), Status::Offline)],
    };
    let group = GroupRow {
        seller: Some("tea".into()),
        group: Some("presale".into()),
        last_chosen: Some("bo".into()),
        weights: vec![("bo".into(), -3)],
    };
    let rows = vec![
        Row::Tail { conversation: open.id, rev: 11, first_reply_at, tail },
        Row::Agent(AgentRow { status: Status::Online, ..agent.clone() }),
        Row::Agent(agent.clone()),
        Row::Group(group.clone()),
        Row::Day(Box::new(DayRow { seller: "tea".into(), day: day(1) })),
        Row::Day(Box::new(DayRow { seller: "tea".into(), day: day(2) })),
        counted(24, Count::Left),
        counted(24, Count::Replied { after: Duration::from_secs(7), in_time: true }),
    ];
    store.batch(Vec::new(), rows).await;
    store.write(Write::Accepted(Arc::new(accepted(3)))).await;
    store.write(Write::Accepted(Arc::new(accepted(4)))).await;

    let Recovered { table, last_time, accepted: found } = store.journal.open().await.unwrap();

    assert_eq!(table.conversations, [open]);
    assert_eq!(table.agents, [agent]);
    assert_eq!(table.groups, [group]);
    let first_replies = Spread::from_counts(vec![(70, 7)]);
    let today = Day { left: 5, replied: 7, replied_in_time: 3, first_replies, ..day(2) };
    assert_eq!(table.days, [DayRow { seller: "tea".into(), day: today }]);
    assert_eq!(last_time, Timestamp::from_micros(9_000));
    assert_eq!(found, Some(accepted(4)));
}

fn counted(day: i8, what: Count) -> Row {
    Row::Counted(Counted { seller: "tea".into(), date: jiff::civil::date(2026, 11, day), what })
}

/// A seller's day goes on over commits, and another one begins with the first thing that is counted on it.
async fn what_is_counted_adds_up_to_a_day(store: &Store) {
    let entry = || "live-1".into();
    store.batch(Vec::new(), vec![counted(24, Count::Started { entry: entry() })]).await;
    let waited = Duration::from_millis(3_100);
    let rows = vec![counted(24, Count::Served { entry: entry(), waited }), counted(24, Count::Closed)];
    store.batch(Vec::new(), rows).await;

    let (date, waits) = (Some(jiff::civil::date(2026, 11, 24)), Spread::from_counts(vec![(31, 1)]));
    let entries = [(entry(), (1, 1))].into();
    let day = Day { date, started: 1, served: 1, closed: 1, waits, entries, ..Day::default() };
    let days = store.journal.open().await.unwrap().table.days;
    assert_eq!(days, [DayRow { seller: "tea".into(), day }]);

    store.batch(Vec::new(), vec![counted(25, Count::Closed)]).await;
    let day = Day { date: Some(jiff::civil::date(2026, 11, 25)), closed: 1, ..Day::default() };
    let days = store.journal.open().await.unwrap().table.days;
    assert_eq!(days, [DayRow { seller: "tea".into(), day }]);
}

/// A day on which all that can be counted was.
pub(crate) fn day(started: u64) -> Day {
    Day {
        date: Some(jiff::civil::date(2026, 11, 24)),
        started,
        served: 3,
        left: 4,
        closed: 5,
        replied: 6,
        replied_in_time: 2,
        waits: Spread::from_counts(vec![(0, 2), (31, 1)]),
        first_replies: Spread::from_counts(vec![(70, 6)]),
        entries: [("live-1".into(), (started, 3))].into(),
    }
}

async fn a_configuration_is_recorded_with_who_changed_it(store: &Store) {
    assert_eq!(store.journal.open().await.unwrap().accepted, None);

    let both = vec![Write::Accepted(Arc::new(accepted(5))), Write::Audit(audit("account.unbind"))];
    store.write(Write::All(both)).await;

    let found = store.journal.open().await.unwrap().accepted.unwrap();
    assert_eq!(found, accepted(5));
    assert!(found.unbound.contains(&("tea".into(), "bo".into())));
    let entries = store.journal.audit(0, 9).await.unwrap();
    assert_eq!(entries.iter().map(|found| &*found.entry.action).collect::<Vec<_>>(), ["account.unbind"]);
}

async fn a_closed_conversation_is_found_as_it_closed(store: &Store) {
    let (mut first, mut second, open) = (conversation(1, "b"), conversation(2, "b"), conversation(3, "b"));
    second.held.clear();
    for begun in [&first, &second, &open] {
        store.start(begun).await;
    }
    store.close(&mut first, 50).await;
    store.close(&mut second, 60).await;

    let known = store.journal.last_of(&buyer("b"), &"tea".into()).await.unwrap();

    assert_eq!(known.past.recent, Some(("mei".into(), Timestamp::from_micros(50))));
    assert_eq!(known.last_closed, Some(second.id));

    let (mut earlier, mut later) = (conversation(4, "b"), conversation(5, "b"));
    later.held = vec!["bo".into()];
    for begun in [&earlier, &later] {
        store.start(begun).await;
    }
    store.close(&mut earlier, 70).await;
    store.close(&mut later, 80).await;
    // Written again, as a rating does.
    store.close(&mut earlier, 70).await;
    let known = store.journal.last_of(&buyer("b"), &"tea".into()).await.unwrap();

    assert_eq!(known.past.recent, Some(("bo".into(), Timestamp::from_micros(80))));
    assert_eq!(store.journal.closed(first.id).await.unwrap(), Some(first));
    assert_eq!(store.journal.closed(open.id).await.unwrap(), None);
    assert_eq!(store.journal.last_of(&buyer("b"), &"ink".into()).await.unwrap(), super::Known::default());
}

async fn conversations_are_listed_newest_first(store: &Store) {
    for id in 1..=5 {
        store.start(&conversation(id, if id % 2 == 0 { "even" } else { "odd" })).await;
    }
    let mut closed = conversation(5, "odd");
    store.close(&mut closed, 50).await;
    let list = async |filter: Filter, cursor: Option<u128>, limit| {
        let listed = store.journal.list(filter, cursor.map(ConversationId), limit).await.unwrap();
        let ids: Vec<_> = listed.conversations.iter().map(|found| found.id.0).collect();
        (ids, listed.next.map(|next| next.0))
    };
    let seller = Filter { seller: Some("tea".into()), ..Filter::default() };

    assert_eq!(list(seller.clone(), None, 3).await, (vec![5, 4, 3], Some(3)));
    assert_eq!(list(seller.clone(), Some(3), 3).await, (vec![2, 1], None));
    let odd = Filter { buyer: Some(buyer("odd")), state: Some(State::Queued), ..Filter::default() };
    assert_eq!(list(odd, None, 9).await, (vec![3, 1], None));
    let even = Filter { buyer_sub: Some("even".into()), ..seller.clone() };
    assert_eq!(list(even, None, 9).await, (vec![4, 2], None));
    let groups = Filter { groups: Some(vec!["other".into()]), ..seller };
    assert_eq!(list(groups, None, 9).await, (vec![], None));
    let other = Filter { seller: Some("ink".into()), ..Filter::default() };
    assert_eq!(list(other, None, 9).await, (vec![], None));
}

async fn a_message_is_known_again_by_sender_and_client_id(store: &Store) {
    store.start(&conversation(1, "b")).await;
    for seq in 1..=3 {
        store.say(message(1, seq)).await;
    }
    let first = message(1, 2);
    let said = store.journal.said(ConversationId(1)).await.unwrap();
    assert_eq!(
        said.iter().map(|said| said.client_id.as_deref()).collect::<Vec<_>>(),
        [Some("c1"), Some("c2"), Some("c3")]
    );
    assert!(said.iter().all(|said| said.sender == first.sender && said.visibility == Visibility::All));
    let again = |sender: Sender, body: &Body, visibility| Again {
        conversation: ConversationId(1),
        sender,
        client_id: "c2".into(),
        body: body.clone(),
        visibility,
    };
    let other = Body::from_checked("{}");

    let same = store.journal.resent(again(first.sender.clone(), &first.body, Visibility::All)).await.unwrap().unwrap();
    let body = store.journal.resent(again(first.sender.clone(), &other, Visibility::All)).await.unwrap().unwrap();
    let note = again(first.sender.clone(), &first.body, Visibility::Staff);
    let note = store.journal.resent(note).await.unwrap().unwrap();
    let agent = again(Sender::Agent("mei".into()), &first.body, Visibility::All);

    assert_eq!((same.seq, same.at, same.same), (2, first.at, true));
    assert!(!body.same && !note.same);
    assert_eq!(store.journal.resent(agent).await.unwrap(), None);
}

async fn decisions_and_audit_come_back_in_order(store: &Store) {
    let first = decision();
    let second = Decision { generation: 5, ..first.clone() };
    store.start(&conversation(1, "b")).await;
    for decision in [&first, &second] {
        let decision = Arc::new(decision.clone());
        store.batch(vec![Event::Decided { conversation: ConversationId(1), decision }], Vec::new()).await;
    }
    store.write(Write::Audit(audit("account.unbind"))).await;
    store.write(Write::Audit(audit("account.bind"))).await;

    let decisions = store.journal.decisions(ConversationId(1)).await.unwrap();
    let all = store.journal.audit(0, 9).await.unwrap();

    assert_eq!(decisions, [Arc::new(first), Arc::new(second)]);
    assert_eq!(
        all.iter().map(|found| found.entry.clone()).collect::<Vec<_>>(),
        [audit("account.unbind"), audit("account.bind")]
    );
    assert_eq!(store.journal.audit(all[0].number, 9).await.unwrap(), [all[1].clone()]);
}

async fn positions_rise_with_every_write(store: &Store) {
    let mut last = store.writer.last();
    for id in 1..=3 {
        store.start(&conversation(id, "b")).await;
        assert!(store.writer.last() > last);
        last = store.writer.last();
    }
}
