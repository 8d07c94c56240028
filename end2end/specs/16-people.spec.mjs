import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectAccessible } from '../support/axe.mjs';
import { commandLine, holding } from '../support/cli.mjs';
import { textbox } from '../support/form.mjs';
import { signIn, takenOver } from '../support/people.mjs';
import { decide } from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const roles = (page) => page.getByRole('region', { name: 'Roles' }).getByRole('rowheader');

/** Opens somebody's page from the list. */
async function open(alma, name) {
  await alma.goto('/rollouts');
  await alma.getByText('Alma Okafor').first().click();
  await alma.getByRole('link', { name: 'People' }).click();
  await alma.getByRole('link', { name }).click();
  await expect(alma.getByRole('heading', { level: 1 })).toHaveText(name);
}

test('a role is given for a while, and taken again: each holds with the next click', async ({ as }) => {
  const [alma, lena] = [await as('alma'), await as('lena')];
  await lena.goto('/services');
  const bring = lena.getByRole('button', { name: 'Bring a service in' });
  await expect(bring).toBeDisabled();

  await test.step('an admin gives it, with a reason and an end', async () => {
    await open(alma, 'Lena Novak');
    await takenOver(alma);
    await expect(roles(alma)).toHaveText(['viewer']);
    await expectAccessible(alma, 'a person');
    await alma.locator('summary', { hasText: 'Give a role' }).click();
    await alma.getByRole('combobox', { name: 'Role' }).selectOption('member');
    await textbox(alma, 'Reason').fill('Joins the team for a month.');
    await textbox(alma, 'For how many days').fill('30');
    await alma.getByRole('button', { name: 'Give', exact: true }).click();
    await expect(alma.getByText('A member belongs to a team. Choose one.')).toBeVisible();
    await expect(textbox(alma, 'For how many days')).toHaveValue('30');
    await alma.getByRole('combobox', { name: 'Team' }).selectOption('payments');
    await alma.getByRole('button', { name: 'Give', exact: true }).click();
    await expect(roles(alma)).toHaveText(['viewer', 'member of payments']);
  });

  await test.step('she may bring a service in now, without signing in again', async () => {
    await lena.reload();
    await expect(lena.getByRole('link', { name: 'Bring a service in' })).toBeVisible();
    await lena.goto('/me');
    await expect(roles(lena)).toHaveText(['viewer', 'member of payments']);
    await expect(lena.getByRole('region', { name: 'Signed in' })).toContainText('this one');
  });

  await test.step('nobody gives themselves a role', async () => {
    await alma.goto('/me');
    await expect(alma.getByText('Nobody gives or takes their own roles.').first()).toBeVisible();
  });

  await test.step('it is taken, and gone', async () => {
    await open(alma, 'Lena Novak');
    await decide(alma, 'Take', 'The month is over.');
    await expect(alma.getByText('taken by Alma Okafor')).toBeVisible();
    await lena.goto('/services');
    await expect(bring).toBeDisabled();
    await alma.goto('/audit');
    const line = alma
      .getByRole('row')
      .filter({ hasText: 'Lena Novak was given the role member of payments' });
    await expect(line).toContainText('Alma Okafor');
    await expect(line).toContainText('admins-grant');
  });
});

test('an admin keeps somebody out in one tab, and the other tab is out', async ({ as }) => {
  const [alma, lena] = [await as('alma'), await as()];
  await signIn(lena, 'lena');
  await lena.goto('/rollouts');
  await expect(lena.getByRole('heading', { level: 1 })).toHaveText('Rollouts');
  await open(alma, 'Lena Novak');
  await decide(alma, 'Keep out', 'Left the company.');
  await expect(alma.getByRole('alert')).toContainText('Left the company.');

  await lena.goto('/services');
  await expect(lena.getByText('You are not signed in')).toBeVisible();
  await lena.goto('/auth/login');
  await lena.getByRole('button', { name: '(lena)' }).click();
  await expect(lena.getByText('An admin keeps you out of Slipway: Left the company.')).toBeVisible();

  await decide(alma, 'Let in', 'Came back.');
  await expect(alma.locator('summary', { hasText: 'Keep out' })).toBeVisible();
  await signIn(lena, 'lena');
  await expect(lena.getByRole('heading', { level: 1 })).toHaveText('Rollouts');
});

/** The file that a link of the page gives. */
async function download(page, link) {
  const coming = page.waitForEvent('download');
  await page.getByRole('link', { name: link }).click();
  return coming;
}

test('who holds what is a file, for whoever reviews it', async ({ as }) => {
  const alma = await as('alma');
  await alma.goto('/people');
  await takenOver(alma);
  const file = await download(alma, 'CSV');
  expect(file.suggestedFilename()).toBe('access.csv');
  const lines = readFileSync(await file.path(), 'utf8').split('\n');
  expect(lines[0]).toBe('kind,id,name,email,state,role,given_by,reason,since,until,seen_at,holder');
  expect(
    lines.filter((line) => line.includes('Alma Okafor,alma@example.test,active,admin,group slipway-admins')),
  ).toHaveLength(1);
});

