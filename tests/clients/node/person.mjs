// A person who signs in at the consent page, for the TypeScript SDK's client.
import assert from 'node:assert/strict';

const CALLBACK = 'http://localhost:9/callback';

/** A client's memory, and the person at the consent page, who ticks the scopes in `ticks`. */
export class Person {
  redirectUrl = CALLBACK;
  clientMetadata = {
    client_name: 'TypeScript SDK',
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  };
  offered = [];

  constructor(ticks) { this.ticks = ticks; }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.saved; }
  saveTokens(tokens) { this.saved = tokens; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  saveDiscoveryState(state) { this.discovery = state; }
  discoveryState() { return this.discovery; }

  async redirectToAuthorization(authorization) {
    const page = await fetch(authorization);
    const text = await page.text();
    assert.equal(page.status, 200, text);
    const request = /name="request" value="([^"]+)"/.exec(text)[1];
    const offered = [...text.matchAll(/name="scope" value="([^"]+)"/g)].map((match) => match[1]);
    this.offered.push(offered);
    const form = new URLSearchParams({ request, name: 'ada', action: 'allow' });
    for (const scope of offered.filter((scope) => this.ticks.includes(scope))) form.append('scope', scope);
    const answer = await fetch(new URL('/oauth/authorize', authorization), {
      method: 'POST', body: form, redirect: 'manual',
      headers: { cookie: page.headers.get('set-cookie').split(';')[0], origin: authorization.origin },
    });
    assert.equal(answer.status, 303, await answer.text());
    this.answer = new URL(answer.headers.get('location')).searchParams;
  }
}
