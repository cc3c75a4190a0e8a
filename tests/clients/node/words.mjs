// The official TypeScript SDK's client, which has a token that cannot grow: it lists the tools, so
// that it knows their output schemas, calls one that is refused, and sees the words.
//
// usage: words.mjs URL MODE     (MODE: the server's `on_denied`, "adaptive" or "tool_error")
import assert from 'node:assert/strict';
import { answerOf, Client, stepsUp, StreamableHTTPClientTransport, UnauthorizedError } from './version.mjs';
import { Person } from './person.mjs';

const [address, mode] = process.argv.slice(2);
const url = new URL(address);
const warnings = [];
console.warn = console.error = (...all) => warnings.push(all.join(' '));

const person = new Person(['todo:read', 'todo:write']);
const transport = () => new StreamableHTTPClientTransport(url, { authProvider: person });
const first = transport();
await assert.rejects(new Client({ name: 'test', version: '1' }).connect(first), UnauthorizedError);
await first.finishAuth(answerOf(person));
const client = new Client({ name: 'test', version: '1' });
await client.connect(transport());
const { tools } = await client.listTools();
assert.ok(tools.find((tool) => tool.name === 'purge_todos').outputSchema, 'the schema is known');

const start = mode === 'adaptive' ? 'You cannot use' : 'Insufficient permissions';
if (mode === 'adaptive' && stepsUp) {
  // The first refusal is a challenge. The person closes the page that opens, so nothing is granted.
  await assert.rejects(client.callTool({ name: 'purge_todos', arguments: {} }), UnauthorizedError);
}
for (const round of [1, 2, 3]) {
  const told = await client.callTool({ name: 'purge_todos', arguments: {} });
  assert.ok(told.isError && told.content[0].text.startsWith(start), JSON.stringify(told));
  assert.equal(told.structuredContent, undefined, 'the output schema is not violated');
  assert.deepEqual(told._meta['scopeward/refusal'].missing, ['admin:access'], `round ${round}`);
  assert.match(told._meta['mcp/www_authenticate'][0], /^Bearer error="insufficient_scope"/);
}
// The person does as the words say: disconnects, and connects again. Now the page offers the scope.
const anew = new Person(['todo:read', 'todo:write', 'admin:access']);
const again = new StreamableHTTPClientTransport(url, { authProvider: anew });
await assert.rejects(new Client({ name: 'test', version: '1' }).connect(again), UnauthorizedError);
assert.ok(anew.offered[0].includes('admin:access'), JSON.stringify(anew.offered));
await again.finishAuth(answerOf(anew));
const granted = new Client({ name: 'test', version: '1' });
await granted.connect(new StreamableHTTPClientTransport(url, { authProvider: anew }));
const purged = await granted.callTool({ name: 'purge_todos', arguments: {} });
assert.deepEqual(purged.structuredContent, { purged: 0 });
assert.deepEqual(warnings, [], 'no schema has anything that the SDK warns of');
console.log('ok typescript');
process.exit(0);
