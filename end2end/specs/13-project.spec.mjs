import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectAccessible } from '../support/axe.mjs';
import { textbox } from '../support/form.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const { WORK } = rollout;

const play = (name, tasks) => `- name: ${name}
  hosts: all
  gather_facts: false
  any_errors_fatal: false
  tasks:
${tasks}`;
const READ = `    - name: Read the motto
      ansible.builtin.command:
        argv: [cat, "{{ slipway_install_root }}/motto"]
      register: motto
      check_mode: false
      changed_when: false
      failed_when: false
`;
const WRITE = `    - name: Make its folder
      ansible.builtin.file:
        path: "{{ slipway_install_root }}"
        state: directory
        mode: "0755"
    - name: Write the motto
      ansible.builtin.copy:
        content: "{{ motto_version }}\\n"
        dest: "{{ slipway_install_root }}/motto"
        mode: "0644"
`;
const TELL = `    - name: Tell what is here
      ansible.builtin.set_fact:
        slipway_observed_version: "{{ motto.stdout }}"
`;
const FILES = {
  'deploy.yml': play(
    'Deploy the motto',
    `${READ}    - name: Tell what was here
      ansible.builtin.set_fact:
        slipway_version_before: "{{ motto.stdout }}"
        motto_version: "{{ slipway_version }}"
${WRITE}    - name: Ring the bell
      ansible.builtin.debug:
        msg: It rings.
      tags: [bell]
${READ}${TELL}`,
  ),
  'probe.yml': play('Ask for the motto', READ + TELL),
  'rollback.yml': play(
    'Take the motto back',
    `    - name: Choose the motto from before
      ansible.builtin.set_fact:
        motto_version: "{{ slipway_rollback_to }}"
${WRITE}${READ}${TELL}`,
  ),
};

/** A repository with these playbooks, in a folder that hosts of the lab give out by ssh. */
function repository() {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-project-'));
  const git = (...args) =>
    execFileSync(
      'git',
      ['-C', folder, '-c', 'user.name=Omar', '-c', 'user.email=omar@example.org', ...args],
      { stdio: 'pipe' },
    );
  git('init', '-q', '-b', 'main');
  const commit = (files, message) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    git('add', '.');
    git('commit', '-q', '-m', message);
    return git('rev-parse', 'HEAD').toString().trim();
  };
  return { folder, commit };
}

