// Signing in, and waiting until a page is taken over by its script.

/** Signs somebody in by the identity provider's own page; ends on `to`. */
export async function signIn(page, login, to = '/rollouts') {
  await page.goto(`/auth/login?return_to=${encodeURIComponent(to)}`);
  await page.getByRole('button', { name: `(${login})` }).click();
  await page.getByRole('heading', { level: 1 }).waitFor();
}

/** Makes pages of the context say when their script has taken over: the router then listens for clicks on the window. */
export async function announceTakeover(context) {
  await context.addInitScript(() => {
    const listen = window.addEventListener;
    window.addEventListener = (type, ...rest) => {
      if (type === 'click') document.documentElement.setAttribute('data-taken-over', '');
      return listen.call(window, type, ...rest);
    };
  });
}

/** Waits until the page's script has taken it over. */
export async function takenOver(page) {
  await page.locator('html[data-taken-over]').waitFor();
}
