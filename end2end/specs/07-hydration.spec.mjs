import { everyPage } from '../support/pages.mjs';
import { takenOver } from '../support/people.mjs';
import { expectNoReload, mark } from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

test('the script takes over every page without a complaint', async ({ as }) => {
  test.setTimeout(120_000);
  const omar = await as('omar');
  const paths = await everyPage(omar);
  const complaints = [];
  omar.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  omar.on('pageerror', (error) => complaints.push(`thrown: ${error.message}`));
  omar.on('response', (answer) => {
    if (answer.status() >= 400) complaints.push(`${answer.status()} ${new URL(answer.url()).pathname}`);
  });

  for (const path of paths) {
    await test.step(path, async () => {
      complaints.length = 0;
      await omar.goto(path);
      await takenOver(omar);
      // Going on inside the page proves that its script works.
      await mark(omar);
      const [away, title] = path === '/delivery' ? ['Audit', 'Audit'] : ['Delivery', 'Delivery'];
      await omar.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: away }).click();
      await expect(omar.getByRole('heading', { level: 1, name: title })).toBeVisible();
      await expectNoReload(omar);
      // An operator keeps no people.
      const refused = { '/no/such/page': [/404/], '/people': [/403/] };
      const expected = refused[path] ?? [];
      const rest = complaints.filter((complaint) => !expected.some((pattern) => pattern.test(complaint)));
      expect.soft(rest, `what the browser complains about on ${path}`).toEqual([]);
    });
  }
});

test('every entry of the menu leads on, whatever was open before', async ({ as }) => {
  const omar = await as('omar');
  const refused = [];
  omar.on('response', (answer) => {
    if (answer.status() >= 400) refused.push(`${answer.status()} ${new URL(answer.url()).pathname}`);
  });
  const [rollout] = (await everyPage(omar)).filter((path) => /^\/rollouts\/[0-9a-f]/.test(path));
  await omar.goto(rollout);
  await takenOver(omar);
  await mark(omar);
  const menu = omar.getByRole('navigation', { name: 'Main' }).getByRole('link');
  for (const entry of await menu.allTextContents()) {
    await menu.filter({ hasText: entry }).click();
    await expect(omar.getByRole('heading', { level: 1, name: entry })).toBeVisible();
    await omar.goBack();
    await omar.goForward();
    await expect(omar.getByRole('heading', { level: 1, name: entry })).toBeVisible();
  }
  await expectNoReload(omar);
  expect(refused).toEqual([]);
});

test('only scripts of this answer may run', async ({ as }) => {
  const omar = await as('omar');
  const policy = async (path) => (await omar.goto(path)).headers()['content-security-policy'] ?? '';
  const [one, two] = [await policy('/rollouts'), await policy('/rollouts')];
  const nonce = (text) => text.match(/script-src 'nonce-([^']+)'/)?.[1];
  expect(nonce(one)).toBeTruthy();
  expect(nonce(two)).not.toBe(nonce(one));
  expect(one).not.toContain('unsafe-inline');
  expect(one).not.toContain("'unsafe-eval'");
});

test('the theme that was chosen stays', async ({ as }) => {
  const omar = await as('omar', { colorScheme: 'light' });
  await omar.goto('/rollouts');
  await omar.getByText('Omar Haddad').first().click();
  await omar.getByRole('button', { name: 'Dark theme' }).click();
  await expect(omar.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(omar).toHaveURL(/\/rollouts$/);
  await omar.goto('/services');
  await expect(omar.locator('html')).toHaveAttribute('data-theme', 'dark');
});