test('playbooks from Git: the plan keeps the commit it was made with', async ({ as, lab }) => {
  test.setTimeout(240_000);
  const { hosts, ssh } = JSON.parse(readFileSync(join(lab.lab, 'lab.json'), 'utf8'));
  const { folder, commit } = repository();
  const first = commit(FILES, 'A motto');
  const host = hosts.find(({ environment }) => environment === 'dev');
  const omar = await as('omar');
  const projects = omar.getByRole('region', { name: 'All projects' });

  try {
    await test.step('an operator adds the project; what is wrong is said beside the field', async () => {
      await omar.goto('/projects');
      await omar.locator('summary', { hasText: 'Add or change a project' }).click();
      await textbox(omar, 'Name').fill('Mottos');
      await textbox(omar, 'Short name').fill('mottos');
      await textbox(omar, 'Repository').fill('--upload-pack=touch /tmp/x');
      await textbox(omar, 'Private key, for ssh').fill(readFileSync(ssh.private_key, 'utf8'));
      await textbox(omar, 'Known hosts, for ssh').fill(readFileSync(ssh.known_hosts, 'utf8'));
      await omar.getByRole('button', { name: 'Save and fetch' }).click();
      await expect(omar.getByText('is not the address of a repository')).toBeVisible();
      expect(await omar.content()).not.toContain('PRIVATE KEY');
      await textbox(omar, 'Repository').fill(`ssh://${host.user}@${host.address}:${host.port}${folder}`);
      await textbox(omar, 'Private key, for ssh').fill(readFileSync(ssh.private_key, 'utf8'));
      await omar.getByRole('button', { name: 'Save and fetch' }).click();
      await expect(projects).toContainText('A motto', WORK);
      await expectAccessible(omar, 'the projects');
    });

    await test.step('a team chooses its playbooks', async () => {
      await omar.goto('/services/new');
      const metric = (name) => `sum:slipway_demo.${name}{service:motto,env:{env}} by {host}`;
      const typed = {
        Name: 'Motto',
        'Short name': 'motto',
        'Inventory group': 'all',
        Folder: '/opt/motto',
        'Health path': '/health',
        Requests: metric('requests'),
        Errors: metric('errors'),
        'Latency in ms': metric('latency_ms'),
        Liveness: metric('up'),
      };
      for (const [name, text] of Object.entries(typed)) await textbox(omar, name).fill(text);
      await omar.getByRole('combobox', { name: 'Team' }).selectOption('payments');
      await omar.getByRole('button', { name: 'Bring it in' }).click();
      await omar.locator('summary', { hasText: 'Choose playbooks' }).click();
      await omar.getByRole('combobox', { name: 'Playbooks' }).selectOption('Project Mottos');
      await omar.getByRole('button', { name: 'Choose', exact: true }).click();
      await expect(omar.getByRole('region', { name: 'Installation' })).toContainText('Project Mottos');
    });

    await test.step('a newer commit does not change a plan that was made', async () => {
      await omar.goto('/rollouts/new?service=motto');
      await omar.getByRole('combobox', { name: 'Environment' }).selectOption('Development');
      const artifact = lab.artifacts.good;
      const texts = {
        Version: artifact.version,
        Artefact: artifact.file.split('/').at(-1),
        Batches: '100%',
        'Bake time': '26h',
        Reason: 'A motto.',
      };
      for (const [name, text] of Object.entries(texts)) await textbox(omar, name).fill(text);
      await omar.getByRole('radio', { name: 'Manual' }).check();
      await omar.locator('summary', { hasText: 'Only some hosts or tasks' }).click();
      await textbox(omar, 'Only hosts').fill('web-nowhere');
      await textbox(omar, 'Without tasks with tags').fill('bell');
      await omar.getByRole('button', { name: 'Preview' }).click();
      await expect(omar.getByText('No host of this service here is named “web-nowhere”')).toBeVisible();
      await textbox(omar, 'Only hosts').fill(host.name);
      await omar.getByRole('button', { name: 'Preview' }).click();
      const preview = omar.getByRole('region', { name: 'Preview' });
      await expect(preview).toContainText('bell');
      await expect(preview.locator('.preview-batches li li')).toHaveText([new RegExp(host.name)]);
      await rollout.sendRequest(omar);
      const page = omar.url();
      commit(
        { 'deploy.yml': `${FILES['deploy.yml']}    - name: Spoil it\n      ansible.builtin.fail:\n` },
        'Spoiled',
      );
      await omar.goto('/projects');
      await omar.getByRole('button', { name: 'Fetch Mottos' }).click();
      await expect(projects).toContainText('Spoiled', WORK);
      await omar.goto(page);
      await expect(omar.getByText('project Mottos at')).toContainText(first.slice(0, 7));
      await omar.getByRole('button', { name: 'Release batch 1' }).click();
      await expect(rollout.batchState(omar, 1)).toHaveText('Baking', WORK);
      const version = new RegExp(artifact.version.replaceAll('.', '\\.'));
      await expect(rollout.hosts(omar, 1)).toHaveText([version]);
      const jobs = omar.getByRole('region', { name: 'Jobs' });
      const job = await jobs
        .getByRole('link', { name: /^Deploy/ })
        .first()
        .getAttribute('href');
      const output = await (await omar.request.get(`/download${job}/output`)).text();
      expect(output).toContain('Write the motto');
      expect(output, 'a task that was left out').not.toContain('Ring the bell');
      await rollout.decide(omar, 'Abort', 'It has been shown.');
      await expect(rollout.state(omar)).toHaveText('Aborted', WORK);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
