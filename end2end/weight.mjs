// Weighs pages: every file the browser gets until the page has been taken over and is quiet, with nothing cached. What
// the page then asks for about changes is not counted.
//
//   node end2end/weight.mjs --console http://127.0.0.1:8400 --as lena /rollouts
//
// Prints JSON: for each page the files with their kind, their encoding and the bytes of their body as sent.
import { parseArgs } from 'node:util';
import { chromium } from '@playwright/test';
import { chromium as options } from './support/browser.mjs';
import { announceTakeover, signIn, takenOver } from './support/people.mjs';

/** A page is quiet when nothing was asked for this long; its stream of changes never ends and is not waited for. */
const QUIET = 1_000;

async function weigh(context, path) {
  const page = await context.newPage();
  const answered = [];
  let latest = Date.now();
  const isFile = (request) => !/^\/(api|stream)\//.test(new URL(request.url()).pathname);
  page.on('request', (request) => {
    if (isFile(request)) latest = Date.now();
  });
  page.on('requestfinished', (request) => {
    if (!isFile(request)) return;
    latest = Date.now();
    answered.push(request);
  });
  await page.goto(path);
  await takenOver(page);
  while (Date.now() - latest < QUIET) await page.waitForTimeout(100);
  const files = [];
  for (const request of answered) {
    const response = await request.response();
    files.push({
      path: new URL(request.url()).pathname,
      kind: request.resourceType(),
      encoding: (await response.headerValue('content-encoding')) ?? '',
      bytes: (await request.sizes()).responseBodySize,
    });
  }
  await page.close();
  return { path, files };
}

async function main() {
  const { values, positionals: paths } = parseArgs({
    allowPositionals: true,
    options: {
      console: { type: 'string', default: 'http://127.0.0.1:8400' },
      as: { type: 'string', default: 'lena' },
    },
  });
  if (paths.length === 0) throw new Error('name at least one page, such as /rollouts');
  const browser = await chromium.launch(options);
  try {
    const entrance = await browser.newContext({ baseURL: values.console });
    await signIn(await entrance.newPage(), values.as);
    const storageState = await entrance.storageState();
    await entrance.close();
    const pages = [];
    for (const path of paths) {
      // A context has a cache of its own, so each page is a first one.
      const context = await browser.newContext({ baseURL: values.console, storageState });
      await announceTakeover(context);
      pages.push(await weigh(context, path));
      await context.close();
    }
    process.stdout.write(`${JSON.stringify(pages)}\n`);
  } finally {
    await browser.close();
  }
}

await main();
