//! The routing core: who gets the conversation. A deterministic state machine, *(command, time) → events*.
//! It does no input or output, reads no clock and draws no random number.

mod affected;
mod agent;
mod buyers;
mod command;
mod conversation;
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

pub use affected::{Affected, Moved, changed_accounts};
pub use command::{
    Command, Context, Destination, Earlier, Hypothesis, NewMessage, Past, Refusal, Reopen, Resent, Said, Start,
};
pub use conversation::{Bound, Conversation, Exclusion, Tail};
pub use decision::{Candidate, Cause, Chosen, Decision, Looked, Step, WhyNot};
pub use domain::{Acted, Actor, Domain, Settings};
pub use event::{AgentRow, Batch, Event, GroupRow, Requeue, Row};
pub use reload::{Here, Rearranged};
pub use table::{Recovered, Table};
pub use tally::{BusyAgent, BusySeller, Tally};
pub use targets::{TargetAgent, TargetGroup, Targets};
pub use view::{
    By, Desk, DeskAgent, DeskEntry, DeskGroup, LeftReason, Message, Notice, OfferEnd, Outcome, Outgoing, Overdue,
    Place, PresenceCause, Profile, Rating, Recipient, Seen, Side, Today, View,
};
