use super::*;

#[expect(clippy::unnecessary_wraps, reason = "as the commands have it")]
fn text(content: &str) -> Option<String> {
    Some(content.to_owned())
}

fn written(content: &str) -> MessageEvent {
    MessageEvent::MessageWritten { content: text(content) }
}

#[test]
fn f9_a_message_is_written_read_rewritten_and_removed() {
    given::<Message>([])
        .when(WriteMessage { content: text("a") })
        .then_events([written("a")])
        .then_reply(MessageItem { id: 1, content: text("a") })
        .when(RewriteMessage { content: text("a") })
        .then_nothing_written()
        .then_reply(MessageItem { id: 1, content: text("a") })
        .when(RewriteMessage { content: None })
        .then_events([MessageEvent::MessageRewritten { content: None }])
        .then_reply(MessageItem { id: 1, content: None })
        .when(RemoveMessage)
        .then_events([MessageEvent::MessageRemoved])
        .then_reply(())
        .when(RemoveMessage)
        .then_rejected(MessageRejection::Gone);
    given::<Message>([]).when(RewriteMessage { content: text("a") }).then_rejected(MessageRejection::Gone);
    assert_eq!(told(&MessageRejection::Gone), (RefusalClass::Gone, "NO_SUCH_MESSAGE", None));
}

#[test]
fn a_message_is_written_once_and_is_no_longer_than_the_source_keeps_it() {
    given::<Message>([written("a")])
        .when(WriteMessage { content: text("a") })
        .then_rejected(MessageRejection::AlreadyWritten);
    let most = "품".repeat(Message::MAX_CHARACTERS);
    given::<Message>([]).when(WriteMessage { content: text(&most) }).then_events([written(&most)]);
    let long = InvalidValue::TooLong { field: Field::Content, most: Message::MAX_CHARACTERS };
    let longer = text(&(most + "품"));
    given::<Message>([]).when(WriteMessage { content: longer.clone() }).then_rejected(long.clone().into());
    given::<Message>([written("a")]).when(RewriteMessage { content: longer }).then_rejected(long.into());
}

#[test]
fn a_message_is_listed_until_it_is_removed() {
    let removed = [written("a"), MessageEvent::MessageRemoved];
    assert_eq!(given::<Message>([]).state().presence(), Presence::Hidden);
    assert_eq!(given::<Message>([written("a")]).state().presence(), Presence::Listed);
    assert_eq!(given::<Message>(removed.clone()).state().presence(), Presence::Removed);
    assert!(removed.iter().all(|event| !event.is_public()));
}

#[test]
fn messages_keep_the_laws() {
    let rewritten = MessageEvent::MessageRewritten { content: None };
    laws::<Message>([vec![written("a"), rewritten, MessageEvent::MessageRemoved]]);
}

#[test]
fn the_owner_is_told_a_message_once_it_is_written_and_of_nothing_else_about_it() {
    let told = |event| AlarmOut.notify(&recorded(key("m"), 7, 1, event));
    assert_eq!(told(written("재고 부족")), Some(Notice::new("owner", "재고 부족").with("messageId", 7)));
    assert_eq!(told(MessageEvent::MessageWritten { content: None }), None);
    assert_eq!(told(MessageEvent::MessageRewritten { content: text("a") }), None);
    assert_eq!(told(MessageEvent::MessageRemoved), None);
}
