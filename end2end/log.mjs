// What a browser does with the output of a job.
//
//   node end2end/log.mjs --console http://127.0.0.1:8400 --as lena --job ID --live
//   node end2end/log.mjs --console http://127.0.0.1:8400 --as lena --job ID --heap
//
// With --live, follows a job that prints lines ending in “at MILLISECONDS”, the time of their printing, until it ends, and
// prints as JSON how many milliseconds each line took until it stood in the page. With --heap, reads on and on in an output
// of very many lines, and prints the bytes in use, those of the document and of WebAssembly among them, after a tenth of the
// way, when the page holds as many lines as it ever does, and at its end.
import { parseArgs } from 'node:util';
import { chromium } from '@playwright/test';
import { chromium as options } from './support/browser.mjs';
import { announceTakeover, signIn, takenOver } from './support/people.mjs';

/** Times the page is scrolled to its end. */
const TURNS = 200;

async function live(page) {
  await page.getByRole('button', { name: 'Follow' }).click();
  await page.evaluate(() => {
    const since = Date.now();
    window.waits = [];
    const look = (records) => {
      for (const { addedNodes } of records) {
        for (const node of addedNodes) {
          const printed = Number(/at (\d{13})$/.exec(node.textContent ?? '')?.[1]);
          if (printed > since) window.waits.push(Date.now() - printed);
        }
      }
    };
    new MutationObserver(look).observe(document.querySelector('#log'), { childList: true, subtree: true });
  });
  await page.getByRole('button', { name: /^Follow/ }).waitFor({ state: 'detached', timeout: 120_000 });
  return page.evaluate(() => window.waits);
}

async function heap(page, context) {
  const client = await context.newCDPSession(page);
  const weigh = async () => {
    await client.send('HeapProfiler.collectGarbage');
    const { usedSize, embedderHeapUsedSize, backingStorageSize } = await client.send('Runtime.getHeapUsage');
    const bytes = usedSize + embedderHeapUsedSize + backingStorageSize;
    if (!Number.isFinite(bytes)) throw new Error('this Chromium does not tell what it uses');
    return bytes;
  };
  const place = page.locator('.log-place');
  const weights = [];
  for (let turn = 1; turn <= TURNS; turn += 1) {
    const before = await place.textContent();
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    await page.waitForFunction((text) => document.querySelector('.log-place').textContent !== text, before);
    if (turn === TURNS / 10 || turn === TURNS) weights.push(await weigh());
  }
  return weights;
}

async function main() {
  const { values } = parseArgs({
    options: {
      console: { type: 'string', default: 'http://127.0.0.1:8400' },
      as: { type: 'string', default: 'lena' },
      job: { type: 'string' },
      live: { type: 'boolean', default: false },
      heap: { type: 'boolean', default: false },
    },
  });
  if (!values.job || values.live === values.heap) throw new Error('name a job, and one of --live and --heap');
  const browser = await chromium.launch(options);
  try {
    const context = await browser.newContext({ baseURL: values.console });
    await announceTakeover(context);
    const page = await context.newPage();
    await signIn(page, values.as);
    await page.goto(`/jobs/${values.job}`);
    await takenOver(page);
    const seen = values.live ? await live(page) : await heap(page, context);
    process.stdout.write(`${JSON.stringify(seen)}\n`);
  } finally {
    await browser.close();
  }
}

await main();
