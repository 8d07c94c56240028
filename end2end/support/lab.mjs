// Starts hosts, identity provider and console once for all specs, and ends them afterwards.
import { spawn } from 'node:child_process';
import { copyFileSync, createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RESULTS = fileURLToPath(new URL('../test-results', import.meta.url));
const PROGRAM = join(ROOT, 'target/e2e/slipway-lab');
const READY_WITHIN = 180_000;
const END_WITHIN = 30_000;

/**
 * Playwright's global set-up: what it returns ends the lab. With END2END in the environment nothing is started: it holds
 * what `slipway-lab demo --serve-only` prints after “ready”, and that lab is used.
 */
export default async function start() {
  if (process.env.END2END) return undefined;
  if (!existsSync(PROGRAM)) throw new Error(`There is no ${PROGRAM}: build it with \`make build\`.`);
  mkdirSync(RESULTS, { recursive: true });
  const dir = mkdtempSync(join(tmpdir(), 'slipway-end2end-'));
  const lab = spawn(PROGRAM, ['demo', '--serve-only', '--console-port', '0', '--dir', dir], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => lab.once('close', resolve));
  lab.stderr.pipe(createWriteStream(join(RESULTS, 'lab.log')));
  const end = async () => {
    lab.kill('SIGTERM');
    const late = setTimeout(() => lab.kill('SIGKILL'), END_WITHIN);
    await ended;
    clearTimeout(late);
    const log = join(dir, 'slipway.log');
    if (existsSync(log)) copyFileSync(log, join(RESULTS, 'slipway.log'));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    process.env.END2END = JSON.stringify(await ready(lab, ended));
  } catch (error) {
    await end();
    throw error;
  }
  return end;
}

/** What the line `ready {…}` says. */
async function ready(lab, ended) {
  let late;
  const told = new Promise((resolve) => {
    createInterface({ input: lab.stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(JSON.parse(line.slice('ready '.length)));
    });
  });
  const gone = ended.then((code) => {
    throw new Error(`The lab ended with ${code} before it was ready; see end2end/test-results/lab.log.`);
  });
  const tooLate = new Promise((_, reject) => {
    const sentence = `The lab was not ready within ${READY_WITHIN / 1000} s; see end2end/test-results/lab.log.`;
    late = setTimeout(() => reject(new Error(sentence)), READY_WITHIN);
  });
  try {
    return await Promise.race([told, gone, tooLate]);
  } finally {
    clearTimeout(late);
    // It ends some time; that is no error any more.
    gone.catch(() => {});
  }
}
