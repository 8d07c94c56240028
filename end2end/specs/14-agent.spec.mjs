import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { textbox } from '../support/form.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const { BAKE, WORK } = rollout;
const STAND_IN = fileURLToPath(new URL('../../automation/ansible/tests/datadog_agent.py', import.meta.url));

test('the Datadog agent is installed, verified and rolled back like any service', async ({ as, lab }) => {
  test.setTimeout(400_000);
  const { artifacts_dir: artifacts, hosts } = JSON.parse(readFileSync(join(lab.lab, 'lab.json'), 'utf8'));
  const dev = hosts.filter(({ environment }) => environment === 'dev');
  for (const version of ['7.50.1', '7.51.0']) {
    execFileSync('python3', [
      STAND_IN,
      'tarball',
      version,
      join(artifacts, `datadog-agent-${version}.tar.gz`),
    ]);
  }
  const omar = await as('omar');

  await test.step('a service whose playbooks are those for the agent', async () => {
    await omar.goto('/services/new');
    const metric = (name) => `sum:datadog.agent.${name}{env:{env}} by {host}`;
    const typed = {
      Name: 'Datadog agent',
      'Short name': 'datadog-agent',
      'Inventory group': 'all',
      Folder: '/opt/slipway-datadog',
      'Health path': '/',
      Requests: metric('running'),
      Errors: metric('errors'),
      'Latency in ms': metric('latency'),
      Liveness: metric('running'),
    };
    for (const [name, text] of Object.entries(typed)) await textbox(omar, name).fill(text);
    await omar.getByRole('combobox', { name: 'Team' }).selectOption('payments');
    await omar.getByRole('button', { name: 'Bring it in' }).click();
    await omar.locator('summary', { hasText: 'Choose playbooks' }).click();
    await omar
      .getByRole('combobox', { name: 'Playbooks' })
      .selectOption("Slipway's own, for the Datadog agent");
    await omar.getByRole('button', { name: 'Choose', exact: true }).click();
    await omar.locator('summary', { hasText: 'Set a variable' }).click();
    const form = omar.locator('form[action="/api/variable/set"]');
    await textbox(form, 'Name').fill('datadog_api_key');
    await form.getByRole('combobox', { name: 'Kind' }).selectOption('Secret');
    await textbox(form, 'Value').fill('0123456789abcdef0123456789abcdef');
    await form.getByRole('button', { name: 'Set', exact: true }).click();
    await expect(omar.getByRole('region', { name: 'Variables' })).toContainText('datadog_api_key');
  });

  const release = async (version, artifact = `datadog-agent-${version}.tar.gz`) => {
    await omar.goto('/rollouts/new?service=datadog-agent');
    await omar.getByRole('combobox', { name: 'Environment' }).selectOption('Development');
    const texts = {
      Version: version,
      Artefact: artifact,
      Batches: '100%',
      'Bake time': '26h',
      Reason: 'Hosts are watched by a newer agent.',
    };
    for (const [name, text] of Object.entries(texts)) await textbox(omar, name).fill(text);
    await omar.getByRole('radio', { name: 'Manual' }).check();
    await rollout.sendRequest(omar);
    await omar.getByRole('button', { name: 'Release batch 1' }).click();
    await expect(rollout.batchState(omar, 1)).toHaveText('Baking', BAKE);
    const runs = dev.map(() => new RegExp(version.replaceAll('.', '\\.')));
    await expect(rollout.hosts(omar, 1)).toHaveText(runs);
  };

  await test.step('installed and verified', async () => {
    await release('7.50.1');
    await expect(rollout.batchState(omar, 1)).toHaveText('At the gate', BAKE);
    await rollout.decide(omar, 'Go', 'The agents answer.');
    await expect(rollout.state(omar)).toHaveText('Succeeded', WORK);
  });

  await test.step('a newer one, rolled back', async () => {
    await release('7.51.0');
    await rollout.decide(omar, 'Roll back', 'It was only shown.');
    await expect(rollout.state(omar)).toHaveText('Rolled back', BAKE);
    await expect(rollout.hosts(omar, 1)).toHaveText(dev.map(() => /7\.50\.1/));
  });

  await test.step('taken off, and brought back by rolling that back', async () => {
    await release('absent', '');
    await expect(omar.getByText('none; the playbooks bring it')).toBeVisible();
    await rollout.decide(omar, 'Roll back', 'It was only shown.');
    await expect(rollout.state(omar)).toHaveText('Rolled back', BAKE);
    await expect(rollout.hosts(omar, 1)).toHaveText(dev.map(() => /7\.50\.1/));
  });
});
