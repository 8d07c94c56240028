// Which browser is used, and how it is started.

/** Launch options: the system's Chromium, which scripts/setup finds or installs, without its chatter with the network. */
export const chromium = {
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};
