import { expectAccessible } from '../support/axe.mjs';
import { textbox } from '../support/form.mjs';
import { takenOver } from '../support/people.mjs';
import { expect, test } from '../support/test.mjs';

const FIRST = `[web]
web-1 ansible_host=127.9.0.1
web-2 ansible_host=127.9.0.2
web-3 ansible_host=127.9.0.3 secret_word=before
`;
const SECOND = `[web]
web-1 ansible_host=127.9.0.1
[cache]
web-3 ansible_host=127.9.0.3 secret_word=after
[db]
db-1 ansible_host=127.9.0.4
`;

const diff = (page) => page.getByRole('region', { name: 'What changes' });
const hosts = (page) => page.getByRole('region', { name: 'Hosts' }).getByRole('rowheader');

test('an inventory is shown as a difference before it is taken over', async ({ as }) => {
  const plain = await as('omar', { javaScriptEnabled: false });

  await test.step('the first hosts, without JavaScript', async () => {
    await plain.goto('/environments');
    await plain.locator('summary', { hasText: 'Add an environment' }).click();
    await textbox(plain, 'Name').fill('Staging');
    await textbox(plain, 'Short name').fill('staging');
    await plain.locator('form[action="/api/environment/add"] button[type="submit"]').click();
    await plain.goto('/environments/staging');
    await plain.locator('summary', { hasText: 'Import hosts' }).click();
    await textbox(plain, 'Ansible inventory').fill(FIRST);
    await plain.getByRole('button', { name: 'Show what changes' }).click();
    await expect(diff(plain)).toContainText('3: web-1, web-2, web-3');
    await expect(hosts(plain)).toHaveCount(0);
    await plain.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(hosts(plain)).toHaveText(['web-1', 'web-2', 'web-3']);
  });

  const omar = await as('omar');
  await test.step('what comes, leaves and moves is named; values are not', async () => {
    await omar.goto('/environments/staging');
    await takenOver(omar);
    await omar.locator('summary', { hasText: 'Import hosts' }).click();
    await textbox(omar, 'Ansible inventory').fill(SECOND);
    await omar.getByRole('radio', { name: 'Leave' }).check();
    await omar.getByRole('button', { name: 'Show what changes' }).click();
    await expect(diff(omar)).toContainText('1: db-1');
    await expect(diff(omar)).toContainText('1: web-2');
    await expect(diff(omar).getByRole('listitem')).toHaveText([
      'web-3 joins cache · leaves web · secret_word changed',
    ]);
    await expect(diff(omar)).not.toContainText('after');
    await expectAccessible(omar, 'the difference');
  });

  await test.step('another text than the one that was shown is not taken over', async () => {
    await textbox(omar, 'Ansible inventory').fill(FIRST);
    await expect(omar.getByText('The form has changed since')).toBeVisible();
    await omar.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(textbox(omar, 'Ansible inventory')).toHaveAccessibleDescription(
      /not the difference that was shown/,
    );
    await expect(textbox(omar, 'Ansible inventory')).toHaveValue(FIRST);
  });

  await test.step('what was shown is', async () => {
    await textbox(omar, 'Ansible inventory').fill(SECOND);
    await omar.getByRole('button', { name: 'Show what changes' }).click();
    await omar.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(hosts(omar)).toHaveText(['db-1', 'web-1', 'web-3']);
    await expect(omar.getByRole('region', { name: 'Last import' })).toContainText('Removed: web-2.');
  });
});

test('an inventory that cannot be used comes back as it was typed', async ({ as }) => {
  const omar = await as('omar');
  for (const [text, sentence] of [
    ['# nobody yet', /names no host/],
    ['web-1 ansible_ssh_common_args=-oProxyCommand=x', /does not pass to Ansible/],
    ['a ansible_host=127.9.0.5\nb ansible_host=127.9.0.5 slipway_identity=a', /occurs twice/],
  ]) {
    await omar.goto('/environments/staging');
    await omar.locator('summary', { hasText: 'Import hosts' }).click();
    await textbox(omar, 'Ansible inventory').fill(text);
    await omar.getByRole('button', { name: 'Show what changes' }).click();
    await expect(textbox(omar, 'Ansible inventory')).toHaveAccessibleDescription(sentence);
    await expect(textbox(omar, 'Ansible inventory')).toHaveValue(text);
  }
});
