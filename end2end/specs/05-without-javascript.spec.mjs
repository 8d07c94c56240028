import { textbox } from '../support/form.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const plain = { javaScriptEnabled: false };

test('every page can be read without JavaScript', async ({ as, lab }) => {
  const omar = await as('omar', plain);
  const { good } = lab.artifacts;
  const done = await rollout.newest(omar, 'succeeded');
  const heading = (name) => expect(omar.getByRole('heading', { level: 1, name, exact: true })).toBeVisible();
  const open = async (path, name) => {
    await omar.goto(path);
    await heading(name);
    await expect(omar.locator('[aria-busy]'), `nothing of ${path} is still loading`).toHaveCount(0);
  };

  await open('/services', 'Services');
  await expect(omar.getByRole('row', { name: 'Checkout' })).toContainText(good.version);
  await open('/services/checkout', 'Checkout');
  await expect(omar.getByRole('region', { name: 'Rollouts' }).getByRole('row')).not.toHaveCount(1);
  await open('/environments', 'Environments');
  await expect(omar.getByRole('row', { name: 'Production' })).toContainText('6');
  await open('/environments/production', 'Production');
  await expect(omar.getByRole('row', { name: /^prod-\d/ })).toHaveCount(6);
  await expect(omar.getByRole('region', { name: 'Last import' })).toContainText('6 new');
  await open('/rollouts', 'Rollouts');
  await expect(omar.getByRole('row', { name: `checkout ${good.version} to production` })).toContainText(
    'Succeeded',
  );

  await open(done, `Checkout ${good.version} to Production`);
  for (const number of [1, 2, 3]) {
    await expect(rollout.batchState(omar, number)).toHaveText('Promoted');
    await expect(rollout.hosts(omar, number)).toHaveCount(2);
  }
  await expect(omar.getByRole('region', { name: 'Judgement' }).locator('.verdict')).toHaveCount(3);
  await expect(omar.getByRole('region', { name: 'Judgement' }).locator('svg[role=img]')).not.toHaveCount(0);

  const job = omar.getByRole('region', { name: 'Jobs' }).getByRole('link', { name: 'Deploy, batch 1' });
  await open(await job.getAttribute('href'), 'Deploy, batch 1');
  await expect(omar.locator('.log-line').filter({ hasText: 'PLAY RECAP' })).toBeVisible();
  await omar.getByRole('link', { name: 'Line 3', exact: true }).click();
  await expect(omar).toHaveURL(/#L3$/);

  await open('/jobs', 'Jobs');
  await expect(omar.getByRole('link', { name: 'Deploy, batch 3' }).first()).toBeVisible();
  await open('/delivery', 'Delivery');
  await expect(omar.getByRole('region', { name: 'Deployments' })).toContainText(
    `checkout ${good.version} to production`,
  );
  await open('/audit', 'Audit');
  await expect(omar.getByRole('row').filter({ hasText: 'was approved' }).first()).toContainText(
    'Ada Lindqvist',
  );
});

test('a rollout is requested, released and stopped without JavaScript', async ({ as, lab }) => {
  const omar = await as('omar', plain);
  const { good } = lab.artifacts;

  await test.step('the refused form comes back with what was typed', async () => {
    await rollout.fillRequest(omar, {
      environment: 'Development',
      artifact: good,
      split: '50/60%',
      reason: 'No script here.',
    });
    await omar.getByRole('button', { name: 'Request', exact: true }).click();
    const split = textbox(omar, 'Batches');
    await expect(split).toHaveValue('50/60%');
    await expect(split).toHaveAttribute('aria-invalid', 'true');
    await expect(split).toHaveAccessibleDescription(/100/);
    await expect(textbox(omar, 'Reason')).toHaveValue('No script here.');
  });

  await test.step('corrected and previewed, it is taken', async () => {
    await textbox(omar, 'Batches').fill('100%');
    await textbox(omar, 'Bake time').fill('48h');
    await omar.getByRole('button', { name: 'Preview' }).click();
    await expect(omar.getByRole('region', { name: 'Preview' })).toContainText(
      `Checkout ${good.version} to Development`,
    );
    await rollout.sendRequest(omar);
    await expect(rollout.state(omar)).toHaveText('Scheduled');
  });

  const maria = await as('maria', plain);
  await maria.goto(new URL(omar.url()).pathname);
  await test.step('released, it runs; aborted with a reason, it stops', async () => {
    await omar.getByRole('button', { name: 'Release batch 1' }).click();
    await expect(rollout.state(omar)).toHaveText('Running');
    await test.step('who comes too late is told so, and what was typed', async () => {
      await rollout.decide(maria, 'Withdraw', 'Not today.');
      const told = maria.getByRole('alert').filter({ hasText: 'Nothing was done' });
      await expect(told).toContainText('Not today.');
      await expect(rollout.state(maria)).toHaveText('Running');
    });
    await rollout.decide(omar, 'Abort', 'Only a try.');
    await expect(async () => {
      await omar.reload();
      await expect(rollout.state(omar)).toHaveText('Aborted', { timeout: 500 });
    }).toPass(rollout.WORK);
    await expect(rollout.sentence(omar)).toContainText('Only a try.');
  });
});
