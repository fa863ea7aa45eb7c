//! Buyers who come: drawn ones, or those of a recording once more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::count::Where;
use super::engine::{Engine, Fault, Open, Progress, Standing, TOLD};
use super::happen::{buyer, id};
use super::random::Purpose;
use super::replay::{Again, Outcome};
use super::traffic::Extent;
use crate::model::{AccountId, Body, Timestamp, Visibility};
use crate::routing::{Actor, Command, Context, Hypothesis, NewMessage, Past, Profile, Start};

impl<'w> Engine<'w> {
    /// A buyer comes.
    pub(super) fn arrive(&mut self, progress: &Progress) -> Result<(), Fault> {
        let Some((_, stream)) = self.arrivals.pop_first() else { return Ok(()) };
        let Some(counts) = self.is_counted() else {
            self.end_arrivals();
            return Ok(());
        };
        let nth = self.sources[stream].count;
        self.sources[stream].count += 1;
        self.arrived += 1;
        if self.world.again.is_empty() {
            self.plan_arrival(stream, self.now);
        } else {
            self.plan_again();
            self.tally.gathered.outcomes.push(Outcome { agent: None, waited: 0, fate: None });
        }
        self.events += 1;
        self.moved = self.now;
        if self.arrived.is_multiple_of(TOLD) {
            progress.arrivals.fetch_add(TOLD, Ordering::Relaxed);
            if progress.stop.load(Ordering::Relaxed) {
                return Err(Fault::Stopped);
            }
        }
        let part = if counts { Some(self.tally.arrive(self.counted, self.now)) } else { None };
        self.counted += u64::from(counts);
        self.tally.gathered.warm_up += u64::from(!counts);
        if let (Extent::Time(time), Some(_), None) = (self.world.traffic.span.counted, part, self.ends) {
            self.ends = Some(self.now.saturating_add(time));
        }
        if self.world.traffic.span.counted == Extent::Arrivals(self.counted) {
            self.end_arrivals();
        }
        self.start(stream, nth, part)
    }

    /// The buyer of this conversation who comes again, if those of this run do.
    fn again(&self, conversation: u64) -> Option<&'w Again> {
        self.world.again.get(usize::try_from(conversation).ok()?.checked_sub(1)?)
    }

    /// What becomes of the buyer of this conversation who comes again.
    pub(super) fn outcome(&mut self, conversation: u64) -> Option<&mut Outcome> {
        self.tally.gathered.outcomes.get_mut(usize::try_from(conversation).ok()?.checked_sub(1)?)
    }

    /// How much work a conversation is.
    pub(super) fn work(&self, conversation: u64, open: &Open) -> f64 {
        let drawn = || {
            let law = self.world.traffic.streams[open.stream].work;
            law.draw(self.sources[open.stream].draws(Purpose::Work), open.nth)
        };
        self.again(conversation).map_or_else(drawn, |again| again.work)
    }

    fn start(&mut self, stream: usize, nth: u64, part: Option<usize>) -> Result<(), Fault> {
        let conversation = self.arrived;
        let now = self.time();
        let mut start = self.drawn(stream, conversation);
        let mut patience = None;
        if let Some(again) = self.again(conversation) {
            patience = again.patience;
            again.fill(&mut start, now);
        } else {
            let law = self.world.traffic.streams[stream].patience;
            patience =
                law.map(|law| law.draw(self.sources[stream].draws(Purpose::Patience), nth).round() as i64).or(patience);
            let recent = self.recent_agent(stream, nth, &start.profile)?;
            start.past.recent = recent.map(|agent| (agent, now));
        }
        let open = Open {
            stream,
            nth,
            group: 0,
            arrived: self.now,
            patience: patience.map(|patience| self.now.saturating_add(patience)),
            recent: start.past.recent.as_ref().map(|(agent, _)| agent.clone()),
            counted: part.map(|part| Where { part, stream, group: 0, hour: self.tally.hour(self.now) }),
            standing: Standing::New,
            served_at: None,
        };
        self.open.insert(conversation, open);
        self.act(self.sources[stream].domain, None, Command::Start(Box::new(start)), "a start")?;
        self.begin_waiting(conversation);
        Ok(())
    }

    /// A buyer of a stream, who has met nobody.
    fn drawn(&self, stream: usize, conversation: u64) -> Start {
        let plan = &self.world.traffic.streams[stream];
        let attributes = plan.attributes.clone();
        Start {
            conversation: id(conversation),
            seller: plan.seller.clone(),
            entry: plan.entry.clone(),
            profile: Arc::new(Profile { key: buyer(conversation), name: None, attributes }),
            context: Arc::clone(&self.sources[stream].context),
            message: None,
            past: Past::default(),
            open: 0,
        }
    }

    /// Whom this buyer met before, if anybody: each member of its target group is as likely.
    fn recent_agent(&mut self, stream: usize, nth: u64, profile: &Arc<Profile>) -> Result<Option<AccountId>, Fault> {
        let plan = &self.world.traffic.streams[stream];
        if self.sources[stream].draws(Purpose::Returning).unit(nth) > plan.returning {
            return Ok(None);
        }
        let hypothesis = Hypothesis {
            seller: plan.seller.clone(),
            profile: Arc::clone(profile),
            context: Arc::clone(&self.sources[stream].context) as Context,
            text: None,
            past: Past::default(),
        };
        let command = Command::Explain(Box::new(hypothesis));
        let now = self.time();
        let domain = self.sources[stream].domain;
        let result = self.table.act(domain, &Actor::default(), command, now, |acted| acted.result);
        let group = match result {
            Ok(crate::routing::Outcome::Decision(decision)) => decision.chosen.group.clone(),
            Ok(_) => None,
            Err(why) => return Err(self.refused("a hypothetical buyer", &why)),
        };
        let group = group.and_then(|group| self.group_at[stream].get(&group));
        let Some(group) = group.map(|group| &self.world.groups[*group]) else { return Ok(None) };
        if group.recent_agent.is_none() {
            return Ok(None);
        }
        let share = 1.0 - self.sources[stream].draws(Purpose::Recent).unit(nth);
        let at = (share * group.members.len() as f64) as usize;
        Ok(group.members.iter().nth(at).cloned())
    }
}

impl Again {
    /// Makes a drawn buyer the one who came.
    fn fill(&self, start: &mut Start, now: Timestamp) {
        let recorded = &self.recorded;
        let key = start.profile.key.clone();
        start.profile = Arc::new(Profile { key, name: None, attributes: recorded.attributes.clone() });
        start.entry = recorded.entry.clone();
        start.context = recorded.context.iter().cloned().collect();
        // What it says of the past holds for the moment at which it came.
        start.past.recent = recorded.recent.clone().map(|(agent, until)| (agent, until.min(now)));
        start.message = recorded.text.as_ref().map(|text| NewMessage {
            client_id: "first".into(),
            body: Body::from_checked("{\"type\":\"text\",\"text\":\"\"}"),
            text: Some(Arc::clone(text)),
            visibility: Visibility::All,
        });
    }
}
