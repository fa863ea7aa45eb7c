//! Gives out the orders, each at its time, on a thread of its own: whoever is busy delays nobody's order but its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::client::Common;
use super::pace::Pace;
use super::part::{DEAF, FREE, Order, Standing, TALKING};
use super::record::Operation;
use super::scenario::{Mix, Scenario, Storm};
use super::wire::{Slow, Wire};

/// So many who only come and go may be on their way at once.
const VISITORS_MAX: usize = 1000;
/// The longest sleep, so that an end is noticed.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// Where somebody takes orders.
pub(super) struct Seat {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) standing: Arc<Standing>,
}

/// Everybody's seats.
#[derive(Default)]
pub(super) struct Seats {
    pub(super) agents: Vec<Seat>,
    pub(super) buyers: Vec<Seat>,
    pub(super) idle: Vec<Seat>,
    /// The tokens of those who only come and go.
    pub(super) visitors: Vec<String>,
}

/// Who is given orders, and in turn.
pub(super) struct Orders {
    common: Arc<Common>,
    seats: Arc<Seats>,
    mix: Mix,
    chance: u64,
    turns: [usize; 3],
    visitors: Arc<Semaphore>,
    runtime: Handle,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Talk,
    Answer,
    Start,
    Close,
    Transfer,
    Connect,
}

impl Orders {
    pub(super) fn new(common: Arc<Common>, seats: Arc<Seats>, scenario: &Scenario, runtime: Handle) -> Self {
        let visitors = Arc::new(Semaphore::new(VISITORS_MAX));
        Self { common, seats, mix: scenario.mix, chance: scenario.seed, turns: [0; 3], visitors, runtime }
    }

    /// Gives out everything of a scenario, until its end or until nothing runs any more.
    pub(super) fn give_out(mut self, scenario: &Scenario, begun: Duration) {
        let mut storms = scenario.storms.clone();
        storms.sort_by_key(|storm| std::cmp::Reverse(storm.at));
        // In a closed loop the buyers find their own times.
        let stages = if scenario.closed_loop == 0 { scenario.stages.as_slice() } else { &[] };
        let mut pace = Pace::new(stages).peekable();
        loop {
            let storm = storms.last().map(|storm| storm.at);
            let order = pace.peek().copied();
            let Some(due) = [storm, order].into_iter().flatten().min() else { break };
            if !self.wait_for(begun + due) {
                return;
            }
            if order == Some(due) {
                pace.next();
                self.give(begun + due);
            } else if let Some(storm) = storms.pop() {
                self.storm(storm, begun + due);
            }
        }
        self.wait_for(begun + scenario.lasts());
    }

    /// Waits for a time; false if the run has been ended before.
    fn wait_for(&self, due: Duration) -> bool {
        loop {
            if !self.common.running.load(Ordering::Relaxed) {
                return false;
            }
            let now = self.common.recorder.now();
            if now >= due {
                return true;
            }
            std::thread::sleep((due - now).min(SLEEP_MAX));
        }
    }

    fn give(&mut self, due: Duration) {
        let recorder = &self.common.recorder;
        recorder.offered.fetch_add(1, Ordering::Relaxed);
        recorder.lag(recorder.now().saturating_sub(due));
        let seats = Arc::clone(&self.seats);
        match self.kind() {
            Kind::Talk => self.order("talk", &seats.buyers, 0, Order::Send(due), |standing| standing == TALKING),
            Kind::Close => self.order("close", &seats.buyers, 0, Order::Close(due), |standing| standing == TALKING),
            Kind::Start => self.order("start", &seats.buyers, 1, Order::Start(due), |standing| standing == FREE),
            Kind::Answer => self.order("answer", &seats.agents, 2, Order::Send(due), |held| held > 0),
            Kind::Transfer => self.order("transfer", &seats.agents, 2, Order::Transfer(due), |held| held > 0),
            Kind::Connect => self.visit(due),
        }
    }

    fn order(&mut self, name: &'static str, seats: &[Seat], turn: usize, order: Order, fits: impl Fn(u32) -> bool) {
        let turn = &mut self.turns[turn];
        for _ in 0..seats.len() {
            *turn = (*turn + 1) % seats.len();
            let seat = &seats[*turn];
            if fits(seat.standing.now()) {
                if seat.orders.try_send(order).is_err() {
                    self.common.recorder.error("overrun");
                }
                return;
            }
        }
        self.common.recorder.unserved(name);
    }

    fn storm(&self, storm: Storm, due: Duration) {
        let listens = |seat: &&Seat| seat.standing.now() != DEAF;
        let buyers = self.seats.buyers.iter().filter(listens).take(storm.buyers);
        let agents = self.seats.agents.iter().take(storm.agents);
        let idle = self.seats.idle.iter().take(storm.idle);
        for seat in buyers.chain(agents).chain(idle) {
            if seat.orders.try_send(Order::Break(due)).is_err() {
                self.common.recorder.error("overrun");
            }
        }
    }

    /// Somebody connects, opens its session, and goes.
    fn visit(&mut self, due: Duration) {
        let number = usize::try_from(self.next()).unwrap_or(0);
        let Ok(permit) = Arc::clone(&self.visitors).try_acquire_owned() else {
            return self.common.recorder.error("overrun");
        };
        let (common, seats) = (Arc::clone(&self.common), Arc::clone(&self.seats));
        self.runtime.spawn(async move {
            let Some(token) = seats.visitors.get(number % seats.visitors.len().max(1)) else { return };
            let visit = async {
                let mut wire = Wire::connect(&common.target, 0, Slow::No).await?;
                wire.open(token, None).await?;
                common.recorder.note(Operation::Connect, due);
                wire.close().await;
                Ok::<_, super::wire::WireError>(())
            };
            if let Err(error) = visit.await {
                common.recorder.error(&error.kind());
            }
            drop(permit);
        });
    }

    fn kind(&mut self) -> Kind {
        let total = u64::from(self.mix.total().max(1));
        let mut drawn = self.next() % total;
        let weights = [
            (self.mix.talk, Kind::Talk),
            (self.mix.answer, Kind::Answer),
            (self.mix.start, Kind::Start),
            (self.mix.close, Kind::Close),
            (self.mix.transfer, Kind::Transfer),
            (self.mix.connect, Kind::Connect),
        ];
        for (weight, kind) in weights {
            if drawn < u64::from(weight) {
                return kind;
            }
            drawn -= u64::from(weight);
        }
        Kind::Talk
    }

    /// SplitMix64: the same seed, the same orders.
    fn next(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
