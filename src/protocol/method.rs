//! Calls: params that have been read and judged as far as that needs no table, as what they ask for.
//! Whether the caller may is not asked here.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::body::{WireBody, check_text};
use super::params::{self as wire, Client, Text, Visitor, read};
use super::{Limits, RpcError};
use crate::model::{BuyerKey, ConversationId, EntryId, SellerId, State, Status, Visibility};
use crate::policy::Method;
use crate::routing::{Command, Context, Destination, NewMessage, Profile, Rating};

const CLIENT_ID_CHARACTERS_MAX: usize = 64;
const CONTEXT_KEYS_MAX: usize = 16;
const CONTEXT_CHARACTERS_MAX: usize = 256;
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 200;

/// A call. Most are commands as they stand; the others need something beside the table.
#[derive(Debug)]
#[expect(missing_docs, reason = "the methods of the protocol, by their names there")]
pub enum Call {
    Open(Open),
    Refresh {
        token: String,
    },
    Ping,
    Bye,
    Start(StartCall),
    Rate {
        conversation: ConversationId,
        rating: Rating,
    },
    Send {
        conversation: ConversationId,
        message: NewMessage,
    },
    History {
        conversation: ConversationId,
        range: Range,
        limit: u32,
    },
    Get {
        conversation: ConversationId,
    },
    List(ListCall),
    /// What the table does alone.
    Act(Command),
    ExplainPast {
        conversation: ConversationId,
    },
    ExplainSupposed(Supposed),
    ConfigStatus,
    ConfigReload {
        dry_run: bool,
    },
    Unbind {
        seller: SellerId,
        sub_account: String,
    },
    Bind {
        seller: SellerId,
        sub_account: String,
    },
    Stats,
    Drain {
        deadline_s: Option<u32>,
    },
    Discover,
}

/// `session.open`.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the members of the method")]
pub struct Open {
    pub token: Option<String>,
    pub visitor: Option<Visitor>,
    pub status: Option<Status>,
    pub client: Option<Client>,
}

/// By what a conversation is started.
#[derive(Debug, PartialEq, Eq)]
pub enum WhereTo {
    /// By the seller itself: its shop is the entry.
    Seller(SellerId),
    /// By its shop.
    Shop(EntryId),
    /// By any entry.
    Entry(EntryId),
}

/// `conversation.start`.
#[derive(Debug)]
#[expect(missing_docs, reason = "the members of the method")]
pub struct StartCall {
    pub to: WhereTo,
    pub context: Context,
    pub message: Option<NewMessage>,
}

/// Which messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The first ones above this number.
    After(u64),
    /// The last ones below this number.
    Before(u64),
}

/// `conversation.list`.
#[derive(Debug)]
#[expect(missing_docs, reason = "the members of the method")]
pub struct ListCall {
    pub state: Option<State>,
    pub seller: Option<SellerId>,
    pub buyer: Option<Arc<str>>,
    /// Only those before this one.
    pub before: Option<ConversationId>,
    pub limit: u32,
}

/// `routing.explain` for a hypothetical buyer.
#[derive(Debug)]
#[expect(missing_docs, reason = "the members of the method")]
pub struct Supposed {
    pub seller: SellerId,
    pub profile: Arc<Profile>,
    pub context: Context,
    /// In lower case.
    pub text: Option<Arc<str>>,
}

