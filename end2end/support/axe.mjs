// Checks that can be made on any page.
import AxeBuilder from '@axe-core/playwright';
import { expect } from './test.mjs';

/** axe finds nothing serious or critical, by all rules or by those named. Soft, so that one run tells of every page. */
export async function expectAccessible(page, what, rules = []) {
  // The legacy mode spares a blank page for each run; it only differs for frames, and there are none.
  const axe = new AxeBuilder({ page }).setLegacyMode(true).options({ resultTypes: ['violations'] });
  if (rules.length > 0) axe.withRules(rules);
  const { violations } = await axe.analyze();
  const grave = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, any }) => `${target} ${any[0]?.message ?? ''}`).join(' | ')}`,
    );
  expect.soft(grave, `what axe finds on ${what}`).toEqual([]);
}

/** Nothing sticks out of the window sideways. */
export async function expectNoOverflow(page, what) {
  const { most, wide } = await page.locator('html').evaluate((html) => {
    const out = [...html.querySelectorAll('body *')].filter(
      (one) => one.getBoundingClientRect().right > html.clientWidth + 1,
    );
    return {
      most: html.scrollWidth - html.clientWidth,
      wide: out.slice(0, 5).map((one) => `${one.tagName}.${one.getAttribute('class') ?? ''}`),
    };
  });
  expect.soft(most, `pixels that ${what} sticks out by, such as ${wide.join(', ')}`).toBeLessThanOrEqual(0);
}
