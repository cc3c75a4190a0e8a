// The OpenID provider `oidc-provider`, set up for an MCP server: the tools' scopes, JWT access
// tokens for the resource (RFC 8707, RFC 9068), dynamic registration and PKCE. Prints its issuer
// and serves until it is killed.
//
// usage: provider.mjs RESOURCE_URL ALG
import http from 'node:http';
import { errors, Provider } from 'oidc-provider';

const [resource, alg] = process.argv.slice(2);
const scopes = ['todo:read', 'todo:write', 'admin:access'];

const server = http.createServer();
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const keys = await Promise.all(['RS256', 'ES256'].map(async (alg) => {
  const algorithm = alg === 'RS256'
    ? { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }
    : { name: 'ECDSA', namedCurve: 'P-256' };
  const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const jwk = await crypto.subtle.exportKey('jwk', pair.privateKey);
  return { ...jwk, alg, use: 'sig', key_ops: undefined };
}));

const provider = new Provider(issuer, {
  jwks: { keys },
  scopes,
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo(_, indicator) {
        if (indicator !== resource) throw new errors.InvalidTarget();
        return { scope: scopes.join(' '), audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
      },
    },
  },
});
// Registrations lose their `scope`, because oidc-provider would limit the client to the scopes of
// its first sign-in, and the client could never step up.
const handle = provider.callback();
server.on('request', async (request, response) => {
  if (request.method === 'POST' && request.url === '/reg') {
    let body = '';
    for await (const part of request) body += part;
    const { scope, ...metadata } = JSON.parse(body);
    request.body = metadata;
  }
  handle(request, response);
});
console.log(issuer);