/// Reads a call.
///
/// # Errors
/// `invalid_params` or `too_large`, naming the member.
pub fn parse_call(method: Method, params: Option<&RawValue>, limits: &Limits) -> Result<Call, RpcError> {
    use Method as M;

    match method {
        M::SessionOpen => open(read(params)?),
        M::SessionRefresh => read(params).map(|p: wire::SessionRefresh| Call::Refresh { token: p.token }),
        M::SessionPing => read(params).map(|_: wire::Nothing| Call::Ping),
        M::SessionClose => read(params).map(|_: wire::Nothing| Call::Bye),
        M::ConversationStart => start(&read(params)?, limits),
        M::ConversationRate => rate(read(params)?, limits),
        M::MessageSend => send(&read(params)?, limits),
        M::MessageHistory => history(&read(params)?),
        M::MessageRead => read(params)
            .map(|p: wire::MessageRead| Command::Read { conversation: p.conversation.0, seq: p.seq })
            .map(Call::Act),
        M::MessageTyping => read(params)
            .map(|p: wire::OnOff| Command::Typing { conversation: p.conversation.0, on: p.on })
            .map(Call::Act),
        M::ConversationGet => read(params).map(|p: wire::OneConversation| Call::Get { conversation: p.conversation.0 }),
        M::ConversationList => list(read(params)?),
        M::ConversationClose => close(read(params)?, limits),
        M::PresenceSet => read(params).map(|p: wire::PresenceSet| {
            let (agent, seller) = (p.sub_account.map(Into::into), p.seller.map(Into::into));
            Call::Act(Command::SetStatus { agent, seller, status: p.status, reroute: p.reroute })
        }),
        M::ConversationAccept => {
            read(params).map(|p: wire::OneConversation| Call::Act(Command::Accept { conversation: p.conversation.0 }))
        }
        M::ConversationDecline => decline(read(params)?, limits),
        M::ConversationTransfer => transfer(read(params)?, limits),
        M::ConversationTargets => {
            read(params).map(|p: wire::OneConversation| Call::Act(Command::Targets { conversation: p.conversation.0 }))
        }
        M::ConversationClaim => read(params).map(|p: wire::ConversationClaim| {
            Call::Act(Command::Claim { conversation: p.conversation.0, force: p.force, if_rev: p.if_rev })
        }),
        M::ConversationAssign => read(params).map(|p: wire::ConversationAssign| {
            let (conversation, agent) = (p.conversation.0, p.sub_account.into());
            Call::Act(Command::Assign { conversation, agent, force: p.force, if_rev: p.if_rev })
        }),
        M::ConversationWatch => {
            read(params).map(|p: wire::OnOff| Call::Act(Command::Watch { conversation: p.conversation.0, on: p.on }))
        }
        M::DeskView => read(params)
            .map(|p: wire::DeskView| Call::Act(Command::ViewDesk { seller: p.seller.into(), subscribe: p.subscribe })),
        M::RoutingExplain => explain(read(params)?, limits),
        M::ConfigStatus => read(params).map(|_: wire::Nothing| Call::ConfigStatus),
        M::ConfigReload => read(params).map(|p: wire::ConfigReload| Call::ConfigReload { dry_run: p.dry_run }),
        M::AccountUnbind => read(params)
            .map(|p: wire::AccountBinding| Call::Unbind { seller: p.seller.into(), sub_account: p.sub_account }),
        M::AccountBind => read(params)
            .map(|p: wire::AccountBinding| Call::Bind { seller: p.seller.into(), sub_account: p.sub_account }),
        M::ServerStats => read(params).map(|_: wire::Nothing| Call::Stats),
        M::ServerDrain => read(params).map(|p: wire::ServerDrain| Call::Drain { deadline_s: p.deadline_s }),
        M::RpcDiscover => read(params).map(|_: wire::Nothing| Call::Discover),
    }
}

fn open(params: wire::SessionOpen) -> Result<Call, RpcError> {
    let wire::SessionOpen { token, visitor, status, client } = params;
    if token.is_some() && visitor.is_some() {
        return Err(RpcError::invalid_params("visitor", "expected a token or a visitor, not both"));
    }
    Ok(Call::Open(Open { token, visitor, status, client }))
}

fn start(params: &wire::ConversationStart<'_>, limits: &Limits) -> Result<Call, RpcError> {
    let to = match (&params.seller, &params.shop, &params.entry) {
        (Some(seller), None, None) => WhereTo::Seller(seller.as_str().into()),
        (None, Some(shop), None) => WhereTo::Shop(shop.as_str().into()),
        (None, None, Some(entry)) => WhereTo::Entry(entry.as_str().into()),
        _ => return Err(RpcError::invalid_params("seller", "expected exactly one of seller, shop and entry")),
    };
    let context = context(&params.context)?;
    let message = params.message.as_ref().map(|first| -> Result<_, RpcError> {
        let message = message("message.", &first.client_id, &first.body, Visibility::All, limits)?;
        Ok(NewMessage { text: first.body.keywords(), ..message })
    });
    Ok(Call::Start(StartCall { to, context, message: message.transpose()? }))
}

fn rate(params: wire::ConversationRate, limits: &Limits) -> Result<Call, RpcError> {
    if !(1..=5).contains(&params.score) {
        return Err(RpcError::invalid_params("score", "expected a whole number from 1 to 5"));
    }
    let comment = words("comment", params.comment, limits)?;
    Ok(Call::Rate { conversation: params.conversation.0, rating: Rating { score: params.score, comment } })
}

fn send(params: &wire::MessageSend<'_>, limits: &Limits) -> Result<Call, RpcError> {
    let visibility = params.visibility.unwrap_or_default();
    let message = message("", &params.client_id, &params.body, visibility, limits)?;
    Ok(Call::Send { conversation: params.conversation.0, message })
}

fn message(
    at: &str,
    client_id: &Text<'_>,
    body: &WireBody<'_>,
    visibility: Visibility,
    limits: &Limits,
) -> Result<NewMessage, RpcError> {
    if client_id.0.is_empty() || client_id.0.chars().count() > CLIENT_ID_CHARACTERS_MAX {
        return Err(RpcError::invalid_params(format!("{at}client_id"), "expected 1 to 64 characters"));
    }
    let body = if at.is_empty() { body.check("body", limits)? } else { body.check("message.body", limits)? };
    Ok(NewMessage { client_id: client_id.0.as_ref().into(), body, text: None, visibility })
}

