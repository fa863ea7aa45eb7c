//! The OpenRPC document: every method and every event, described by the very types that read and write them.
//! It is made once and is the same for everybody.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::error::Kind;
use super::{described, event, object, params, reply};
use crate::policy::Method;

const DEFINITIONS: &str = "/components/schemas";
const WIDTHS: [&str; 5] = ["uint", "uint8", "uint32", "uint64", "double"];

/// The document, as JSON text.
pub fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| make().to_string())
}

struct Book {
    takes: SchemaGenerator,
    gives: SchemaGenerator,
}

fn make() -> Value {
    let settings = |settings: &mut SchemaSettings| {
        settings.definitions_path = DEFINITIONS.into();
        settings.meta_schema = None;
    };
    let mut book = Book {
        takes: SchemaSettings::draft07().with(settings).for_deserialize().into_generator(),
        gives: SchemaSettings::draft07().with(settings).for_serialize().into_generator(),
    };
    let methods: Vec<Value> = Method::ALL.iter().map(|method| book.method(*method)).collect();
    let events = book.events();
    let mut schemas = book.takes.take_definitions(true);
    for (name, schema) in book.gives.take_definitions(true) {
        let taken = schemas.get(&name);
        debug_assert!(taken.is_none_or(|taken| *taken == schema), "{name} is one thing taken and another given");
        schemas.insert(name, schema);
    }
    let errors: Map<String, Value> = Kind::ALL.iter().map(|kind| (kind.name().to_owned(), error(*kind))).collect();
    let mut document = json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "fenliu",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Routes customer-service conversations. JSON-RPC 2.0 over WebSocket, subprotocol fenliu.v1.",
        },
        "servers": [{ "name": "this", "url": "/ws" }],
        "methods": methods,
        "components": { "schemas": schemas, "errors": errors },
        "x-events": events,
    });
    forget_widths(&mut document);
    document
}

/// Takes out what schemars says of the widths of numbers: strict validators refuse a `format` they do not know.
fn forget_widths(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("format").and_then(Value::as_str).is_some_and(|format| WIDTHS.contains(&format)) {
                members.remove("format");
            }
            members.values_mut().for_each(forget_widths);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_widths),
        _ => {}
    }
}

impl Book {
    fn method(&mut self, method: Method) -> Value {
        let (params, result) = self.shapes(method);
        let errors: Vec<Value> =
            Kind::ALL.iter().map(|kind| json!({ "$ref": format!("#/components/errors/{}", kind.name()) })).collect();
        json!({
            "name": method.name(),
            "summary": summary(method),
            "paramStructure": "by-name",
            "params": params,
            "result": { "name": "result", "schema": result },
            "errors": errors,
        })
    }

