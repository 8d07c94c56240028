import { textbox } from '../support/form.mjs';
import { expectRunning } from '../support/hosts.mjs';
import { takenOver } from '../support/people.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const { BAKE, WORK } = rollout;

test('a good release goes out in three batches, once somebody else approved it', async ({ as, lab }) => {
  test.setTimeout(300_000);
  const [omar, ada] = [await as('omar'), await as('ada')];
  const { baseline, good } = lab.artifacts;
  const change = `${baseline.version} → ${good.version}`;
  const before = Number(await (await rollout.delivered(omar, 'Deployments')).textContent());
  await expectRunning(lab, 'production', baseline.version);

  await test.step('an operator requests it, having seen its batches', async () => {
    const reason = 'Fixes rounding of discounts.';
    await rollout.fillRequest(omar, {
      environment: 'Production',
      artifact: good,
      split: '33/33/34%',
      bake: '48h',
      reason,
    });
    await omar.getByRole('button', { name: 'Preview' }).click();
    const preview = omar.getByRole('region', { name: 'Preview' });
    await expect(preview).toContainText(`Checkout ${good.version} to Production`);
    await expect(preview.getByText(/^Batch \d/)).toHaveText(['Batch 1', 'Batch 2', 'Batch 3']);
    await expect(preview.getByRole('listitem').getByRole('listitem')).toHaveCount(6);
    await expect(textbox(omar, 'Reason')).toHaveValue(reason);
    const digest = await preview.locator('.digest').getAttribute('title');
    await rollout.sendRequest(omar);
    await expect(omar.getByRole('heading', { level: 1 })).toHaveText(
      `Checkout ${good.version} to Production`,
    );
    await expect(rollout.state(omar)).toHaveText('Awaiting approval');
    await expect(omar.locator(`.digest[title="${digest}"]`)).toBeVisible();
  });

  const path = new URL(omar.url()).pathname;
  await takenOver(omar);
  await rollout.mark(omar);

  await test.step('the requester cannot approve: the button is disabled and says why', async () => {
    const button = omar.getByRole('button', { name: 'Approve this plan' });
    await expect(button).toBeDisabled();
    await expect(button).toHaveAccessibleDescription(/somebody else has to decide/);
    await expect(
      omar.getByText('You requested this change, so somebody else has to decide on it.').first(),
    ).toBeVisible();
  });

  await test.step('nor by sending the form all the same', async () => {
    const status = await omar.locator('form#approve').evaluate(async (form) => {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.action, {
        method: 'POST',
        body,
        headers: { accept: 'application/json' },
      });
      return answer.status;
    });
    expect(status).toBe(403);
    await expect(rollout.state(omar)).toHaveText('Awaiting approval');
  });

  await test.step('an approver approves exactly this plan, and the requester’s page moves by itself', async () => {
    await ada.goto(path);
    await expect(ada.getByRole('button', { name: 'Release batch 1' })).toHaveCount(0);
    await ada.getByRole('button', { name: 'Approve this plan' }).click();
    await expect(rollout.state(ada)).toHaveText('Scheduled');
    await expect(ada.getByRole('button', { name: 'Release batch 1' })).toBeDisabled();
    await expect(rollout.state(omar)).toHaveText('Scheduled');
    await expect(omar.getByRole('region', { name: 'Change request' })).toContainText(
      'Approved by Ada Lindqvist',
    );
    await rollout.expectNoReload(omar);
  });

  await test.step('an operator releases it: hosts and output move without a reload', async () => {
    await omar.getByRole('button', { name: 'Release batch 1' }).click();
    await expect(rollout.state(omar)).toHaveText('Running');
    await takenOver(omar);
    await rollout.mark(omar);

    const job = omar.getByRole('region', { name: 'Jobs' }).getByRole('link', { name: 'Deploy, batch 1' });
    const log = await omar.context().newPage();
    await log.goto(await job.getAttribute('href'));
    await takenOver(log);
    await rollout.mark(log);
    await expect(log.locator('.page-header .badge-state')).toHaveText(/Queued|Starting|Running/);

    await expect(rollout.hosts(omar, 1).first()).toContainText('Updating', WORK);
    await expect(rollout.hosts(omar, 1)).toContainText([change, change], WORK);
    await expect(rollout.hosts(omar, 1)).toContainText(['Updated', 'Updated']);
    await expect(rollout.hosts(omar, 2)).toContainText(['Pending', 'Pending']);
    await expect(rollout.batchState(omar, 1)).toHaveText('Baking', WORK);
    await expect(rollout.batch(omar, 1)).toContainText(/\d+ s left/);
    const measured = omar.locator('.chart-plot .chart-line-1').first();
    const drawn = await measured.getAttribute('d');
    await expect(measured).not.toHaveAttribute('d', drawn);
    await rollout.expectNoReload(omar);

    await expect(log.locator('.page-header .badge-state')).toHaveText('Succeeded');
    await expect(log.locator('.log-line').filter({ hasText: 'PLAY RECAP' })).toBeVisible();
    await rollout.expectNoReload(log);
    await log.close();
  });

  await test.step('each batch is judged, promoted and followed by the next', async () => {
    for (const number of [1, 2, 3])
      await expect(rollout.batchState(omar, number)).toHaveText('Promoted', BAKE);
    await expect(rollout.state(omar)).toHaveText('Succeeded');
    const verdicts = omar.getByRole('region', { name: 'Judgement' }).locator('.verdict');
    await expect(verdicts.locator('.verdict-head strong')).toHaveText(['Batch 3', 'Batch 2', 'Batch 1']);
    await expect(verdicts.locator('.verdict-head .badge-state')).toHaveText(['Pass', 'Pass', 'Pass']);
    await expect(verdicts.first().getByRole('rowheader')).toContainText([
      'Error rate',
      'Latency',
      'Liveness',
    ]);
    for (const number of [1, 2, 3]) await expect(rollout.hosts(omar, number)).toContainText([change, change]);
    await rollout.expectNoReload(omar);
  });

  await test.step('the hosts say so themselves', async () => {
    await expectRunning(lab, 'production', good.version);
  });

  await test.step('the delivery page counts it', async () => {
    await expect(await rollout.delivered(omar, 'Deployments')).toHaveText(String(before + 1));
    const row = omar
      .getByRole('region', { name: 'Deployments' })
      .getByRole('row', { name: `checkout ${good.version} to production` });
    await expect(row.first()).toContainText('Succeeded');
  });

  await test.step('the audit trail names who requested, approved and released', async () => {
    await omar.goto('/audit');
    const name = `checkout ${good.version} to production`;
    for (const [what, who] of [
      [`Approval was asked for ${name}`, 'Omar Haddad'],
      [`${name} was approved`, 'Ada Lindqvist'],
      [`${name} was released`, 'Omar Haddad'],
    ]) {
      await expect(omar.getByRole('row').filter({ hasText: what })).toContainText(who);
    }
    await omar.getByRole('link', { name, exact: true }).first().click();
    await expect(omar).toHaveURL(new RegExp(`${path}$`));
  });
});
