import { commandLine } from '../support/cli.mjs';
import { textbox } from '../support/form.mjs';
import { expectRunning } from '../support/hosts.mjs';
import { takenOver } from '../support/people.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const { BAKE, WORK } = rollout;

test('at a manual gate an operator says go, and no-go; a pause stops the clock', async ({ as, lab }) => {
  test.setTimeout(240_000);
  const omar = await as('omar');
  const { baseline, good } = lab.artifacts;

  await test.step('a rollout to an environment without approval is ready at once', async () => {
    await rollout.fillRequest(omar, {
      environment: 'Development',
      artifact: good,
      split: '1/2 hosts',
      bake: '24h',
      gate: 'Manual',
      reason: 'Try the discounts.',
    });
    await rollout.sendRequest(omar);
    await expect(rollout.state(omar)).toHaveText('Scheduled');
    await omar.getByRole('button', { name: 'Release batch 1' }).click();
    await expect(rollout.state(omar)).toHaveText('Running');
  });

  await test.step('paused with a reason, the bake stands still', async () => {
    await expect(rollout.batchState(omar, 1)).toHaveText('Baking', WORK);
    await rollout.decide(omar, 'Pause', 'Waiting for the fraud team.');
    await expect(rollout.state(omar)).toHaveText('Paused');
    await expect(rollout.sentence(omar)).toHaveText('Paused by Omar Haddad: Waiting for the fraud team.');
    await expect(rollout.batch(omar, 1)).toContainText(/Clock stopped, \d+ s left/);
    await omar.getByRole('button', { name: 'Resume' }).click();
    await expect(rollout.state(omar)).toHaveText('Running');
    await expect(rollout.batch(omar, 1)).not.toContainText('Clock stopped');
  });

  await test.step('after the bake it waits for a person; only an operator may decide', async () => {
    await takenOver(omar);
    await rollout.mark(omar);
    await expect(rollout.batchState(omar, 1)).toHaveText('At the gate', BAKE);
    await expect(omar.getByText('Go or no-go for batch 1?')).toBeVisible();
    await rollout.expectNoReload(omar);
    const maria = await as('maria');
    await maria.goto(new URL(omar.url()).pathname);
    const go = maria.getByRole('button', { name: 'Go', exact: true });
    await expect(go).toBeDisabled();
    await expect(go).toHaveAccessibleDescription(/Takes the role SRE or operator/);
  });

  await test.step('a script that follows it may end there, and knows why', async () => {
    const cli = await commandLine(lab, 'viewer');
    const id = new URL(omar.url()).pathname.split('/').pop();
    const watched = await cli('rollout', 'watch', id, '--until-person');
    expect(watched.code).toBe(6);
    expect(watched.stdout).toContain('waits for a person');
  });

  await test.step('a go without a reason comes back; with one it promotes the batch and starts the next', async () => {
    await rollout.decide(omar, 'Go', 'ok');
    await expect(textbox(omar, 'Reason')).toHaveAccessibleDescription(/Give a reason of 3 to 1,000/);
    await expect(textbox(omar, 'Reason')).toHaveValue('ok');
    await textbox(omar, 'Reason').fill('Numbers look right.');
    await omar.getByRole('button', { name: 'Go', exact: true }).click();
    await expect(rollout.batchState(omar, 1)).toHaveText('Promoted');
    await expect(rollout.batch(omar, 1)).toContainText('Promoted by Omar Haddad');
    const go = omar
      .getByRole('region', { name: 'What happened' })
      .getByRole('row')
      .filter({ hasText: 'Go for batch 1' });
    await expect(go).toContainText('Numbers look right.');
    await expect(rollout.batchState(omar, 2)).toHaveText(/Deploying|Validating|Baking/);
  });

  await test.step('a no-go takes every touched host back', async () => {
    await expect(rollout.batchState(omar, 2)).toHaveText('At the gate', BAKE);
    await rollout.decide(omar, 'No-go', 'Finance says wait.');
    await expect(rollout.state(omar)).toHaveText('Rolled back', WORK);
    await expect(rollout.sentence(omar)).toContainText(
      'No-go for batch 2 by Omar Haddad: Finance says wait.',
    );
    for (const number of [1, 2]) await expect(rollout.batchState(omar, number)).toHaveText('Rolled back');
    await expectRunning(lab, 'dev', baseline.version);
  });
});
