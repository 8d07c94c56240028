// Browser tests of the console, against what `make demo` starts: real hosts over SSH, a real identity provider.
//
//   npx playwright test                 everything, in the order of the file names
//   npx playwright test 01 08           some of it; most files need the service of 01, and 06 and 07 what others rolled out
import { defineConfig } from '@playwright/test';
import { chromium } from './support/browser.mjs';

export default defineConfig({
  testDir: 'specs',
  testMatch: '*.spec.mjs',
  globalSetup: './support/lab.mjs',
  // All specs share one console and its hosts, as people do.
  workers: 1,
  fullyParallel: false,
  retries: 0,
  forbidOnly: Boolean(process.env.CI),
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: 'list',
  outputDir: 'test-results',
  use: {
    actionTimeout: 10_000,
    launchOptions: chromium,
    viewport: { width: 1440, height: 900 },
    screenshot: 'only-on-failure',
    trace: { mode: 'retain-on-failure', screenshots: false },
  },
});
