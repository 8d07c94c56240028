import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { running } from '../support/hosts.mjs';
import { takenOver } from '../support/people.mjs';
import * as rollout from '../support/rollout.mjs';
import { expect, test } from '../support/test.mjs';

const LINES = 1_000_000;
/** Lines the page holds at most, however long the output is. */
const WINDOW = 1_500;

const lines = (page) => page.locator('#log .log-line');
const place = (page) => page.locator('.log-place');
const button = (page, name) => page.getByRole('button', { name });

/** The folder of the attempt whose output is this. */
function folderOf(lab, output) {
  const attempts = join(lab.lab, '..', 'data/attempts');
  const holds = (folder) => {
    try {
      return readFileSync(join(attempts, folder, 'output.log'), 'utf8') === output;
    } catch {
      return false;
    }
  };
  return join(attempts, readdirSync(attempts).find(holds));
}

/** Where the page stands once it has stopped to scroll. Runs in the browser. */
async function atRest() {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  for (let before = -1; before !== window.scrollY; ) {
    before = window.scrollY;
    for (let frames = 0; frames < 5; frames += 1) await frame();
  }
  return window.scrollY;
}

test.describe.configure({ mode: 'serial' });

/** Address of a job that has ended, and its folder. */
let ended;

test('an output of a million lines is read with a thousand in the page', async ({ as, lab }) => {
  test.setTimeout(180_000);
  const omar = await as('omar');
  await omar.goto(await rollout.newest(omar, 'succeeded'));
  const job = omar
    .getByRole('region', { name: 'Jobs' })
    .getByRole('link', { name: /^Deploy/ })
    .first();
  const path = await job.getAttribute('href');
  const output = await (await omar.request.get(`/download${path}/output`)).text();
  ended = { path, folder: folderOf(lab, output) };
  // What stands there already stays: whoever has read it remembers where its lines start.
  let text = output;
  for (let number = output.split('\n').length; number <= LINES; number += 1) {
    const long = number % 1000 === 0 ? ' and goes on'.repeat(60) : '';
    text += `\u001b[0;33mchanged: [web-${number % 97}] => (item=${number})${long}\u001b[0m\n`;
  }
  writeFileSync(join(ended.folder, 'output.log'), text);
  rmSync(join(ended.folder, 'summary.json'), { force: true });

  await omar.goto(path);
  await takenOver(omar);
  await expect(place(omar)).toHaveText('Lines 1–1,000 of 1,000,000');

  await test.step('lines come and go as it is scrolled', async () => {
    const seen = async () =>
      Number((await place(omar).textContent()).split('–')[1].replace(/\D+of.*|,/g, ''));
    const client = await omar.context().newCDPSession(omar);
    const weigh = async () => {
      await client.send('HeapProfiler.collectGarbage');
      const { nodes } = await client.send('Memory.getDOMCounters');
      const { usedSize } = await client.send('Runtime.getHeapUsage');
      return { nodes, usedSize };
    };
    const down = async (times) => {
      for (let time = 0; time < times; time += 1) {
        const before = await seen();
        await omar.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
        await expect.poll(seen).toBeGreaterThan(before);
        expect(await lines(omar).count()).toBeLessThanOrEqual(WINDOW);
      }
    };
    await down(8);
    const first = await weigh();
    await down(30);
    const then = await weigh();
    expect(then.nodes).toBeLessThan(first.nodes * 1.3);
    expect(then.usedSize).toBeLessThan(first.usedSize * 1.3 + 2_000_000);
    const top = await omar.evaluate(() => {
      window.scrollTo(0, 300);
      return document.querySelector('#log .log-line').id;
    });
    await expect(omar.locator(`#log .log-line`).first()).not.toHaveAttribute('id', top);
    await expect(omar.locator(`#${top}`)).toBeAttached();
  });

  await test.step('its end is one button away, and so is its start', async () => {
    await button(omar, 'End').click();
    await expect(omar.locator(`#L${LINES}`)).toBeInViewport();
    expect(await lines(omar).count()).toBeLessThanOrEqual(WINDOW);
    await button(omar, 'Start').click();
    await expect(omar.locator('#L1')).toBeInViewport();
  });

  await test.step('a link to a line leads there, though it was not in the page', async () => {
    await omar.goto(`${path}#L500000`);
    await expect(omar.locator('#L500000')).toBeInViewport();
    await expect(omar.locator('#L500000')).toHaveClass(/is-here/);
    await omar.goto('/rollouts');
    await omar.goto(`${path}#L750123`);
    await expect(omar.locator('#L750123')).toBeInViewport();
    await expect(omar.locator('#L750123')).toHaveClass(/is-here/);
    await omar.getByRole('link', { name: 'Line 750124', exact: true }).click();
    await expect(omar).toHaveURL(/#L750124$/);
    await expect(omar.locator('#L750124')).toHaveClass(/is-here/);
  });

  await test.step('long lines stay in one row where that is wished, and that is kept', async () => {
    const height = () => omar.locator('#L750000').evaluate((line) => line.getBoundingClientRect().height);
    await omar.goto(`${path}?from=749990`);
    await takenOver(omar);
    const wrapped = await height();
    await button(omar, 'Wrap lines').click();
    await expect(button(omar, 'Wrap lines')).toHaveAttribute('aria-pressed', 'false');
    expect(await height()).toBeLessThan(wrapped);
    await omar.reload();
    await expect(button(omar, 'Wrap lines')).toHaveAttribute('aria-pressed', 'false');
    await button(omar, 'Wrap lines').click();
    await expect.poll(height).toBe(wrapped);
  });

  await test.step('and it can be searched', async () => {
    await omar.getByRole('searchbox', { name: 'Find in the output' }).fill('item=999999)');
    await omar.getByRole('button', { name: 'Find', exact: true }).click();
    const found = omar.getByRole('region', { name: 'Found' });
    await expect(found.getByRole('status')).toHaveText('1 line with “item=999999)”');
  });
});

test('the output of an ended job is shown by task', async ({ as }) => {
  const omar = await as('omar');
  await omar.goto(ended.path);
  await omar.getByRole('link', { name: 'By task' }).click();
  const task = omar.locator('details.task').filter({ hasText: 'changed' }).first();
  await task.locator('summary').click();
  await expect(task.getByRole('table')).toContainText('changed');
  await task.getByRole('button', { name: 'Show them here' }).click();
  await expect(task.locator('.log-line').first()).toContainText(/TASK|HANDLER/);
});

test('who follows sees what comes, and who scrolls up is left alone', async ({ as, lab }) => {
  test.setTimeout(180_000);
  const omar = await as('omar');
  const { baseline, good } = lab.artifacts;
  const now = Object.values(await running(lab, 'dev'));
  const artifact = now.every((version) => version === good.version) ? baseline : good;
  const attempts = join(lab.lab, '..', 'data/attempts');
  const before = readdirSync(attempts);
  await rollout.fillRequest(omar, {
    environment: 'Development',
    artifact,
    split: '100%',
    bake: '26h',
    reason: 'Somebody looks on.',
  });
  await rollout.sendRequest(omar);
  await omar.getByRole('button', { name: 'Release batch 1' }).click();
  await expect(rollout.state(omar)).toHaveText('Running');
  const job = omar.getByRole('region', { name: 'Jobs' }).getByRole('link', { name: /^Deploy/ });
  await omar.goto(await job.first().getAttribute('href'));
  await takenOver(omar);
  await expect(lines(omar).first()).toBeVisible(rollout.WORK);
  const [attempt] = readdirSync(attempts).filter((folder) => !before.includes(folder));
  const output = join(attempts, attempt, 'output.log');
  // The playbook stands still meanwhile, so that nothing comes but what is printed here.
  const { child } = JSON.parse(readFileSync(join(attempts, attempt, 'begun'), 'utf8'));
  process.kill(child.pid, 'SIGSTOP');
  const print = (name, count) => {
    let text = '';
    for (let number = 1; number <= count; number += 1) text += `${name} ${number}\n`;
    appendFileSync(output, text);
  };
  const line = (text) => lines(omar).filter({ hasText: text });

  try {
    await button(omar, 'Follow').click();
    print('first', 4000);
    await expect(line(/^\d*first 4000$/)).toBeInViewport();
    expect(await lines(omar).count()).toBeLessThanOrEqual(WINDOW);
    await omar.mouse.move(600, 400);
    await omar.mouse.wheel(0, -3000);
    await expect(button(omar, 'Following')).toHaveCount(0);
    const top = await omar.evaluate(atRest);
    print('second', 700);
    await expect(button(omar, /new lines$/)).toBeVisible();
    await expect(line(/^\d*first 4000$/)).not.toBeInViewport();
    expect(await omar.evaluate(() => window.scrollY)).toBe(top);
    await button(omar, /new lines$/).click();
    await expect(line(/^\d*second 700$/)).toBeInViewport();
  } finally {
    process.kill(child.pid, 'SIGCONT');
  }
});
