// The official TypeScript SDK's client, in the version that SDK names: 2, or 1 for the package that
// most clients of 2025 and 2026 have.
const one = process.env.SDK === '1';
const from = (name, file) => import(one ? `@modelcontextprotocol/sdk/client/${file}` : name);
const client = '@modelcontextprotocol/client';
/** Whether a client asks the person for more scopes. Version 1 refreshes, tries again, and gives up. */
export const stepsUp = !one;
export const { Client } = await from(client, 'index.js');
export const { StreamableHTTPClientTransport } = await from(client, 'streamableHttp.js');
export const { UnauthorizedError } = await from(client, 'auth.js');
/** What `finishAuth` takes: version 1 takes the code, and version 2 the whole answer. */
export const answerOf = (person) => (one ? person.answer.get('code') : person.answer);
