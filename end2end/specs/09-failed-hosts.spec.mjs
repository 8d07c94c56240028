import { readFileSync } from 'node:fs';
import { expectAccessible } from '../support/axe.mjs';
import { textbox } from '../support/form.mjs';
import { expectRunning, fault, running } from '../support/hosts.mjs';
import { takenOver } from '../support/people.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const { BAKE, WORK } = rollout;
const SHORTEST_BAKE = '26h';

/** Omar requests a release for the development hosts and releases it. */
async function release(omar, artifact, reason, { failures = '0', beyond = 'Hold' } = {}) {
  await rollout.fillRequest(omar, {
    environment: 'Development',
    artifact,
    split: '100%',
    bake: SHORTEST_BAKE,
    reason,
  });
  await omar.getByText('Failures, tolerances and waiting').click();
  await textbox(omar, 'Hosts of a batch that may fail').fill(failures);
  await omar.getByRole('radio', { name: beyond }).check();
  await rollout.sendRequest(omar);
  await omar.getByRole('button', { name: 'Release batch 1' }).click();
  await expect(rollout.state(omar)).toHaveText('Running');
  await takenOver(omar);
  await rollout.mark(omar);
}

/** The jobs of the open rollout, in their order. */
const jobs = (page, kind) => page.getByRole('region', { name: 'Jobs' }).getByRole('link', { name: kind });

/** Cancels the deploy of the rollout that is open, and comes back when its batch waits for a person. */
async function cancelDeploy(omar) {
  const path = new URL(omar.url()).pathname;
  await jobs(omar, /^Deploy/)
    .first()
    .click();
  await omar.locator('summary', { hasText: 'Cancel' }).click();
  await textbox(omar, 'Reason').fill('Not today.');
  await omar
    .getByRole('button', { name: /^Cancel/ })
    .last()
    .click();
  await expect(omar.locator('main')).toContainText(/Asked to stop by.*Omar.*Not today\./s);
  await expect(omar.locator('summary', { hasText: 'Cancel' })).toHaveCount(0);
  await omar.goto(path);
  await expect(rollout.batchState(omar, 1)).toHaveText('Held', WORK);
}

/** Which of two releases the development hosts do not run. */
async function other(lab) {
  const now = Object.values(await running(lab, 'dev'));
  const { baseline, good } = lab.artifacts;
  return now.every((version) => version === good.version) ? baseline : good;
}

test.afterEach(async ({ lab }) => {
  for (const host of ['dev-1', 'dev-2', 'dev-3']) await fault(lab, host, 'clear');
});

test('a host that cannot be reached is tried again by itself', async ({ as, lab }) => {
  test.setTimeout(240_000);
  const omar = await as('omar');
  const artifact = await other(lab);
  await fault(lab, 'dev-1', 'unreachable');
  await release(omar, artifact, 'One host is being restarted.', { failures: '34%' });
  await expect(rollout.batchState(omar, 1)).toHaveText('Trying again', WORK);
  await expect(rollout.batch(omar, 1)).toContainText('1 unreachable');
  await expect(rollout.batch(omar, 1)).toContainText('Tried again at');
  await expect(omar.getByText('Batch 1 is tried again by itself')).toBeVisible();
  await fault(lab, 'dev-1', 'clear');
  await expect(rollout.batchState(omar, 1)).toHaveText('Baking', WORK);
  await rollout.expectNoReload(omar);
  await expect(jobs(omar, /^Deploy/)).toHaveCount(2);
  await expect(rollout.state(omar)).toHaveText('Succeeded', BAKE);
  await expectRunning(lab, 'dev', artifact.version);
});

