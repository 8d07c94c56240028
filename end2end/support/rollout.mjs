// The rollout pages, as a person reads and uses them.

import { basename } from 'node:path';
import { textbox } from './form.mjs';
import { expect } from './test.mjs';

/** How long hosts may take for a deployment or a roll back. */
export const WORK = { timeout: 60_000 };
/** How long a bake may take, with what comes before and after. */
export const BAKE = { timeout: 90_000 };

/** Fills the form for a new rollout in; what is left out keeps the form's own value. */
export async function fillRequest(page, { environment, artifact, split, bake, gate, reason }) {
  await page.goto('/rollouts/new');
  await page.getByRole('combobox', { name: 'Service' }).selectOption('Checkout');
  await page.getByRole('combobox', { name: 'Environment' }).selectOption(environment);
  const texts = {
    Version: artifact.version,
    Artefact: basename(artifact.file),
    Batches: split,
    Reason: reason,
  };
  if (bake) texts['Bake time'] = bake;
  for (const [name, text] of Object.entries(texts)) await textbox(page, name).fill(text);
  if (gate) await page.getByRole('radio', { name: gate }).check();
}

/** Sends the form; the page is then the rollout's own. */
export async function sendRequest(page) {
  await page.getByRole('button', { name: 'Request', exact: true }).click();
  await expect(page).toHaveURL(/\/rollouts\/[0-9a-f-]{36}$/);
}

/** The state beside the title. */
export const state = (page) => page.locator('.page-header .badge-state');

/** The sentence below the title. */
export const sentence = (page) => page.locator('.page-header-sub');

/** A batch of the timeline. */
export const batch = (page, number) =>
  page
    .getByRole('region', { name: 'Batches' })
    .locator('.tb')
    .nth(number - 1);

/** The state of a batch. */
export const batchState = (page, number) => batch(page, number).locator('.badge-state');

/** The hosts of a batch in the grid. */
export const hosts = (page, number) =>
  page.getByRole('list', { name: `Hosts of batch ${number}` }).getByRole('listitem');

/** The names of a batch's hosts. */
export const hostNames = (page, number) => hosts(page, number).locator('.host-name').allTextContents();

/** Opens what is confirmed with a reason, gives it, and confirms. */
export async function decide(page, label, reason) {
  const summary = page.locator('summary').filter({ hasText: new RegExp(`^\\s*${label}\\s*$`) });
  await summary.click();
  const form = page.locator('details', { has: summary }).locator('form');
  await textbox(form, 'Reason').fill(reason);
  await form.getByRole('button', { name: label, exact: true }).click();
}

/** Puts a mark on the document that a reload would take away. */
export async function mark(page) {
  await page.locator('html').evaluate((html) => html.setAttribute('data-marked', ''));
}

/** The document is still the one that was marked. */
export async function expectNoReload(page) {
  await expect(page.locator('html[data-marked]'), 'the page was not loaded again').toBeAttached();
}

/** A headline number of the delivery page. */
export async function delivered(page, label) {
  await page.goto('/delivery');
  return page.locator('.stat-tile', { has: page.getByText(label, { exact: true }) }).locator('.stat-value');
}

/** The address of the newest rollout in a state. */
export async function newest(page, word) {
  await page.goto(`/rollouts?state=${word}`);
  const link = page
    .getByRole('region', { name: /rollouts/i })
    .getByRole('rowheader')
    .getByRole('link')
    .first();
  await expect(link, `an earlier file has made a rollout that is ${word}`).toBeVisible();
  return link.getAttribute('href');
}
