// What every spec starts from: the lab that runs, and people in front of browsers of their own.
import { test as base } from '@playwright/test';
import { announceTakeover, signIn } from './people.mjs';

const lab = JSON.parse(process.env.END2END ?? '{}');

/** Cookies by login: everybody signs in once. */
const sessions = new Map();

export const test = base.extend({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixture's needs from the pattern.
  baseURL: async ({}, use) => use(lab.console),

  /** `console`, `service`, `artifacts` (baseline, good, bad) and `lab`, the folder with lab.json. */
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixture's needs from the pattern.
  lab: async ({}, use) => use(lab),

  /** `await as('omar')` is a page of a browser in which Omar is signed in; takes a browser context's options. `as()` is a stranger's. */
  as: async ({ browser, baseURL }, use) => {
    const contexts = [];
    await use(async (login, options = {}) => {
      const context = await browser.newContext({ baseURL, ...options, storageState: sessions.get(login) });
      contexts.push(context);
      if (options.javaScriptEnabled !== false) await announceTakeover(context);
      const page = await context.newPage();
      if (login && !sessions.has(login)) {
        await signIn(page, login);
        sessions.set(login, await context.storageState());
      }
      return page;
    });
    for (const context of contexts) await context.close();
  },
});

export { expect } from '@playwright/test';
