// The official TypeScript SDK's client, whose access token is refused in six calls at once: each of
// them refreshes with the same refresh token.
//
// usage: refresh.mjs URL
import assert from 'node:assert/strict';
import { answerOf, Client, StreamableHTTPClientTransport, UnauthorizedError } from './version.mjs';
import { Person } from './person.mjs';

const url = new URL(process.argv[2]);
const person = new Person(['todo:read', 'todo:write']);
const refreshed = [];
const fetching = async (input, init) => {
  const answer = await fetch(input, init);
  const form = new URLSearchParams(String(init?.body));
  if (form.get('grant_type') === 'refresh_token') {
    const sent = form.get('refresh_token');
    refreshed.push({ sent, status: answer.status, body: await answer.clone().json() });
  }
  return answer;
};
const transport = () => new StreamableHTTPClientTransport(url, { authProvider: person, fetch: fetching });

const first = transport();
await assert.rejects(new Client({ name: 'test', version: '1' }).connect(first), UnauthorizedError);
await first.finishAuth(answerOf(person));
const clients = await Promise.all(Array.from({ length: 6 }, async () => {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport());
  return client;
}));

const list = (client) => client.callTool({ name: 'list_todos', arguments: {} });
person.saved = { ...person.saved, access_token: 'refused' };
const answers = await Promise.all(clients.map(list));
assert.ok(answers.every((answer) => !answer.isError), JSON.stringify(answers));
assert.ok(refreshed.length > 1, 'only one refresh was sent');
assert.ok(refreshed.every(({ status }) => status === 200), JSON.stringify(refreshed));
// One refresh token gets one answer, however often it comes.
const together = refreshed.filter(({ sent }) => sent === refreshed[0].sent);
assert.ok(together.length > 1, 'only one refresh was sent with the token');
assert.equal(new Set(together.map(({ body }) => body.refresh_token)).size, 1);
// The sign-in lives on: the next refresh works as well.
person.saved = { ...person.saved, access_token: 'refused' };
assert.ok(!(await list(clients[0])).isError);
console.log('ok typescript', refreshed.length);
process.exit(0);