    /// Which types a method takes and gives. Every method has an arm.
    fn shapes(&mut self, method: Method) -> (Vec<Value>, Value) {
        use Method as M;
        use object::{Conversation, Desk};

        match method {
            M::SessionOpen => (self.takes::<params::SessionOpen>(), self.gives::<reply::Session<'_>>()),
            M::SessionRefresh => (self.takes::<params::SessionRefresh>(), self.gives::<reply::Refreshed>()),
            M::SessionPing => (Vec::new(), self.gives::<reply::Pong>()),
            M::SessionClose => (Vec::new(), nothing()),
            M::ConversationStart => (self.takes::<params::ConversationStart<'_>>(), self.gives::<reply::Started<'_>>()),
            M::ConversationRate => (self.takes::<params::ConversationRate>(), nothing()),
            M::MessageSend => (self.takes::<params::MessageSend<'_>>(), self.gives::<reply::Sent>()),
            M::MessageHistory => (self.takes::<params::MessageHistory>(), self.gives::<History>()),
            M::MessageRead => (self.takes::<params::MessageRead>(), nothing()),
            M::MessageTyping | M::ConversationWatch => (self.takes::<params::OnOff>(), nothing()),
            M::ConversationGet | M::ConversationAccept => {
                (self.takes::<params::OneConversation>(), self.gives::<Conversation<'_>>())
            }
            M::ConversationList => (self.takes::<params::ConversationList>(), self.gives::<reply::List<'_>>()),
            M::ConversationClose => (self.takes::<params::ConversationClose>(), self.gives::<Conversation<'_>>()),
            M::PresenceSet => (self.takes::<params::PresenceSet>(), self.gives::<reply::StatusIs>()),
            M::ConversationDecline => (self.takes::<params::ConversationDecline>(), nothing()),
            M::ConversationTransfer => (self.takes::<params::ConversationTransfer>(), self.gives::<Conversation<'_>>()),
            M::ConversationTargets => {
                (self.takes::<params::OneConversation>(), self.gives::<super::targets::FreeTargets<'_>>())
            }
            M::ConversationClaim => (self.takes::<params::ConversationClaim>(), self.gives::<Conversation<'_>>()),
            M::ConversationAssign => (self.takes::<params::ConversationAssign>(), self.gives::<Conversation<'_>>()),
            M::DeskView => (self.takes::<params::DeskView>(), self.gives::<Desk<'_>>()),
            M::RoutingExplain => (self.takes::<params::RoutingExplain>(), self.gives::<Explained<'_>>()),
            M::ConfigReload => (self.takes::<params::ConfigReload>(), self.gives::<super::config::ReloadResult<'_>>()),
            M::ConfigStatus => (Vec::new(), self.gives::<super::config::StatusResult<'_>>()),
            M::ServerStats => (Vec::new(), anything()),
            M::AccountUnbind | M::AccountBind => (self.takes::<params::AccountBinding>(), nothing()),
            M::ServerDrain => (self.takes::<params::ServerDrain>(), nothing()),
            M::RpcDiscover => (Vec::new(), anything()),
        }
    }

    fn events(&mut self) -> Vec<Value> {
        vec![
            self.event::<event::Queued<'_>>("conversation.queued"),
            self.event::<event::Offered<'_>>("conversation.offered"),
            self.event::<event::OfferEnded<'_>>("conversation.offer_ended"),
            self.event::<event::Assigned<'_>>("conversation.assigned"),
            self.event::<event::Unassigned<'_>>("conversation.unassigned"),
            self.event::<event::LeftMessage<'_>>("conversation.left_message"),
            self.event::<event::Overdue<'_>>("conversation.overdue"),
            self.event::<event::Closed<'_>>("conversation.closed"),
            self.event::<event::Closed<'_>>("conversation.reopened"),
            self.event::<described::Message>("message.new"),
            self.event::<event::Read<'_>>("message.read"),
            self.event::<event::Typing<'_>>("message.typing"),
            self.event::<event::BuyerPresence>("buyer.presence"),
            self.event::<event::Presence<'_>>("presence.changed"),
            self.event::<event::Expiring>("session.expiring"),
            self.event::<event::Draining>("session.draining"),
            self.event::<event::ConfigChanged<'_>>("config.changed"),
            self.event::<object::Desk<'_>>("desk.changed"),
        ]
    }

    fn event<T: JsonSchema>(&mut self, name: &str) -> Value {
        json!({ "name": name, "params": { "name": "params", "schema": self.gives::<T>() } })
    }

    /// The members of a params type, one descriptor each.
    fn takes<T: JsonSchema>(&mut self) -> Vec<Value> {
        let schema = Value::from(T::json_schema(&mut self.takes));
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let members = schema["properties"].as_object().into_iter().flatten();
        members
            .map(|(name, schema)| json!({ "name": name, "required": required.contains(&name.as_str()), "schema": schema }))
            .collect()
    }

    fn gives<T: JsonSchema>(&mut self) -> Value {
        self.gives.subschema_for::<T>().into()
    }
}

/// A page of messages; it is written by hand.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described, never made: it is written by hand")]
struct History {
    messages: Vec<described::Message>,
    more: bool,
}

/// Decisions, or a hypothetical one.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "described, never made: each is made by itself")]
enum Explained<'a> {
    Past(reply::Decisions<'a>),
    Supposed(reply::Decided<'a>),
}

fn nothing() -> Value {
    json!({ "type": "object", "additionalProperties": false })
}

fn anything() -> Value {
    json!({ "type": "object" })
}

fn error(kind: Kind) -> Value {
    json!({ "code": kind.code(), "message": kind.name(), "data": { "kind": kind.name() } })
}

const fn summary(method: Method) -> &'static str {
    match method {
        Method::SessionOpen => "Says who the peer is; always first.",
        Method::SessionRefresh => "Gives the session a new token.",
        Method::SessionPing => "Asks whether somebody is there.",
        Method::SessionClose => "Ends the session.",
        Method::ConversationStart => "Opens a conversation with a seller, or finds the open one.",
        Method::ConversationRate => "Says how a closed conversation was.",
        Method::MessageSend => "Writes a message or a note.",
        Method::MessageHistory => "Reads messages.",
        Method::MessageRead => "Says how far one has read.",
        Method::MessageTyping => "Says that one is writing.",
        Method::ConversationGet => "Reads one conversation.",
        Method::ConversationList => "Reads a list of conversations, newest first.",
        Method::ConversationClose => "Ends a conversation.",
        Method::PresenceSet => "Sets a status.",
        Method::ConversationAccept => "Takes what was offered.",
        Method::ConversationDecline => "Refuses what was offered.",
        Method::ConversationTransfer => "Hands a conversation on.",
        Method::ConversationTargets => "Says to whom a conversation may be handed on, and who of them is free.",
        Method::ConversationClaim => "Takes a waiting conversation.",
        Method::ConversationAssign => "Gives a conversation to somebody.",
        Method::ConversationWatch => "Follows a conversation.",
        Method::DeskView => "Reads a seller's desk.",
        Method::RoutingExplain => "Reads decisions, or asks for a hypothetical one.",
        Method::ConfigStatus => "Reads the state of the configuration.",
        Method::ConfigReload => "Loads the routing configuration anew.",
        Method::AccountUnbind => "Takes an authorization away.",
        Method::AccountBind => "Takes an unbinding back.",
        Method::ServerStats => "Reads the daemon's figures.",
        Method::ServerDrain => "Stops the daemon softly.",
        Method::RpcDiscover => "Reads this description.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<String> {
        let document: Value = serde_json::from_str(document()).unwrap();
        document[list].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_method_is_described() {
        let expected: Vec<_> = Method::ALL.iter().map(|method| method.name()).collect();

        assert_eq!(names("methods"), expected);
    }

    #[test]
    fn every_event_is_described() {
        let described = names("x-events");

        for name in super::super::event::tests::every_notice().iter().map(event::name) {
            assert!(described.iter().any(|described| described == name), "{name}");
        }
        assert_eq!(described.len(), 18);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(document()).unwrap();
        let mut references = Vec::new();
        collect(&document, &mut references);

        assert!(!references.is_empty());
        for reference in references {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                into.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| collect(member, into));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            _ => {}
        }
    }

    #[test]
    fn no_schema_has_a_format_that_validators_do_not_know() {
        assert!(!document().contains(r#""format":"#), "{}", document());
    }

    #[test]
    fn params_are_described_by_name_with_what_is_needed() {
        let document: Value = serde_json::from_str(document()).unwrap();
        let methods = document["methods"].as_array().unwrap();
        let send = methods.iter().find(|method| method["name"] == "message.send").unwrap();

        let needed: Vec<_> = send["params"].as_array().unwrap().iter().map(|p| (&p["name"], &p["required"])).collect();

        assert_eq!(send["paramStructure"], "by-name");
        assert!(needed.contains(&(&json!("client_id"), &json!(true))), "{needed:?}");
        assert!(needed.contains(&(&json!("visibility"), &json!(false))), "{needed:?}");
    }
}
