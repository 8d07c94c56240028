import { expectRunning, running } from '../support/hosts.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const { BAKE, WORK } = rollout;

test('a bad release is rolled back by itself, and its hosts run the old version again', async ({
  as,
  lab,
}) => {
  test.setTimeout(240_000);
  const [maria, ada, omar] = [await as('maria'), await as('ada'), await as('omar')];
  const { bad } = lab.artifacts;
  const old = await running(lab, 'production');
  const [version] = Object.values(old);
  await expectRunning(lab, 'production', version);

  await test.step('a member requests it, an approver approves, an operator releases', async () => {
    await rollout.fillRequest(maria, {
      environment: 'Production',
      artifact: bad,
      split: '33/33/34%',
      reason: 'New payment form.',
    });
    await rollout.sendRequest(maria);
    const path = new URL(maria.url()).pathname;
    await ada.goto(path);
    await ada.getByRole('button', { name: 'Approve this plan' }).click();
    await expect(rollout.state(ada)).toHaveText('Scheduled');
    await omar.goto(path);
    await omar.getByRole('button', { name: 'Release batch 1' }).click();
    await expect(rollout.state(omar)).toHaveText('Running');
  });

  const [first] = await rollout.hostNames(omar, 1);

  await test.step('the first batch gets it', async () => {
    await expect(rollout.hosts(omar, 1)).toContainText(
      [`${version} → ${bad.version}`, `${version} → ${bad.version}`],
      WORK,
    );
    expect((await running(lab, 'production'))[first]).toBe(bad.version);
  });

  await test.step('the verdict fails, and the batch is taken back without anybody’s help', async () => {
    await expect(rollout.batchState(omar, 1)).toHaveText('Rolled back', BAKE);
    await expect(rollout.state(omar)).toHaveText('Rolled back');
    await expect(rollout.sentence(omar)).toContainText('Every touched host runs its old version again.');
    await expect(rollout.hosts(omar, 1)).toContainText(['Rolled back', 'Rolled back']);
    for (const number of [2, 3]) {
      await expect(rollout.batchState(omar, number)).toHaveText('Pending');
      await expect(rollout.hosts(omar, number)).toContainText(['Pending', 'Pending']);
    }
    const verdict = omar.getByRole('region', { name: 'Judgement' }).locator('.verdict');
    await expect(verdict.locator('.verdict-head .badge-state')).toHaveText('Fail');
    await expect(
      verdict.getByRole('row').filter({ has: omar.getByText('Fail', { exact: true }) }),
    ).not.toHaveCount(0);
  });

  await test.step('the hosts say so themselves', async () => {
    expect(await running(lab, 'production')).toEqual(old);
  });

  await test.step('the delivery page counts a failed change and how long recovery took', async () => {
    await expect(await rollout.delivered(maria, 'Recovery time')).toHaveText(/\d+ s/);
    const row = maria
      .getByRole('region', { name: 'Deployments' })
      .getByRole('row', { name: `checkout ${bad.version} to production` });
    await expect(row.first()).toContainText('Rolled back');
    await expect(row.first()).toContainText(/\d+ s/);
  });

  await test.step('the audit trail says that Slipway did it', async () => {
    await maria.goto('/audit');
    const events = maria.getByRole('row').filter({ hasText: `checkout ${bad.version} to production` });
    await expect(
      events
        .filter({ hasText: 'Slipway' })
        .filter({ hasText: /roll(ed|ing)? back/i })
        .first(),
    ).toBeVisible();
  });
});
