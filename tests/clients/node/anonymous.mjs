// The TypeScript SDK's client at a server with tools that need no sign-in: it lists and calls them
// without a token, is asked to sign in at the first tool that needs one, and then calls that too.
//
// usage: anonymous.mjs URL
import assert from 'node:assert/strict';
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { Person } from './person.mjs';

const [url] = process.argv.slice(2);
const person = new Person(['book:read']);

async function connect() {
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: person });
  const client = new Client({ name: 'anonymous', version: '1' });
  await client.connect(transport);
  return { client, transport };
}

const text = (result) => result.content[0].text;
let { client, transport } = await connect();
assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), ['opening_hours', 'recommend']);
assert.equal(text(await client.callTool({ name: 'opening_hours', arguments: {} })), 'Monday to Friday, 9 to 17');
assert.deepEqual(person.offered, [], 'nobody was asked to sign in');

await assert.rejects(client.callTool({ name: 'borrowed', arguments: {} }), UnauthorizedError);
assert.deepEqual(person.offered, [['book:read']]);
await transport.finishAuth(person.answer);
await client.close();
({ client, transport } = await connect());
assert.deepEqual(
  (await client.listTools()).tools.map((tool) => tool.name),
  ['borrowed', 'opening_hours', 'recommend'],
);
assert.equal(text(await client.callTool({ name: 'recommend', arguments: {} })), 'For ada: Middlemarch');
assert.equal(text(await client.callTool({ name: 'borrowed', arguments: {} })), 'ada has borrowed Persuasion');
await client.close();
console.log('ok typescript');
