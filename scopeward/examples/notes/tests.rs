//! Tests of the notes, with their policy.

use scopeward::testing::{CallError, Caller, Server};
use serde_json::{Value, json};

use crate::notes::{Note, NoteList, Notes};

fn server() -> Server {
    Server::new(Notes::default(), include_str!("policy.toml"))
}

async fn create(caller: &Caller, title: &str, text: &str) -> Note {
    caller.call("create_note", json!({ "title": title, "text": text })).await.unwrap()
}

/// The startup check in one line: policy and tools agree.
#[tokio::test]
async fn the_policy_agrees_with_the_tools() {
    server();
}

#[tokio::test]
async fn a_writer_creates_reads_and_changes_notes() {
    let ada = server().caller("ada", ["note:write"]);
    let note = create(&ada, "shopping", "milk\nbread").await;
    let found: NoteList = ada.call("search_notes", json!({ "text": "bread" })).await.unwrap();
    assert_eq!(found.notes.len(), 1);
    let changed: Note =
        ada.call("update_note", json!({ "id": note.id, "text": "tea" })).await.unwrap();
    assert_eq!(changed.text, "tea");
    let _: Note = ada.call("delete_note", json!({ "id": note.id })).await.unwrap();
    let all: NoteList = ada.call("list_notes", json!({})).await.unwrap();
    assert!(all.notes.is_empty());
}

#[tokio::test]
async fn a_reader_cannot_write_and_is_told_what_is_missing() {
    let bob = server().caller("bob", ["note:read"]);
    let denied = bob.denied("create_note", json!({})).await;
    assert_eq!(denied.missing(), ["note:write"]);
    let tools = bob.list_tools().await.unwrap();
    assert!(tools.contains(&"get_note".to_owned()), "{tools:?}");
}

#[tokio::test]
async fn notes_of_others_do_not_exist() {
    let server = server();
    let note = create(&server.caller("ada", ["note:write"]), "secret", "").await;
    let bob = server.caller("bob", ["note:write"]);
    let failed = bob.call::<Note>("get_note", json!({ "id": note.id })).await;
    assert!(matches!(failed, Err(CallError::Failed { .. })), "there is no such note for bob");
}

#[tokio::test]
async fn sharing_with_everyone_needs_one_scope_more() {
    let server = server();
    let scopes = ["note:write", "note:share"];
    let ada = server.caller("ada", scopes);
    let note = create(&ada, "recipe", "flour").await;
    let share = |with: &str| json!({ "id": note.id, "with": with });
    let _: Note = ada.call("share_note", share("bob")).await.unwrap();
    let denied = ada.denied("share_note", share("everyone")).await;
    assert_eq!(denied.missing(), ["note:publish"]);
    let bob = server.caller("bob", ["note:read"]);
    assert!(bob.call::<Note>("get_note", json!({ "id": note.id })).await.is_ok());
    let publisher = server.caller("ada", ["note:write", "note:share", "note:publish"]);
    assert!(publisher.call::<Note>("share_note", share("everyone")).await.is_ok());
    let eve = server.caller("eve", ["note:read"]);
    assert!(eve.call::<Note>("get_note", json!({ "id": note.id })).await.is_ok());
}

#[tokio::test]
async fn numbers_in_uris_and_prompts_are_numbers() {
    let ada = server().caller("ada", ["note:write"]);
    let note = create(&ada, "shopping", "milk\nbread").await;
    let text: String = ada.read(&format!("note://{}", note.id)).await.unwrap();
    assert_eq!(text, "milk\nbread");
    let line: String = ada.read(&format!("note://{}/lines/2", note.id)).await.unwrap();
    assert_eq!(line, "bread");
    assert!(ada.read::<String>("note://seven").await.is_err());
    let prompt = ada.get("summarize", json!({ "id": note.id.to_string() })).await.unwrap();
    let prompt = serde_json::to_value(prompt).unwrap();
    let text = prompt["messages"][0]["content"]["text"].as_str().unwrap_or_default();
    assert!(text.ends_with("milk\nbread"), "{prompt}");
    let wrong = ada.get("summarize", json!({ "id": "seven" })).await.unwrap_err();
    assert!(wrong.to_string().contains("id"), "{wrong}");
}

/// A method is called as any other, with a caller that the test makes.
#[tokio::test]
async fn a_method_is_called_directly() {
    let notes = Notes::default();
    let server = Server::new(notes.clone(), include_str!("policy.toml"));
    let caller = server.caller("ada", ["note:write"]).claim("email", "ada@example.com").principal();
    assert_eq!(caller.claim("email"), Some(&Value::from("ada@example.com")));
    let new = crate::notes::NewNote { title: "t".to_owned(), text: String::new() };
    let created = notes.create_note(caller, scopeward::Parameters(new)).await;
    assert_eq!(created.0.readers, ["ada"]);
}
