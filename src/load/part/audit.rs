//! What a part checks at the end: that everything came, and that the history is what was acknowledged.

use std::collections::BTreeMap;

use super::{COME_BACK, DEAF, Part, Role};
use crate::load::record::Operation;
use crate::load::stamp::Stamp;
use crate::load::wire::WireError;
use crate::model::ConversationId;

impl Part {
    /// Checks what can be checked at the end.
    pub(super) async fn finish(&mut self) {
        if matches!(self.role, Role::Idle) {
            return;
        }
        if self.standing_of_buyer() == Some(DEAF) {
            self.listen_again().await;
        }
        for conversation in self.held.iter().map(|(id, _)| *id).collect::<Vec<_>>() {
            self.client.check_complete(conversation);
        }
        if !matches!(self.role, Role::Buyer { .. }) {
            return;
        }
        let conversations: Vec<_> = self.past.drain(..).chain(self.held.drain(..).map(|(id, _)| id)).collect();
        for conversation in conversations {
            match self.audit(conversation).await {
                Ok(messages) => {
                    self.ended.histories += 1;
                    self.ended.messages += messages;
                }
                Err(error) => self.client.common.recorder.error(&error.kind()),
            }
        }
    }

    /// One who did not read comes back, as one does who was closed for that: everything is in the history.
    async fn listen_again(&mut self) {
        loop {
            let next = tokio::time::timeout(COME_BACK, self.client.next()).await;
            match next {
                Err(_) => return,
                Ok(Ok(text)) => {
                    if self.hear(&text).await.is_err() {
                        break;
                    }
                }
                Ok(Err(_)) => break,
            }
        }
        self.ended.closed = true;
        self.client.lose();
        if let Err(error) = self.come_back(Operation::Reconnect, None).await {
            self.client.common.recorder.error(&error.kind());
        }
    }

    /// Reads a whole history and compares it with what was acknowledged.
    async fn audit(&mut self, conversation: ConversationId) -> Result<u64, WireError> {
        let mut found: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let (mut last, mut count, mut broken) = (0, 0, None);
        loop {
            let (read, more) = self
                .client
                .history(conversation, last, |message| {
                    if message.prev != last {
                        broken.get_or_insert((message.seq, last));
                    }
                    last = message.seq;
                    count += 1;
                    if let Some(stamp) = Stamp::of(&message.body.text) {
                        found.entry(stamp.number).or_default().push(message.seq);
                    }
                })
                .await?;
            if read == 0 || !more {
                break;
            }
        }
        if let Some((seq, before)) = broken {
            self.client.violation(&format!("reads {before} before {seq} in the history of {conversation}"));
        }
        for (seq, number) in self.client.common.ledger.of(conversation) {
            match found.get(&number).map(Vec::as_slice) {
                Some([kept]) if *kept == seq => {}
                Some(kept) => self
                    .client
                    .violation(&format!("finds the message acknowledged as {seq} of {conversation} at {kept:?}")),
                None => {
                    self.client.violation(&format!("finds no message {seq} of {conversation}, which is acknowledged"))
                }
            }
        }
        Ok(count)
    }
}
