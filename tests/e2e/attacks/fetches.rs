//! Addresses from which the server must not fetch anything (CWE-918).

use super::attacks;
use crate::{
    harness::{POLICY, Server, run, stderr},
    issuer::{authorize_url, get_page},
};

/// Asserts that a client whose id is this URL is unknown, without a redirect.
fn client_is_unknown(source: &str, client: &str, status: u16, says: &str) {
    let server = Server::start();
    let reply = get_page(&authorize_url(&server, client, &[]));
    assert_eq!((reply.status, reply.header("location")), (status, ""), "{source}: {reply:#?}");
    assert!(reply.text.contains(says), "{source}: {reply:#?}");
}

/// Asserts that a server does not start when its policy names this issuer.
fn issuer_is_refused(source: &str, issuer: &str, status: u16, says: &str) {
    let policy = POLICY.replace(
        "provider = \"embedded\"",
        &format!("provider = \"oidc\"\nissuer = \"{issuer}\"\n#"),
    );
    let output = run(&policy, &["serve"]);
    assert_eq!(output.status.code(), Some(status.into()), "{source}: {output:?}");
    assert!(stderr(&output).contains(says), "{source}: {output:?}");
}

const UNKNOWN: &str = "This client is not registered here";

attacks! { client_is_unknown;
    the_cloud_s_metadata: "MCP security, SSRF", "https://169.254.169.254/client" => 400, UNKNOWN;
    the_cloud_s_metadata_by_http: "MCP security, SSRF", "http://169.254.169.254/client" => 400, UNKNOWN;
    the_cloud_s_metadata_by_ipv6: "MCP security, SSRF", "https://[fd00:ec2::254]/client" => 400, UNKNOWN;
    a_private_network: "RFC 1918", "https://10.0.0.1/client" => 400, UNKNOWN;
    another_private_network: "RFC 1918", "https://192.168.1.1/client" => 400, UNKNOWN;
    a_network_of_carriers: "RFC 6598", "https://100.64.0.1/client" => 400, UNKNOWN;
    this_network: "RFC 6890", "https://0.0.0.0/client" => 400, UNKNOWN;
    broadcast: "RFC 6890", "https://255.255.255.255/client" => 400, UNKNOWN;
    multicast: "RFC 5771", "https://224.0.0.1/client" => 400, UNKNOWN;
    loopback_within_ipv6: "RFC 4291, 2.5.5.2", "https://[::ffff:127.0.0.1]/client" => 400, UNKNOWN;
    loopback_within_nat64: "RFC 6052", "https://[64:ff9b::7f00:1]/client" => 400, UNKNOWN;
    a_unique_local_address: "RFC 4193", "https://[fc00::1]/client" => 400, UNKNOWN;
    a_link_local_address: "RFC 4291, 2.5.6", "https://[fe80::1]/client" => 400, UNKNOWN;
    an_address_as_a_number: "CWE-918", "https://2852039166/client" => 400, UNKNOWN;
    an_address_in_octal: "CWE-918", "https://0251.0376.0251.0376/client" => 400, UNKNOWN;
    a_file: "CWE-918", "file:///etc/passwd" => 400, UNKNOWN;
    gopher: "CWE-918", "gopher://127.0.0.1:6379/_FLUSHALL" => 400, UNKNOWN;
    userinfo: "CWE-918", "https://client.example@169.254.169.254/client" => 400, UNKNOWN;
}

attacks! { issuer_is_refused;
    keys_by_http: "RFC 8414, 2", "http://issuer.example" => 2, "https";
    keys_of_a_file: "RFC 8414, 2", "file:///etc" => 2, "https";
}
