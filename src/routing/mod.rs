//! The routing core: who gets the conversation. A deterministic state machine, *(command, time) → events*.
//! It does no input or output, reads no clock and draws no random number.
//!
//! ```
//! use std::sync::Arc;
//!
//! use fenliu::directory::Directory;
//! use fenliu::model::{BuyerKey, Caller, ConversationId, SessionId, State, Status, Timestamp};
//! use fenliu::routing::{Actor, Command, Context, Outcome, Past, Profile, Recovered, Settings, Start, Table};
//!
//! let text = r#"
//! account = [{ id = "lin", platform = "douyin", kind = "personal" }]
//!
//! [[seller]]
//! id = "tea"
//! name = "Lin's Tea House"
//! account = "lin"
//! shop = "shop-881"
//! default_group = "counter"
//! group = [{ id = "counter", name = "Counter", members = ["lin"] }]
//! "#;
//! let now = Timestamp::from_micros(1_795_492_800_000_000);
//! let directory = Arc::new(Directory::from_toml(text, now)?);
//! let table = Table::new(directory, Settings::default(), Recovered::default(), now, || {});
//! let tea = table.domain_of_seller(&"tea".into()).ok_or("no such seller")?;
//!
//! // Lin is there.
//! let lin = Caller::Staff { account: "lin".into(), sellers: None };
//! let arrive = Command::Arrive { session: SessionId(1), status: Some(Status::Online) };
//! table.act(tea, &Actor { caller: Some(&lin), session: Some(SessionId(1)) }, arrive, now, |_| {});
//!
//! // A buyer comes in by the shop.
//! let key = BuyerKey { within: None, sub: "ann".into() };
//! let start = Start {
//!     conversation: ConversationId(7),
//!     seller: "tea".into(),
//!     entry: "shop-881".into(),
//!     profile: Arc::new(Profile { key: key.clone(), name: None, attributes: Vec::new() }),
//!     context: Context::default(),
//!     message: None,
//!     past: Past::default(),
//!     open: 0,
//! };
//! let ann = Caller::Buyer { key, sellers: None };
//! let actor = Actor { caller: Some(&ann), session: None };
//! let acted = table.act(tea, &actor, Command::Start(Box::new(start)), now, |acted| acted);
//!
//! // What came of it, what has to be recorded, and who is told.
//! let Ok(Outcome::Started { view, .. }) = acted.result else { return Err("refused".into()) };
//! assert_eq!(view.state, State::Active);
//! assert!(acted.batch.is_some());
//! assert_eq!(acted.outgoing.len(), 1);
//! # Ok::<(), String>(())
//! ```

mod affected;
mod agent;
mod buyers;
mod command;
mod conversation;
mod day;
mod deadline;
mod decision;
mod desk;
mod domain;
mod event;
mod fronts;
pub mod index;
mod listeners;
mod reload;
mod table;
mod tally;
mod targets;
mod view;
mod wanted;

pub use affected::{Affected, Moved, changed_accounts};
pub use command::{
    Command, Context, Destination, Earlier, Hypothesis, NewMessage, Past, Refusal, Reopen, Resent, Said, Start,
};
pub use conversation::{Bound, Conversation, Exclusion, Rare, RareParts, Tail};
pub use day::{Count, Counted, Day, Spread};
pub use decision::{Bindings, Candidate, Cause, Chosen, Decision, Looked, Step, WhyNot};
pub use domain::{Acted, Actor, Domain, Settings};
pub use event::{AgentRow, Batch, DayRow, Event, GroupRow, Requeue, Row};
pub use reload::{Here, Rearranged};
pub use table::{Recovered, Table};
pub use tally::{BusyAgent, BusySeller, Tally};
pub use targets::{TargetAgent, TargetGroup, Targets};
pub use view::{
    By, Desk, DeskAgent, DeskEntry, DeskGroup, LeftReason, Message, Notice, OfferEnd, Outcome, Outgoing, Overdue,
    Place, PresenceCause, Profile, Rating, Recipient, Seen, Side, Standing, Today, View,
};
