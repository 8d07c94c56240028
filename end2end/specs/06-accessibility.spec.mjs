import { expectAccessible, expectNoOverflow } from '../support/axe.mjs';
import { textbox } from '../support/form.mjs';
import { everyPage } from '../support/pages.mjs';
import { takenOver } from '../support/people.mjs';
import { expect, test } from '../support/test.mjs';

// Tracing would keep the whole of axe with each of its runs.
test.use({ trace: 'off' });

/** The document is the same in the dark; only these rules look at colours. */
const COLOUR = ['color-contrast', 'link-in-text-block'];

test('every page is accessible and fits, light and dark, narrow and wide', async ({ as }) => {
  test.setTimeout(180_000);
  const omar = await as('omar', { reducedMotion: 'reduce' });
  for (const path of await everyPage(omar)) {
    await test.step(path, async () => {
      await omar.goto(path);
      await takenOver(omar);
      await expect(omar.getByRole('main')).not.toBeEmpty();
      for (const width of [390, 1440]) {
        await omar.setViewportSize({ width, height: 900 });
        await expectNoOverflow(omar, `${path}, ${width} px wide`);
        await omar.emulateMedia({ colorScheme: 'light' });
        await expectAccessible(omar, `${path}, ${width} px wide, light`);
        await omar.emulateMedia({ colorScheme: 'dark' });
        await expectAccessible(omar, `${path}, ${width} px wide, dark`, COLOUR);
      }
      for (const width of [768, 1024]) {
        await omar.setViewportSize({ width, height: 900 });
        await expectNoOverflow(omar, `${path}, ${width} px wide`);
      }
    });
  }
});

test('on a narrow screen the menu opens and leads on', async ({ as }) => {
  const omar = await as('omar', { viewport: { width: 390, height: 844 } });
  await omar.goto('/rollouts');
  await takenOver(omar);
  const services = omar.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Services' });
  await expect(services).toBeHidden();
  await omar.getByRole('button', { name: 'Menu' }).click();
  await expect(services).toBeVisible();
  await expectAccessible(omar, 'the open menu');
  await services.click();
  await expect(omar.getByRole('heading', { level: 1, name: 'Services' })).toBeVisible();
  await expect(services).toBeHidden();
});

test.describe('with the keyboard alone', () => {
  /** Presses Tab until `wanted` has the focus; fails when that takes too long. */
  async function tabTo(page, wanted) {
    for (let pressed = 0; pressed < 40; pressed += 1) {
      await page.keyboard.press('Tab');
      if (await wanted.evaluate((one) => one === document.activeElement)) return;
    }
    await expect(wanted, '40 presses of Tab reach it').toBeFocused();
  }

  test('the skip link comes first and leads past the menu', async ({ as }) => {
    const omar = await as('omar');
    await omar.goto('/rollouts');
    await takenOver(omar);
    await omar.keyboard.press('Tab');
    const skip = omar.getByRole('link', { name: 'Skip to content' });
    await expect(skip).toBeFocused();
    await expect(skip).toBeInViewport();
    await omar.keyboard.press('Enter');
    await omar.keyboard.press('Tab');
    await expect(omar.locator('#content :focus')).toBeVisible();
  });

  test('primary actions are reached and pressed', async ({ as }) => {
    const omar = await as('omar');
    await omar.goto('/rollouts');
    await takenOver(omar);
    await tabTo(omar, omar.getByRole('link', { name: 'New rollout' }));
    await omar.keyboard.press('Enter');
    await expect(omar.getByRole('heading', { level: 1, name: 'New rollout' })).toBeVisible();
    await tabTo(omar, textbox(omar, 'Version'));
    await omar.keyboard.type('9.9.9');
    await tabTo(omar, omar.getByRole('button', { name: 'Request', exact: true }));
    await expect(textbox(omar, 'Version')).toHaveValue('9.9.9');
  });
});
