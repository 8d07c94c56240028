import { expectAccessible } from '../support/axe.mjs';
import { textbox } from '../support/form.mjs';
import { takenOver } from '../support/people.mjs';
import { expect, test } from '../support/test.mjs';

test('whoever is not signed in is led to the identity provider and back', async ({ as }) => {
  const page = await as();
  await page.goto('/services');
  await takenOver(page);
  await expect(page.getByText('You are not signed in')).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link')).toHaveCount(0);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: '(lena)' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Rollouts' })).toBeVisible();
  await page.getByText('Lena Novak').first().click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByText('You are signed out')).toBeVisible();
  await page.goto('/services');
  await expect(page.getByText('You are not signed in')).toBeVisible();
});

test('a viewer finds the button disabled, with the reason beside it', async ({ as }) => {
  const lena = await as('lena');
  await lena.goto('/services');
  const button = lena.getByRole('button', { name: 'Bring a service in' });
  await expect(button).toBeDisabled();
  await expect(button).toHaveAccessibleDescription(/Takes the role member, owner or operator/);
});

test('a member brings a service in, after a refused field', async ({ as, lab }) => {
  const maria = await as('maria');
  const metric = (space, name, more = '') =>
    `${space}:slipway_demo.${name}{service:checkout,env:{env}} by {host}${more}`;
  const typed = {
    Name: 'Checkout',
    'Short name': 'Check Out!',
    Description: 'Takes orders and payments.',
    'Inventory group': 'checkout',
    Folder: '/opt/checkout',
    'Health path': '/health',
    Requests: metric('sum', 'requests', '.as_count()'),
    Errors: metric('sum', 'errors', '.as_count()'),
    'Latency in ms': metric('avg', 'latency_ms'),
    Liveness: metric('sum', 'up'),
  };
  const field = (label) => textbox(maria, label);

  await test.step('from the list of services to the form', async () => {
    await maria.goto('/services');
    await takenOver(maria);
    await maria.getByRole('link', { name: 'Bring a service in' }).click();
    await expect(maria.getByRole('heading', { level: 1, name: 'Bring a service in' })).toBeVisible();
    await expect(maria.getByRole('combobox', { name: 'Team' })).toHaveValue('payments');
    await expectAccessible(maria, 'the onboarding form');
  });

  await test.step('a short name that cannot be used comes back with everything that was typed', async () => {
    for (const [name, text] of Object.entries(typed)) await field(name).fill(text);
    await maria.getByRole('spinbutton', { name: 'Health port' }).fill(String(lab.service.health_port));
    await maria.getByRole('button', { name: 'Bring it in' }).click();

    await expect(field('Short name')).toHaveAccessibleDescription(
      /“Check Out!” cannot be used as a short name/,
    );
    await expect(field('Short name')).toHaveAttribute('aria-invalid', 'true');
    for (const [name, text] of Object.entries(typed)) await expect(field(name)).toHaveValue(text);
    await expect(maria.getByRole('spinbutton')).toHaveValue(String(lab.service.health_port));
    await expect(maria.getByRole('combobox', { name: 'Team' })).toHaveValue('payments');
    await expectAccessible(maria, 'the refused onboarding form');
  });

  await test.step('corrected, it is taken', async () => {
    await field('Short name').fill('checkout');
    await maria.getByRole('button', { name: 'Bring it in' }).click();
    await expect(maria).toHaveURL(/\/services\/checkout$/);
    await expect(maria.getByRole('heading', { level: 1, name: 'Checkout' })).toBeVisible();
    await expect(maria.getByRole('region', { name: 'Installation' })).toContainText('/opt/checkout');
    await expect(maria.getByRole('region', { name: 'Telemetry' })).toContainText(typed.Errors);
  });

  await test.step('the list and the audit trail know it', async () => {
    await maria.goto('/services');
    await expect(maria.getByRole('row', { name: 'Checkout' })).toContainText('payments', {
      ignoreCase: true,
    });
    await maria.goto('/audit');
    await expect(
      maria.getByRole('row').filter({ hasText: 'Maria Keller' }).filter({ hasText: 'checkout' }),
    ).not.toHaveCount(0);
  });
});
