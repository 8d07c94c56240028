import { expectAccessible } from '../support/axe.mjs';
import { textbox } from '../support/form.mjs';
import { expectRunning, running } from '../support/hosts.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const { BAKE, WORK } = rollout;
const SECRET = 'correct {{ horse }} "battery"';

const variables = (page) => page.getByRole('region', { name: 'Variables' });

/** Sets a variable on the page that is open. */
async function set(page, { name, kind, value, group }) {
  await page.locator('summary', { hasText: 'Set a variable' }).click();
  const form = page.locator('form[action="/api/variable/set"]');
  await textbox(form, 'Name').fill(name);
  await form.getByRole('combobox', { name: 'Kind' }).selectOption(kind);
  await textbox(form, 'Value').fill(value);
  if (group) await textbox(form, 'Inventory group').fill(group);
  await form.getByRole('button', { name: 'Set', exact: true }).click();
}

test('variables are given to playbooks; secrets are shown to nobody', async ({ as, lab }) => {
  test.setTimeout(240_000);
  const plain = await as('omar', { javaScriptEnabled: false });

  await test.step('without JavaScript; what is refused comes back, but no secret does', async () => {
    await plain.goto('/services/checkout');
    await set(plain, { name: 'most_tries', kind: 'Number', value: 'many' });
    await expect(plain.getByText('“many” is not a number')).toBeVisible();
    await expect(plain.locator('#variable-value')).toHaveValue('many');
    await plain.locator('#variable-value').fill('3');
    await plain.getByRole('button', { name: 'Set', exact: true }).click();
    await expect(variables(plain).getByRole('rowheader')).toContainText(['most_tries']);
    await set(plain, { name: 'slipway_version', kind: 'Secret', value: SECRET });
    await expect(plain.getByText("are Slipway's own")).toBeVisible();
    expect(await plain.content()).not.toContain('horse');
  });

  const omar = await as('omar');
  await test.step('a secret is listed and not told', async () => {
    await omar.goto('/services/checkout');
    await set(omar, { name: 'api_password', kind: 'Secret', value: SECRET });
    await expect(variables(omar)).toContainText('kept secret');
    expect(await omar.content()).not.toContain('horse');
    await expectAccessible(omar, 'the variables of a service');
    await omar.goto('/audit');
    await expect(omar.getByText('Secret api_password was set').first()).toBeVisible();
    expect(await omar.content()).not.toContain('horse');
  });

  const { baseline, good } = lab.artifacts;
  const now = Object.values(await running(lab, 'dev'));
  const artifact = now.every((version) => version === good.version) ? baseline : good;

  await test.step('the plan names them', async () => {
    await rollout.fillRequest(omar, {
      environment: 'Development',
      artifact,
      split: '100%',
      bake: '26h',
      reason: 'It is given variables.',
    });
    await rollout.sendRequest(omar);
    await omar.getByText('Given to the playbooks: 2 variables').click();
    await expect(omar.getByRole('table', { name: 'Variables of the plan' })).toContainText('kept secret');
  });

  await test.step('a dry run changes nothing and says what would', async () => {
    await omar.getByRole('button', { name: 'Dry run' }).click();
    const job = omar.getByRole('region', { name: 'Jobs' }).getByRole('link', { name: /^Dry run/ });
    await expect(omar.getByRole('region', { name: 'Jobs' })).toContainText('Succeeded', WORK);
    await job.click();
    const foreseen = omar.getByRole('region', { name: 'What a deploy would do' });
    await expect(foreseen).toContainText('dev-1');
    await foreseen.locator('summary').first().click();
    await expect(foreseen).toContainText(artifact.version);
    await expectAccessible(omar, 'a dry run');
    expect(Object.values(await running(lab, 'dev')), 'what hosts run').toEqual(now);
    await omar.goBack();
  });

  await test.step('and then it is rolled out', async () => {
    await omar.getByRole('button', { name: 'Release batch 1' }).click();
    await expect(rollout.state(omar)).toHaveText('Succeeded', BAKE);
    await expectRunning(lab, 'dev', artifact.version);
  });

  await test.step('they are removed', async () => {
    await omar.goto('/services/checkout');
    for (const name of ['api_password', 'most_tries']) {
      await omar.getByRole('button', { name: `Remove ${name}` }).click();
      await expect(variables(omar).getByRole('rowheader', { name })).toHaveCount(0);
    }
  });
});
