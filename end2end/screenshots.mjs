// Takes pictures of pages, to look at them: light and dark, 390 and 1440 px wide, as far down as they go.
//
//   node end2end/screenshots.mjs --console http://127.0.0.1:8400 --as omar --out pictures /rollouts /ui
//
// Without --as nobody is signed in. --width and --scheme may be given, again if need be, for some of the pictures only.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from '@playwright/test';
import { chromium as options } from './support/browser.mjs';
import { announceTakeover, signIn, takenOver } from './support/people.mjs';

function asked() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      console: { type: 'string', default: 'http://127.0.0.1:8400' },
      as: { type: 'string' },
      out: { type: 'string', default: 'pictures' },
      width: { type: 'string', multiple: true, default: ['390', '1440'] },
      scheme: { type: 'string', multiple: true, default: ['light', 'dark'] },
    },
  });
  if (positionals.length === 0) throw new Error('name at least one page, such as /rollouts');
  return { ...values, paths: positionals };
}

/** `/rollouts/new?service=checkout` → `rollouts-new-service-checkout`. */
function name(path) {
  return path.replace(/[^a-zA-Z0-9]+/g, '-').replace(/^-|-$/g, '') || 'home';
}

async function picture(page, path, file) {
  await page.goto(path);
  // A page without a script, such as the one after signing out, is never taken over.
  if (await page.locator('script[type=module], link[rel=modulepreload]').count()) await takenOver(page);
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
  await page.screenshot({ path: file, fullPage: true, animations: 'disabled' });
  process.stdout.write(`${file}\n`);
}

async function main() {
  const { console: baseURL, as, out, width: widths, scheme: schemes, paths } = asked();
  await mkdir(out, { recursive: true });
  const browser = await chromium.launch(options);
  try {
    let storageState;
    for (const colorScheme of schemes) {
      for (const width of widths) {
        const viewport = { width: Number(width), height: 900 };
        const context = await browser.newContext({ baseURL, colorScheme, viewport, storageState });
        await announceTakeover(context);
        const page = await context.newPage();
        if (as && !storageState) {
          await signIn(page, as);
          storageState = await context.storageState();
        }
        for (const path of paths)
          await picture(page, path, join(out, `${name(path)}.${colorScheme}.${width}.png`));
        await context.close();
      }
    }
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  process.stderr.write(`screenshots: ${error.message}\n`);
  process.exitCode = 1;
});
