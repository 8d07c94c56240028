import { signIn } from '../support/people.mjs';
import { expect, test } from '../support/test.mjs';

const heading = (page) => page.getByRole('heading', { level: 1 });

/** Signs out from the person's menu; ends on the page that says so, whose links are returned. */
async function signOut(page, name) {
  await page.goto('/rollouts');
  await page.getByText(name).first().click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(heading(page)).toHaveText('You are signed out');
  return page.getByRole('link');
}

test('whoever signs out here may sign out at the provider, and comes back', async ({ as }) => {
  const lena = await as();
  await signIn(lena, 'lena');
  const links = await signOut(lena, 'Lena Novak');
  await expect(links).toHaveText(['Sign in again', 'Sign out there, too']);
  await lena.getByRole('link', { name: 'Sign out there, too' }).click();
  await lena.getByRole('button', { name: 'Sign out' }).click();
  await expect(heading(lena)).toHaveText('You are signed out');
  expect(new URL(lena.url()).pathname).toBe('/auth/signed-out');
  await lena.goto('/rollouts');
  await expect(lena.getByText('You are not signed in')).toBeVisible();
});

/** The identity provider's address. */
async function issuerOf(page) {
  await page.goto('/auth/login');
  return new URL(page.url()).origin;
}

test('whom the provider signs out is out here, in that browser', async ({ as }) => {
  const [lena, elsewhere] = [await as(), await as()];
  await signIn(lena, 'lena');
  await signIn(elsewhere, 'lena');
  await lena.goto(`${await issuerOf(lena)}/session/end`);
  await lena.getByRole('button', { name: 'Sign out' }).click();
  await expect(heading(lena)).toHaveText('You are signed out.');
  await lena.goto('/rollouts');
  await expect(lena.getByText('You are not signed in')).toBeVisible();
  await elsewhere.reload();
  await expect(heading(elsewhere)).toHaveText('Rollouts');
});

test('the provider takes new keys, twice', async ({ as }) => {
  const omar = await as();
  for (const _ of [1, 2]) {
    expect((await omar.request.post(`${await issuerOf(omar)}/lab/keys`)).ok()).toBe(true);
    await signIn(omar, 'omar');
    await expect(heading(omar)).toHaveText('Rollouts');
    await omar.context().clearCookies();
  }
});