test('the trail is taken out as events that keep to the published schema', async ({ as }) => {
  const alma = await as('alma');
  await alma.goto('/audit');
  await takenOver(alma);
  const file = await download(alma, 'OCSF');
  expect(file.suggestedFilename()).toBe('audit.ocsf.jsonl');
  const python = join(import.meta.dirname, '../../.venv/bin/python');
  const checked = execFileSync(python, [join(import.meta.dirname, '../support/ocsf.py'), await file.path()]);
  const seen = JSON.parse(checked);
  // Accounts changed, sign-ins, things changed, roles given and taken.
  expect(Object.keys(seen).sort()).toEqual(['3001', '3002', '3004', '3005']);
  await alma.goto('/audit?about=audit');
  await expect(alma.getByText('lines of the audit trail out as a file').first()).toBeVisible();
});

test('whoever keeps no people does not see them', async ({ as }) => {
  const omar = await as('omar');
  await omar.goto('/people');
  await expect(omar.getByText(/Reading who may do what takes the role auditor/)).toBeVisible();
});

test('a token is ended in the console, and refused with its next request', async ({ as, lab }) => {
  const alma = await as('alma');
  const cli = await commandLine(lab, 'viewer', 'nightly report');
  expect((await cli('rollout', 'list')).code).toBe(0);
  await alma.goto('/people');
  await alma.getByRole('link', { name: 'Tokens' }).click();
  await expect(alma.getByRole('heading', { level: 1 })).toHaveText('Tokens');
  await takenOver(alma);
  await expectAccessible(alma, 'tokens');
  const token = alma.getByRole('row').filter({ hasText: 'nightly report' });
  await token.locator('summary', { hasText: 'End' }).click();
  await textbox(token, 'Reason').fill('It was found in a log.');
  await token.getByRole('button', { name: 'End', exact: true }).click();
  await expect(token).toContainText('ended by Alma Okafor');
  await expect(token).toContainText('It was found in a log.');
  const refused = await cli('rollout', 'list');
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('token');

  await test.step('who may not read who may do what sees no tokens', async () => {
    const omar = await as('omar');
    await omar.goto('/tokens');
    await expect(omar.getByText(/Reading who may do what takes the role auditor or admin/)).toBeVisible();
    await expect(omar.getByText('nightly report')).toHaveCount(0);
  });
});

test('a person makes a token that acts for them, and an admin one for a service account', async ({
  as,
  lab,
}) => {
  const [alma, maria] = [await as('alma'), await as('maria')];
  const secret = (page) => page.getByRole('region', { name: 'Tokens' }).locator('code.secret');
  const make = async (page, name) => {
    await page.locator('summary', { hasText: 'Make a token' }).click();
    await textbox(page, 'Name').fill(name);
    await page.getByRole('button', { name: 'Make', exact: true }).click();
    await expect(page.getByText('Copy it now')).toBeVisible();
    const shown = await secret(page).textContent();
    await expectAccessible(page, 'a token that was made');
    // It is shown once.
    await page.reload();
    await expect(page.getByRole('row').filter({ hasText: name })).toBeVisible();
    await expect(secret(page)).toHaveCount(0);
    return holding(lab, shown);
  };

  await test.step('hers reads what she may read', async () => {
    await maria.goto('/me');
    await takenOver(maria);
    await maria.locator('summary', { hasText: 'Make a token' }).click();
    await textbox(maria, 'For how many days').fill('4000');
    await textbox(maria, 'Name').fill('laptop');
    await maria.getByRole('button', { name: 'Make', exact: true }).click();
    await expect(maria.getByText('Write a number of days from 1 to 366.')).toBeVisible();
    await expect(textbox(maria, 'Name')).toHaveValue('laptop');
    await maria.goto('/me');
    const cli = await make(maria, 'laptop');
    expect((await cli('rollout', 'list')).code).toBe(0);
    const own = await cli(
      'access',
      'explain',
      '--action',
      'request_rollout',
      '--resource',
      'service:checkout',
    );
    expect(own.stdout).toContain('Maria Keller');
    await expect(maria.getByRole('row').filter({ hasText: 'laptop' })).toContainText(
      'all that Maria Keller may',
    );
  });

  await test.step('the account of a pipeline may what it is given, and no more', async () => {
    await alma.goto('/people');
    await takenOver(alma);
    await alma.locator('summary', { hasText: 'Make a service account' }).click();
    await textbox(alma, 'Name').fill('Release pipeline');
    await textbox(alma, 'Reason').fill('It starts what was merged.');
    await alma.getByRole('button', { name: 'Make', exact: true }).click();
    await expect(alma.getByRole('heading', { level: 1 })).toHaveText('Release pipeline');
    await takenOver(alma);
    const cli = await make(alma, 'merge queue');
    expect((await cli('rollout', 'list')).stderr).toContain('no role');
    await alma.locator('summary', { hasText: 'Give a role' }).click();
    await textbox(alma, 'Reason').fill('It reads what runs.');
    await alma.getByRole('button', { name: 'Give', exact: true }).click();
    await expect(roles(alma)).toHaveText(['viewer']);
    expect((await cli('rollout', 'list')).code).toBe(0);
    await decide(alma, 'Keep out', 'It was seen in a log.');
    await expect(alma.getByRole('alert')).toContainText('It was seen in a log.');
    expect((await cli('rollout', 'list')).code).not.toBe(0);
  });
});