test('a failed task asks a person, who tries the failed host again', async ({ as, lab }) => {
  test.setTimeout(240_000);
  const omar = await as('omar');
  const artifact = await other(lab);
  await fault(lab, 'dev-2', 'failing');
  await release(omar, artifact, 'A host is not well.', { failures: '1', beyond: 'Roll back' });
  await expect(rollout.batchState(omar, 1)).toHaveText('Held', WORK);
  await expect(rollout.hosts(omar, 1)).toContainText(['Updated', 'Failed', 'Updated']);
  await fault(lab, 'dev-2', 'clear');
  await omar.getByRole('button', { name: 'Retry unfinished hosts' }).click();
  await expect(rollout.batchState(omar, 1)).toHaveText('Baking', WORK);

  await test.step('the second job went to that host alone', async () => {
    const log = await omar.context().newPage();
    await log.goto(
      await jobs(omar, /^Deploy/)
        .last()
        .getAttribute('href'),
    );
    const recap = log.locator('.log-line').filter({ hasText: /ok=\d+/ });
    await expect(recap).toHaveCount(1);
    await expect(recap).toContainText('dev-2');
    await log.close();
  });

  await test.step('the output of the first one leads to its failure', async () => {
    const log = await omar.context().newPage();
    await log.goto(
      await jobs(omar, /^Deploy/)
        .first()
        .getAttribute('href'),
    );
    await log.getByRole('link', { name: 'First failure' }).click();
    await expect(log.locator('.log-line:target')).toContainText(/ERROR|fatal: /);
    await log.getByRole('searchbox', { name: 'Find in the output' }).fill('play recap');
    await log.getByRole('button', { name: 'Find', exact: true }).click();
    const found = log.getByRole('region', { name: 'Found' });
    await expect(found.getByRole('status')).toHaveText('1 line with “play recap”');
    await expect(found.locator('.log-line')).toContainText('PLAY RECAP');
    await found.getByRole('link', { name: /^Line \d+$/ }).click();
    await expect(log.locator('.log-line:target')).toContainText('PLAY RECAP');
    const [download] = await Promise.all([
      log.waitForEvent('download'),
      log.getByRole('link', { name: 'Download' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`checkout-${artifact.version}-dev-batch-1-deploy.log`);
    expect(readFileSync(await download.path(), 'utf8')).toContain('PLAY RECAP');
    await log.close();
  });

  await expect(rollout.state(omar)).toHaveText('Succeeded', BAKE);
  await expectRunning(lab, 'dev', artifact.version);
});

test('a batch goes on without a host that was excluded, which is shown as such for ever', async ({
  as,
  lab,
}) => {
  test.setTimeout(240_000);
  const [omar, lena] = [await as('omar'), await as('lena')];
  const artifact = await other(lab);
  await fault(lab, 'dev-3', 'unreachable');
  await release(omar, artifact, 'A host has gone for repair.');
  await expect(rollout.batchState(omar, 1)).toHaveText('Held', WORK);
  const path = new URL(omar.url()).pathname;

  await test.step('whoever may not is told why', async () => {
    await lena.goto(path);
    await expect(lena.getByRole('button', { name: 'Exclude hosts' })).toBeDisabled();
  });

  await test.step('a host that took the change stays', async () => {
    await omar.locator('summary', { hasText: 'Exclude hosts' }).click();
    await expect(textbox(omar, 'Hosts')).toHaveValue('dev-3');
    await textbox(omar, 'Hosts').fill('dev-1 dev-3');
    await textbox(omar, 'Reason').fill('Its disk is being replaced.');
    await omar.getByRole('button', { name: 'Exclude', exact: true }).click();
    await expect(textbox(omar, 'Hosts')).toHaveAccessibleDescription(/dev-1 took the change/);
    await expect(textbox(omar, 'Reason')).toHaveValue('Its disk is being replaced.');
  });

  await textbox(omar, 'Hosts').fill('dev-3');
  await omar.getByRole('button', { name: 'Exclude', exact: true }).click();
  await expect(rollout.batchState(omar, 1)).toHaveText('Baking', WORK);
  await expect(rollout.state(omar)).toHaveText('Succeeded', BAKE);
  await expect(rollout.hosts(omar, 1)).toContainText(['Updated', 'Updated', 'Excluded']);
  await expect(omar.getByRole('region', { name: 'Hosts' })).toContainText(
    /Its disk is being replaced\. \(excluded by Omar/,
  );
  const events = omar.getByRole('region', { name: 'What happened' });
  await expect(events).toContainText('Excluded from batch 1: dev-3');
  await fault(lab, 'dev-3', 'clear');
  const now = await running(lab, 'dev');
  expect(now['dev-1']).toBe(artifact.version);
  expect(now['dev-3']).not.toBe(artifact.version);
});

test('more failures than the budget are rolled back at once', async ({ as, lab }) => {
  test.setTimeout(240_000);
  const omar = await as('omar');
  const before = await running(lab, 'dev');
  await fault(lab, 'dev-2', 'unreachable');
  await release(omar, lab.artifacts.bad, 'None may fail.', { beyond: 'Roll back' });
  await expect(rollout.state(omar)).toHaveText('Rolled back', BAKE);
  await expect(rollout.sentence(omar)).toContainText(
    'Batch 1 has more failures than its budget of 0 hosts. Of 3 hosts: 1 unreachable.',
  );
  await fault(lab, 'dev-2', 'clear');
  expect(await running(lab, 'dev')).toEqual(before);
});

test('a job that is cancelled leaves no host unknown: they are asked what they run', async ({ as, lab }) => {
  test.setTimeout(240_000);
  const omar = await as('omar');
  await release(omar, await other(lab), 'Somebody will change their mind.');
  await cancelDeploy(omar);
  await expect(rollout.batch(omar, 1)).not.toContainText('unknown');
  await expect(jobs(omar, /version/i).first()).toBeVisible();
  const happened = omar.getByRole('region', { name: 'What happened' }).getByRole('row');
  await expect(happened.filter({ hasText: 'The deployment of batch 1 was asked to stop' })).toContainText(
    'Not today.',
  );
  await rollout.decide(omar, 'Abort', 'Another day.');
  await expect(rollout.state(omar)).toHaveText('Aborted', WORK);
});

test('a host nobody knows about is shown with what was last seen of it, and is asked again', async ({
  as,
  lab,
}) => {
  test.setTimeout(240_000);
  const omar = await as('omar');
  await fault(lab, 'dev-1', 'unreachable');
  await release(omar, await other(lab), 'Nobody will know.');
  await cancelDeploy(omar);
  await omar.getByRole('link', { name: 'What was last seen of these hosts' }).click();
  const row = omar.getByRole('row').filter({ has: omar.getByRole('rowheader', { name: /dev-1/ }) });
  await expect(row).toContainText('Unknown');
  await expectAccessible(omar, 'the hosts to decide on');
  await fault(lab, 'dev-1', 'clear');
  await omar.getByRole('button', { name: 'Ask the hosts again' }).click();
  await expect(jobs(omar, 'Probe unknown hosts')).toHaveCount(1);
  await expect(rollout.batchState(omar, 1)).toHaveText('Held', WORK);
  await expect(rollout.batch(omar, 1)).not.toContainText('unknown');
  await rollout.decide(omar, 'Abort', 'Another day.');
  await expect(rollout.state(omar)).toHaveText('Aborted', WORK);
});
