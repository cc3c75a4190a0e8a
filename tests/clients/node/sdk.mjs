// The official TypeScript SDK's client: discovery, registration, PKCE, sign-in at the consent page,
// a list, a call, a refused call whose scope the person does not grant, and a step-up.
//
// usage: sdk.mjs URL MODE     (MODE: the server's `on_denied`, "challenge" or "adaptive")
import assert from 'node:assert/strict';
import { answerOf, Client, stepsUp, StreamableHTTPClientTransport, UnauthorizedError } from './version.mjs';
import { Person } from './person.mjs';

const [address, mode] = process.argv.slice(2);
const url = new URL(address);

const transport = (person) => new StreamableHTTPClientTransport(url, { authProvider: person });

/** Connects, and signs in the first time. */
async function connect(person) {
  const client = new Client({ name: 'test', version: '1' });
  const first = transport(person);
  try {
    await client.connect(first);
    return client;
  } catch (error) {
    assert.ok(error instanceof UnauthorizedError, error);
    await first.finishAuth(answerOf(person));
  }
  const again = new Client({ name: 'test', version: '1' });
  await again.connect(transport(person));
  return again;
}

const person = new Person(['todo:read', 'todo:write']);
let client = await connect(person);
assert.deepEqual(person.offered, [['todo:read', 'todo:write']]);
const { tools } = await client.listTools();
assert.equal(tools.length, 7);
const created = await client.callTool({ name: 'create_todo', arguments: { title: 'Buy milk' } });
assert.equal(created.structuredContent.title, 'Buy milk');

if (!stepsUp) {
  const purged = client.callTool({ name: 'purge_todos', arguments: {} });
  if (mode === 'adaptive') assert.match((await purged).content[0].text, /^You cannot use `purge_todos` yet/);
  else await assert.rejects(purged, /403/);
  assert.equal(person.offered.length, 1, 'nobody was asked again');
  console.log('ok typescript');
  process.exit(0);
}

// The step-up asks for the missing scope. The person does not tick it, so it stays missing.
const purge = (client) => client.callTool({ name: 'purge_todos', arguments: {} });
await assert.rejects(purge(client), UnauthorizedError);
assert.ok(person.offered[1].includes('admin:access'), JSON.stringify(person.offered));
const refused = transport(person);
await refused.finishAuth(answerOf(person));
client = new Client({ name: 'test', version: '1' });
await client.connect(transport(person));
assert.equal((await client.listTools()).tools.length, 7);

if (mode === 'adaptive') {
  // A second call with the same grant: now the tool's result tells the person what to do.
  const told = await purge(client);
  assert.ok(told.isError && told.content[0].text.startsWith('You cannot use `purge_todos` yet'), JSON.stringify(told));
}

if (mode === 'adaptive') {
  // A client that came back is told for everything, until it comes with another grant.
  assert.ok((await purge(client)).isError);
  console.log('ok typescript');
  process.exit(0);
}

// The person ticks the missing scope, and the call goes through.
person.ticks = ['todo:read', 'todo:write', 'admin:access'];
await assert.rejects(purge(client), UnauthorizedError);
const granted = transport(person);
await granted.finishAuth(answerOf(person));
client = new Client({ name: 'test', version: '1' });
await client.connect(transport(person));
const purged = await purge(client);
assert.deepEqual(purged.structuredContent, { purged: 1 });
console.log('ok typescript');
process.exit(0);
