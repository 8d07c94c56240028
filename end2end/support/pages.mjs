// Every page of the console, by address.
import { newest } from './rollout.mjs';

/** Addresses of all pages as an operator finds them, with one rollout of each kind. */
export async function everyPage(page) {
  const succeeded = await newest(page, 'succeeded');
  const rolledBack = await newest(page, 'rolled_back');
  await page.goto(succeeded);
  const job = await page
    .getByRole('region', { name: 'Jobs' })
    .getByRole('rowheader')
    .getByRole('link')
    .last()
    .getAttribute('href');
  return [
    '/rollouts',
    '/rollouts/new',
    succeeded,
    rolledBack,
    `${rolledBack}/trouble`,
    '/services',
    '/services/new',
    '/services/checkout',
    '/projects',
    '/environments',
    '/environments/production',
    '/jobs',
    job,
    '/delivery',
    '/audit',
    '/me',
    '/people',
    '/ui',
    '/no/such/page',
  ];
}
