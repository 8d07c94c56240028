import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectRunning } from '../support/hosts.mjs';
import { takenOver } from '../support/people.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const { BAKE, WORK } = rollout;

/** A file of the console, which lives beside the lab. */
const file = (lab, ...path) => readFileSync(join(lab.lab, '..', ...path), 'utf8');
const processId = (lab) => Number(file(lab, 'slipway.pid'));

/** The development hosts, each with the attempts it has ever taken: a host takes none twice. */
function attemptsTaken(lab) {
  const { hosts, service } = JSON.parse(readFileSync(join(lab.lab, 'lab.json'), 'utf8'));
  const dev = hosts.filter((host) => host.environment === 'dev');
  const folders = dev.map(({ vars }) => join(vars.slipway_root, service.install_root, '.slipway/attempts'));
  return folders.map((folder) => (existsSync(folder) ? readdirSync(folder) : []));
}

/** Kills the console as a power cut would; the lab starts it again, as a service manager does. */
function kill(lab) {
  const id = processId(lab);
  process.kill(id, 'SIGKILL');
  return id;
}

async function expectStartedAgain(lab, killed) {
  await expect.poll(() => processId(lab), 'the console has a new process').not.toBe(killed);
  await expect
    .poll(async () => (await fetch(`${lab.console}/readyz`).catch(() => ({}))).status, 'it answers')
    .toBe(200);
}

test('a console killed in mid-batch and in mid-bake goes on: each host is touched once, no line is lost', async ({
  as,
  lab,
}) => {
  test.setTimeout(240_000);
  const omar = await as('omar');
  const { good } = lab.artifacts;
  const before = attemptsTaken(lab);
  const fresh = () => attemptsTaken(lab).map((now, host) => now.filter((id) => !before[host].includes(id)));

  await test.step('it is killed while the playbook works on the hosts', async () => {
    await rollout.fillRequest(omar, {
      environment: 'Development',
      artifact: good,
      split: '100%',
      bake: '48h',
      reason: 'The power may go.',
    });
    await rollout.sendRequest(omar);
    await omar.getByRole('button', { name: 'Release batch 1' }).click();
    await expect(rollout.state(omar)).toHaveText('Running');
    await takenOver(omar);
    await rollout.mark(omar);
    await expect
      .poll(() => fresh().flat().length, { message: 'a host is being worked on', ...WORK })
      .toBeGreaterThan(0);
    await expectStartedAgain(lab, kill(lab));
  });

  await test.step('the playbook’s end is taken over, and the open page follows', async () => {
    await expect(rollout.batchState(omar, 1)).toHaveText('Baking', WORK);
    await rollout.expectNoReload(omar);
    const deploys = omar.getByRole('region', { name: 'Jobs' }).getByRole('link', { name: /^Deploy/ });
    await expect(deploys).toHaveCount(1);
    const [attempt, ...others] = new Set(fresh().flat());
    expect(others, 'attempts besides the one').toEqual([]);
    expect(fresh(), 'every host took it once').toEqual(before.map(() => [attempt]));

    const written = file(lab, 'data/attempts', attempt, 'output.log');
    const log = await omar.context().newPage();
    await log.goto(await deploys.getAttribute('href'));
    await expect(log.locator('.log-line')).toHaveCount(written.split('\n').length - 1);
    await expect(log.locator('.log-line').filter({ hasText: 'PLAY RECAP' })).toHaveCount(1);
    await log.close();
  });

  await test.step('killed in the bake, it goes on with the same clock', async () => {
    const due = await rollout.batch(omar, 1).locator('.bake time').getAttribute('datetime');
    await expectStartedAgain(lab, kill(lab));
    await omar.reload();
    expect(await rollout.batch(omar, 1).locator('.bake time').getAttribute('datetime')).toBe(due);
    await expect(rollout.batchState(omar, 1)).toHaveText('Promoted', BAKE);
    await expect(rollout.state(omar)).toHaveText('Succeeded');
    expect(
      fresh().map((host) => host.length),
      'attempts of each host',
    ).toEqual(before.map(() => 1));
    await expectRunning(lab, 'dev', good.version);
  });
});

test('an open page says that the server is away, and that it is back', async ({ as }) => {
  const omar = await as('omar');
  await omar.goto('/rollouts');
  const first = omar
    .getByRole('region', { name: 'All rollouts' })
    .getByRole('rowheader')
    .getByRole('link')
    .first();
  const href = await first.getAttribute('href');
  const away = omar.getByText('Not live.');
  await omar.route('**/stream/**', (route) => route.abort('connectionrefused'));
  await omar.goto(href);
  await expect(away).toBeVisible({ timeout: 20_000 });
  await omar.unroute('**/stream/**');
  await expect(away).toBeHidden({ timeout: 20_000 });
});

test('a proxy whose server is away does not look like a server', async ({ as }) => {
  const omar = await as('omar');
  const path = await rollout.newest(omar, 'succeeded');
  const away = omar.getByText('Not live.');
  const [streams, health] = ['**/stream/**', '**/healthz'];
  for (const address of [streams, health])
    await omar.route(address, (route) => route.fulfill({ status: 504 }));
  await omar.goto(path);
  await expect(away).toBeVisible();
  await omar.goto('/services/new');
  await takenOver(omar);
  await rollout.mark(omar);
  const name = omar.getByRole('textbox', { name: 'Name', exact: true });
  await name.fill('Typed for nothing?');
  await omar.locator('main form').evaluate((form) => {
    form.noValidate = true;
  });
  await omar.locator('main form').getByRole('button').last().click();
  await expect(omar.getByRole('alert').filter({ hasText: 'Not sent' })).toBeVisible();
  await rollout.expectNoReload(omar);
  await expect(name).toHaveValue('Typed for nothing?');
});

test('a server that hangs is noticed, and a form is not lost to it', async ({ as, lab }) => {
  const omar = await as('omar');
  const reason = 'Typed while nobody listened.';
  await rollout.fillRequest(omar, {
    environment: 'Development',
    artifact: lab.artifacts.good,
    split: '100%',
    bake: '48h',
    reason: 'The server will hang.',
  });
  await rollout.sendRequest(omar);
  await omar.clock.install();
  await omar.reload();
  await takenOver(omar);
  await rollout.mark(omar);
  const away = omar.getByText('Not live.');
  const id = processId(lab);
  process.kill(id, 'SIGSTOP');
  try {
    await omar.clock.runFor('01:30');
    await expect(away).toBeVisible();
    await rollout.decide(omar, 'Withdraw', reason);
    await expect(omar.getByRole('alert').filter({ hasText: 'Not sent' })).toBeVisible();
    await rollout.expectNoReload(omar);
  } finally {
    process.kill(id, 'SIGCONT');
  }
  await expect(away).toBeHidden({ timeout: 20_000 });
  await expect(omar.locator('details[open]').getByLabel('Reason')).toHaveValue(reason);
  await omar.locator('details[open]').getByRole('button', { name: 'Withdraw', exact: true }).click();
  await expect(rollout.state(omar)).toHaveText('Withdrawn');
});
