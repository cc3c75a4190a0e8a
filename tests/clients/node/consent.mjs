// A person in headless Chromium, who signs in, ticks only todo:read, is refused, and steps up.
// The client is plain fetch, so that the test can check every HTTP response.
//
// usage: consent.mjs URL MODE SCREENSHOTS

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const { chromium } = createRequire(process.env.NODE_PATH + '/')('playwright-core');
const [url, mode, screenshots] = process.argv.slice(2);
const { origin } = new URL(url);

let arrived;
const callback = createServer((request, response) => {
  response.setHeader('content-type', 'text/html').end('<p>Signed in. You can close this page.</p>');
  if (request.url.startsWith('/callback')) arrived?.(new URL(request.url, 'http://127.0.0.1'));
});
await new Promise((ready) => callback.listen(0, '127.0.0.1', ready));
const redirect_uri = `http://127.0.0.1:${callback.address().port}/callback`;

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

const { client_id } = await (await fetch(`${origin}/oauth/register`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ client_name: 'MCP Inspector', redirect_uris: [redirect_uri] }),
})).json();

// One sign-in by hand: `ticks` are the scopes that the person ticks.
async function signIn(scope, ticks, { screenshot, colorScheme = 'light' } = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const page = await browser.newPage({
    viewport: { width: 720, height: 560 }, deviceScaleFactor: 2, colorScheme,
  });
  const problems = [];
  page.on('console', (message) => problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('request', (request) => {
    const host = new URL(request.url()).hostname;
    if (!['localhost', '127.0.0.1'].includes(host)) problems.push(`request to ${request.url()}`);
  });
  await page.goto(`${origin}/oauth/authorize?` + new URLSearchParams({
    response_type: 'code', client_id, redirect_uri, scope, state: 'state', resource: url,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }));

  // Finds the fields by their labels, as a screen reader does, and uses only the keyboard.
  assert.equal(await page.getByRole('checkbox').count(), scope.split(' ').length);
  assert.equal(await page.locator('input:checked').count(), 0, 'nothing is ticked beforehand');
  await page.getByLabel('Your name').fill('Ada');
  // Each box is named by its title and its scope.
  for (const label of ticks) {
    await page.getByRole('checkbox', { name: label }).focus();
    await page.keyboard.press('Space');
  }
  if (screenshot) await page.screenshot({ path: `${screenshots}/${screenshot}`, fullPage: true });
  const answer = new Promise((resolve) => { arrived = resolve; });
  await page.getByRole('button', { name: 'Allow what is ticked' }).focus();
  await page.keyboard.press('Enter');
  const { searchParams } = await answer;
  await page.waitForURL(redirect_uri + '**');
  assert.equal(searchParams.get('iss'), origin);
  assert.deepEqual(problems.filter((text) => !text.includes('favicon')), []);
  await page.close();

  const token = await (await fetch(`${origin}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code', client_id, redirect_uri, resource: url,
      code: searchParams.get('code'), code_verifier: verifier,
    }),
  })).json();
  assert.ok(token.access_token, JSON.stringify(token));
  return token;
}

async function call(token, name, args = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token.access_token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args },
    }),
  });
  return { response, body: await response.json() };
}

const read = await signIn('todo:read todo:write', [/todo:read/], { screenshot: 'consent.png' });
assert.equal(read.scope, 'todo:read');
assert.equal((await call(read, 'list_todos')).response.status, 200);

const refused = await call(read, 'create_todo', { title: 'Buy milk' });
let needed = 'todo:read todo:write';
if (mode === 'challenge') {
  assert.equal(refused.response.status, 403);
  const challenge = refused.response.headers.get('www-authenticate');
  assert.match(challenge, /error="insufficient_scope"/);
  needed = /scope="([^"]+)"/.exec(challenge)[1];
  assert.equal(needed, 'todo:write');
} else {
  assert.equal(refused.response.status, 200);
  assert.equal(refused.body.result.isError, true);
  assert.deepEqual(refused.body.result._meta['scopeward/refusal'].missing, ['todo:write']);
}

const write = await signIn(needed, [/todo:write/]);
const created = await call(write, 'create_todo', { title: 'Buy milk' });
assert.equal(created.response.status, 200);
assert.equal(created.body.result.structuredContent.title, 'Buy milk');

const all = 'todo:read todo:write admin:access';
await signIn(all, [/todo:read/, /admin:access/], { screenshot: 'consent-dark.png', colorScheme: 'dark' });
await browser.close();
callback.close();
console.log('ok');
