// The command line, against the console that all specs share.
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../target/e2e/slipway', import.meta.url));

const run = (args, env, input) =>
  new Promise((resolve) => {
    const child = execFile(PROGRAM, args, { env }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
    child.stdin.end(input ?? '');
  });

/** `await cli('inventory', 'show', 'production')` gives exit code and output, as an operator's token sees it. */
export async function commandLine(lab, role = 'operator', name = 'end2end') {
  const config = join(dirname(lab.lab), 'slipway.toml');
  const path = { PATH: process.env.PATH };
  const made = await run(['--config', config, 'token', 'create', '--name', name, '--role', role], path);
  if (made.code !== 0) throw new Error(made.stderr);
  return holding(lab, made.stdout.trim());
}

/** The same with a token that is there already. */
export function holding(lab, token) {
  const env = { PATH: process.env.PATH, SLIPWAY_URL: lab.console, SLIPWAY_TOKEN: token };
  const cli = (...args) => run(args, env);
  cli.reading = (input, ...args) => run(args, env, input);
  return cli;
}
