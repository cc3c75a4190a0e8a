// The page of `policy matrix` in headless Chromium: somebody types into its filter, key by key.
//
// usage: matrix.mjs BY_TOOL BY_SCOPE   (the two pages of a policy with 500 tools and 51 scopes)
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { chromium } = createRequire(process.env.NODE_PATH + '/')('playwright-core');
const [byTool, byScope] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/** What somebody sees: the names of the rows, the names of the columns, and the count. */
const seen = (page) => page.evaluate(() => {
  const isSeen = (element) => element.getClientRects().length > 0;
  const heads = [...document.querySelectorAll('#matrix thead tr')].at(-1);
  return {
    rows: [...document.querySelectorAll('#matrix tbody tr')].filter(isSeen)
      .map((row) => row.querySelector('th').querySelector('code').textContent),
    columns: [...heads.cells].filter(isSeen).map((cell) => cell.querySelector('code')?.textContent).filter(Boolean),
    count: document.getElementById('count').textContent,
  };
});

async function open(file) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
  const problems = [];
  page.on('console', (message) => problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith('file:')) problems.push(`request to ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href);
  return { page, problems };
}

try {
  const { page, problems } = await open(byTool);
  const filter = page.getByRole('searchbox', { name: 'Filter' });
  let now = await seen(page);
  assert.equal(now.rows.length, 500);
  assert.equal(now.columns.length, 51);
  assert.equal(now.count, '');

  // Each key narrows the rows, and the page follows without another key.
  await filter.focus();
  let before = 500;
  for (const key of 'number_49') {
    await page.keyboard.type(key);
    now = await seen(page);
    assert.ok(now.rows.length <= before, `${key}: ${now.rows.length} of ${before}`);
    assert.equal(now.count, `${now.rows.length} of 500`);
    before = now.rows.length;
  }
  assert.deepEqual(now.rows, [49, ...Array.from({ length: 10 }, (_, at) => 490 + at)].map((n) => `tool_number_${n}_of_area`));
  assert.ok(now.columns.length < 51, 'columns that do nothing for these rows are gone');

  // A scope shows the tools that it does something for, and the scopes of those.
  await filter.fill('');
  await page.keyboard.type('area3:');
  now = await seen(page);
  assert.deepEqual(now.columns, ['area3:read', 'area3:write', 'area3:admin']);
  assert.ok(now.rows.length > 20 && now.rows.length < 40, String(now.rows.length));
  assert.ok(now.rows.every((name) => Number(name.split('_')[2]) % 17 === 3), String(now.rows));

  // Several words, in any case and order: all of them.
  await filter.fill('');
  await page.keyboard.type('AREA3:READ number_20');
  now = await seen(page);
  assert.deepEqual(now.rows, ['tool_number_207_of_area']);
  await filter.fill('nothing of this name');
  now = await seen(page);
  assert.deepEqual([now.rows, now.count], [[], '0 of 500']);
  await filter.fill('');
  now = await seen(page);
  assert.deepEqual([now.rows.length, now.columns.length, now.count], [500, 51, '']);
  assert.deepEqual(problems, []);

  const turned = await open(byScope);
  assert.equal((await seen(turned.page)).rows.length, 51);
  await turned.page.getByRole('searchbox', { name: 'Filter' }).focus();
  await turned.page.keyboard.type('tool_number_49_');
  now = await seen(turned.page);
  assert.ok(now.rows.length > 0 && now.rows.every((name) => name.startsWith('area15:')), String(now.rows));
  assert.equal(now.count, `${now.rows.length} of 51`);
  assert.deepEqual(turned.problems, []);
  console.log('ok matrix');
} finally {
  await browser.close();
}
