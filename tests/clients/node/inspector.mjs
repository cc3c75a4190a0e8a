// The MCP Inspector's web page in headless Chromium, used by a person who signs in with todo:read,
// lists todos, is refused, and steps up when the Inspector asks for more permissions.
//
// usage: inspector.mjs URL HOME   (of a server whose list = "reachable")

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';

const modules = process.env.NODE_PATH;
const { chromium } = createRequire(modules + '/')('playwright-core');
const [url, home] = process.argv.slice(2);

const freePort = () => new Promise((found) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => found(String(port)));
  });
});

const inspector = spawn(process.execPath, [
  `${modules}/@modelcontextprotocol/inspector/clients/launcher/build/index.js`, '--web', url,
], {
  env: {
    ...process.env, HOME: home, MCP_AUTO_OPEN_ENABLED: 'false',
    CLIENT_PORT: await freePort(), MCP_SANDBOX_PORT: await freePort(),
    MCP_APP_ORIGIN_PORT: await freePort(),
  },
});
let said = '';
const address = await new Promise((found, failed) => {
  const hear = (text) => {
    said += text;
    const address = said.match(/http:\/\/\S+MCP_INSPECTOR_API_TOKEN=\w+/);
    if (address) found(address[0]);
  };
  inspector.stdout.on('data', hear);
  inspector.stderr.on('data', hear);
  inspector.on('exit', () => failed(new Error(said)));
});

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.setDefaultTimeout(20_000);
  await page.goto(address);

  const consent = async (...ticks) => {
    await page.getByLabel('Your name').fill('Ada');
    for (const tick of ticks) await page.getByRole('checkbox', { name: tick }).check();
    await page.getByRole('button', { name: 'Allow what is ticked' }).click();
  };
  // By keyboard, because another element covers the switch, and a click would wait for the switch
  // to be uncovered.
  await page.getByRole('switch', { name: /^Connect or disconnect/ }).press('Space');
  await consent(/todo:read/);
  await page.getByRole('button', { name: 'Disconnect from server' }).waitFor();

  const execute = () => page.getByRole('button', { name: 'Execute Tool' }).click();
  await page.getByText('Tools', { exact: true }).first().click();
  await page.getByRole('button', { name: /list_todos/ }).click();
  await execute();
  await page.getByText(/"todos"/).first().waitFor();

  await page.getByRole('button', { name: /create_todo/ }).click();
  await page.getByRole('textbox', { name: /title/i }).first().fill('From the page');
  await execute();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Additional permissions required').waitFor();
  assert.match(await dialog.innerText(), /todo:write/);
  await dialog.getByRole('button', { name: 'Authorize' }).click();
  await consent(/todo:read/, /todo:write/);

  // Back at the Inspector, which now holds todo:write.
  await page.getByText('Tools', { exact: true }).first().click();
  await page.getByRole('button', { name: /create_todo/ }).click();
  await page.getByRole('textbox', { name: /title/i }).first().fill('From the page');
  await execute();
  await page.getByText(/From the page/).nth(1).waitFor();
  console.log('ok inspector');
} finally {
  await browser.close();
  inspector.kill();
}
