import { commandLine } from '../support/cli.mjs';
import { expect, test } from '../support/test.mjs';

test('hosts, and what an inventory would change of them, on the command line', async ({ lab }) => {
  const cli = await commandLine(lab);

  await test.step('the hosts of an environment', async () => {
    const shown = await cli('inventory', 'show', 'production');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toMatch(/^HOST +RUNS +ADDRESS/);
    expect(shown.stdout).toContain('prod-1');
    const { items } = JSON.parse((await cli('inventory', 'show', 'production', '--json')).stdout);
    expect(items.map(({ name }) => name)).toContain('prod-1');
  });

  await test.step('a difference, from standard input', async () => {
    const inventory =
      '[web]\nprod-1 slipway_identity=lab-prod-1 ansible_host=127.9.9.1\nprod-99 ansible_host=127.9.9.99\n';
    const told = await cli.reading(inventory, 'inventory', 'diff', 'production', '-');
    expect(told.code, told.stderr).toBe(0);
    expect(told.stdout).toMatch(/^\+ +prod-99 +new$/m);
    expect(told.stdout).toMatch(/^~ +prod-1 .*ansible_host \S+ → 127\.9\.9\.1/m);
    expect(told.stdout).toMatch(/1 new, 1 changed, 0 removed, 0 as before/);
    const script = [inventory, 'inventory', 'diff', 'production', '-', '--exit-code'];
    expect((await cli.reading(...script)).code, 'something would change').toBe(7);
    const removing = await cli.reading(
      inventory,
      'inventory',
      'diff',
      'production',
      '-',
      '--remove',
      '--json',
    );
    const { added, gone, absent } = JSON.parse(removing.stdout);
    expect({ added, absent }).toEqual({ added: ['prod-99'], absent: 'remove' });
    expect(gone).toContain('prod-2');
    const after = JSON.parse((await cli('inventory', 'show', 'production', '--json')).stdout).items;
    expect(
      after.map(({ name }) => name),
      'nothing was written',
    ).not.toContain('prod-99');
  });

  await test.step('what is wrong is said, with an exit code of its own', async () => {
    const nowhere = await cli('inventory', 'show', 'nowhere');
    expect(nowhere.code).toBe(4);
    expect(nowhere.stderr).toContain('nowhere');
    const missing = await cli('inventory', 'diff', 'production', '/no/such/inventory');
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('/no/such/inventory');
    const broken = await cli.reading('[web\n', 'inventory', 'diff', 'production', '-');
    expect(broken.code).not.toBe(0);
    expect(broken.stderr.trim().split('\n')).toHaveLength(1);
    const viewer = await commandLine(lab, 'viewer');
    expect((await viewer.reading('web-1\n', 'inventory', 'diff', 'production', '-')).code).toBe(3);
  });
});

test('jobs on the command line', async ({ lab }) => {
  const cli = await commandLine(lab);
  const { items } = JSON.parse((await cli('job', 'list', '--json')).stdout);
  const job = items.find(({ kind, state }) => kind === 'deploy' && state === 'succeeded');
  expect((await cli('job', 'list')).stdout).toContain(job.id);
  const narrowed = ['--state', 'succeeded', '--service', job.service, '--environment', job.environment];
  expect((await cli('job', 'list', ...narrowed)).stdout).toContain(job.id);
  expect((await cli('job', 'list', '--state', 'open')).stdout).not.toContain(job.id);
  const unheard = await cli('job', 'list', '--state', 'unheard-of');
  expect(unheard.code).not.toBe(0);
  expect(unheard.stderr).toContain('open, queued');
  expect(JSON.parse((await cli('job', 'show', job.id, '--json')).stdout)).toMatchObject({
    id: job.id,
    state: 'succeeded',
  });
  const logs = await cli('job', 'logs', job.id);
  expect(logs.stdout).toContain('PLAY RECAP');
  expect((await cli('job', 'logs', job.id, '--follow')).stdout).toContain('PLAY RECAP');
  const json = (await cli('job', 'logs', job.id, '--json')).stdout;
  expect(JSON.parse(json.trim().split('\n')[0])).toBeTruthy();
  const cancelled = await cli('job', 'cancel', job.id, '--reason', 'too late');
  expect(cancelled.code).not.toBe(0);
  expect(cancelled.stderr).toContain('ended');
});
