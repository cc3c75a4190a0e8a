//! rmcp's own client with its `auth` feature, used as a program would: discovery, registration,
//! sign-in, list, call, refusal and step-up.

use rmcp::{
    RoleClient, ServiceExt,
    model::CallToolRequestParams,
    service::RunningService,
    transport::{
        AuthClient, StreamableHttpClientTransport,
        auth::{AuthorizationManager, AuthorizationRequest, AuthorizationSession, OAuthState},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};

use crate::{
    harness::Server,
    issuer::{REDIRECT, consent, open},
};

type Client = RunningService<RoleClient, ()>;

/// Opens the consent page, ticks these scopes, and returns the URL of the redirect to the client.
fn answer(server: &Server, page: &str, ticks: &[&str]) -> String {
    consent(server, &open(page), ticks).header("location").to_owned()
}

async fn connect(
    server: &Server,
    manager: AuthorizationManager,
) -> (Client, AuthClient<reqwest::Client>) {
    let client = AuthClient::new(reqwest::Client::new(), manager);
    let config = StreamableHttpClientTransportConfig::with_uri(server.url());
    let transport = StreamableHttpClientTransport::with_client(client.clone(), config);
    (().serve(transport).await.unwrap(), client)
}

fn call(tool: &'static str, arguments: &serde_json::Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().unwrap().clone())
}

async fn names(client: &Client) -> Vec<String> {
    client.list_all_tools().await.unwrap().into_iter().map(|tool| tool.name.into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rmcp_signs_in_and_steps_up() {
    let server = Server::start();
    // The first request has no token. Its challenge starts the sign-in.
    let config = StreamableHttpClientTransportConfig::with_uri(server.url());
    let transport = StreamableHttpClientTransport::with_client(reqwest::Client::new(), config);
    let refused = ().serve(transport).await.unwrap_err();
    let challenge = refused.auth_challenge().unwrap_or_else(|| panic!("{refused}")).to_owned();
    assert!(challenge.contains("resource_metadata="), "{challenge}");

    let mut state = OAuthState::new(server.url(), None).await.unwrap();
    let request = AuthorizationRequest::new(REDIRECT).with_client_name("rmcp");
    state.start_authorization(request.with_challenge(challenge)).await.unwrap();
    let page = state.get_authorization_url().await.unwrap();
    state.handle_callback_url(&answer(&server, &page, &["todo:read"])).await.unwrap();
    let manager = state.into_authorization_manager().unwrap();
    assert_eq!(manager.get_current_scopes().await, ["todo:read"]);

    let (client, _) = connect(&server, manager).await;
    assert_eq!(names(&client).await, ["get_todo", "list_todos", "todo_stats"]);
    let todos = client.call_tool(call("list_todos", &serde_json::json!({}))).await.unwrap();
    assert_eq!(todos.is_error, Some(false));
    let write = || call("create_todo", &serde_json::json!({ "title": "From rmcp" }));
    let refused = client.call_tool(write()).await.unwrap_err();
    let challenge = refused.auth_challenge().unwrap_or_else(|| panic!("{refused}"));
    assert!(challenge.contains("insufficient_scope") && challenge.contains("scope=\"todo:write\""));
    client.cancel().await.unwrap();

    // The step-up asks for the granted and the missing scopes in one request.
    let mut manager = AuthorizationManager::new(server.url()).await.unwrap();
    let metadata = manager.resolve_metadata_from_challenge(Some(challenge)).await.unwrap().metadata;
    manager.set_metadata(metadata);
    let request = AuthorizationRequest::new(REDIRECT).with_scopes(["todo:read", "todo:write"]);
    let session = AuthorizationSession::new(manager, request).await.map_err(|(_, e)| e).unwrap();
    let page = session.get_authorization_url().to_owned();
    let back = answer(&server, &page, &["todo:read", "todo:write"]);
    session.handle_callback_url(&back).await.unwrap();
    let (client, auth) = connect(&server, session.auth_manager).await;
    let made = client.call_tool(write()).await.unwrap();
    assert_eq!(made.structured_content.unwrap()["title"], "From rmcp");

    // A refresh gives the same scopes, and no more.
    let manager = auth.auth_manager.lock().await;
    manager.refresh_token().await.unwrap();
    let mut scopes = manager.get_current_scopes().await;
    scopes.sort();
    assert_eq!(scopes, ["todo:read", "todo:write"]);
    drop(manager);
    assert!(names(&client).await.contains(&"create_todo".to_owned()));
    client.cancel().await.unwrap();
}