fn history(params: &wire::MessageHistory) -> Result<Call, RpcError> {
    let range = match (params.after, params.before) {
        (Some(_), Some(_)) => return Err(RpcError::invalid_params("before", "expected after or before, not both")),
        (Some(after), None) => Range::After(after),
        (None, before) => Range::Before(before.unwrap_or(u64::MAX)),
    };
    Ok(Call::History { conversation: params.conversation.0, range, limit: page(params.limit)? })
}

fn list(params: wire::ConversationList) -> Result<Call, RpcError> {
    let unknown = |_| RpcError::invalid_params("cursor", "expected the `next` of an earlier answer");
    Ok(Call::List(ListCall {
        state: params.state,
        seller: params.seller.map(Into::into),
        buyer: params.buyer.map(Into::into),
        before: params.cursor.map(|cursor| cursor.parse().map_err(unknown)).transpose()?,
        limit: page(params.limit)?,
    }))
}

fn close(params: wire::ConversationClose, limits: &Limits) -> Result<Call, RpcError> {
    let reason = words("reason", params.reason, limits)?;
    Ok(Call::Act(Command::Close { conversation: params.conversation.0, reason, if_rev: params.if_rev }))
}

fn decline(params: wire::ConversationDecline, limits: &Limits) -> Result<Call, RpcError> {
    let reason = words("reason", params.reason, limits)?;
    Ok(Call::Act(Command::Decline { conversation: params.conversation.0, reason }))
}

fn transfer(params: wire::ConversationTransfer, limits: &Limits) -> Result<Call, RpcError> {
    let to = match (params.to.group, params.to.sub_account) {
        (Some(group), None) => Destination::Group(group.into()),
        (None, Some(agent)) => Destination::Agent(agent.into()),
        _ => return Err(RpcError::invalid_params("to", "expected exactly one of group and sub_account")),
    };
    let note = words("note", params.note, limits)?;
    let (conversation, force, if_rev) = (params.conversation.0, params.force, params.if_rev);
    Ok(Call::Act(Command::Transfer { conversation, to, note, force, if_rev }))
}

fn explain(params: wire::RoutingExplain, limits: &Limits) -> Result<Call, RpcError> {
    let supposes = params.buyer.is_some() || params.context.is_some() || params.text.is_some();
    let seller = match (params.conversation, params.seller) {
        (Some(conversation), None) if !supposes => {
            return Ok(Call::ExplainPast { conversation: conversation.0 });
        }
        (None, Some(seller)) => seller,
        _ => {
            let message = "expected a conversation, or a seller and maybe buyer, context and text";
            return Err(RpcError::invalid_params("conversation", message));
        }
    };
    let buyer = params.buyer.unwrap_or_default();
    let attributes = buyer.attrs.into_iter().map(|(name, values)| {
        let values = match values {
            wire::Values::One(value) => vec![value.into()],
            wire::Values::Many(values) => values.into_iter().map(Into::into).collect(),
        };
        (name.into(), values)
    });
    let key = BuyerKey { within: None, sub: buyer.id.unwrap_or_default().into() };
    let profile = Arc::new(Profile { key, name: None, attributes: attributes.collect() });
    let text = words("text", params.text, limits)?.map(|text| text.to_lowercase().into());
    let context = context(&params.context.unwrap_or_default())?;
    Ok(Call::ExplainSupposed(Supposed { seller: seller.into(), profile, context, text }))
}

fn context(pairs: &BTreeMap<String, String>) -> Result<Context, RpcError> {
    if pairs.len() > CONTEXT_KEYS_MAX {
        return Err(RpcError::invalid_params("context", "expected at most 16 keys"));
    }
    let too_long = |text: &str| text.len() > CONTEXT_CHARACTERS_MAX && text.chars().count() > CONTEXT_CHARACTERS_MAX;
    if pairs.keys().any(|key| too_long(key)) {
        return Err(RpcError::invalid_params("context", "expected keys of at most 256 characters"));
    }
    if let Some((key, _)) = pairs.iter().find(|(_, value)| too_long(value)) {
        let path = format!("context.{}", key.chars().take(CLIENT_ID_CHARACTERS_MAX).collect::<String>());
        return Err(RpcError::invalid_params(path, "expected at most 256 characters"));
    }
    Ok(pairs.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect())
}

/// Words that may be missing; empty ones are.
fn words(path: &str, words: Option<String>, limits: &Limits) -> Result<Option<Arc<str>>, RpcError> {
    let words = words.filter(|words| !words.is_empty());
    words.map(|words| check_text(|| path, &words, limits).map(|()| words.into())).transpose()
}

fn page(limit: Option<u32>) -> Result<u32, RpcError> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(RpcError::invalid_params("limit", "expected a whole number from 1 to 200")),
    }
}

#[cfg(test)]
#[path = "method_tests.rs"]
mod tests;
