// Asks the hosts themselves, past Slipway, which version they run.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from '@playwright/test';

const LAB = fileURLToPath(new URL('../../target/e2e/slipway-lab', import.meta.url));

const ANSWER_WITHIN = 5_000;

/** What the hosts of an environment say they run: `{ 'prod-1': '1.4.2', … }`. */
export async function running(lab, environment) {
  const { hosts, service } = JSON.parse(readFileSync(join(lab.lab, 'lab.json'), 'utf8'));
  const asked = hosts.filter((host) => host.environment === environment);
  const answers = asked.map(async ({ name, address }) => {
    const signal = AbortSignal.timeout(ANSWER_WITHIN);
    try {
      const answer = await fetch(`http://${address}:${service.health_port}/health`, { signal });
      return [name, (await answer.json()).version];
    } catch (error) {
      return [name, `no answer: ${error.message}`];
    }
  });
  return Object.fromEntries(await Promise.all(answers));
}

/** Every host of an environment says that it runs `version`. */
export async function expectRunning(lab, environment, version) {
  const now = await running(lab, environment);
  const wanted = Object.fromEntries(Object.keys(now).map((name) => [name, version]));
  expect(now, `what the hosts of ${environment} say themselves`).toEqual(wanted);
}

/** Gives a host a fault (`slow`, `failing`, `unreachable`, `silent`), or takes it away (`clear`). */
export const fault = (lab, host, kind) => promisify(execFile)(LAB, ['fault', '--dir', lab.lab, host, kind]);
