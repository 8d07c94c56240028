#!/usr/bin/env node
// Ends the build of the browser's files: splits the compiled app, optimises and compresses what comes out, and puts it into
// a folder of the site that is named by what is in it. Files of different builds never share an address, so browsers keep
// them for good and a page never joins halves of two builds.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { minify } from 'terser';

const site = 'target/site';
const work = 'target/front/pkg';
const run = promisify(execFile);
const files = (folder, ending) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => ending.test(name))
    .sort();

rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });

const style = run('tailwindcss', [
  '--input',
  'style/main.css',
  '--output',
  `${work}/slipway.css`,
  '--minify',
]);
const app = 'target/front/wasm32-unknown-unknown/wasm-release/app.wasm';
const { stderr } = await run('target/front/e2e/slipway-front', [app, work]);
process.stderr.write(stderr);

const modules = files(work, /\.wasm$/);
const optimise = async () => {
  for (let name = modules.pop(); name; name = modules.pop()) {
    const features = ['--enable-bulk-memory', '--enable-nontrapping-float-to-int'];
    await run('wasm-opt', ['-Oz', '--converge', ...features, `${work}/${name}`, '-o', `${work}/${name}`]);
  }
};
await Promise.all([style, ...Array.from({ length: availableParallelism() }, optimise)]);

for (const name of files(work, /\.js$/)) {
  const { code } = await minify(readFileSync(`${work}/${name}`, 'utf8'), { module: true });
  writeFileSync(`${work}/${name}`, code);
}

const hash = createHash('sha256');
for (const name of files(work, /\.(css|js|json|wasm)$/))
  hash.update(name).update(readFileSync(`${work}/${name}`));
const build = hash.digest('hex').slice(0, 16);

cpSync('public', site, { recursive: true });
compress(site, readdirSync('public'));
compress(work, files(work, /\.(css|js|json|wasm)$/));

// The newest builds before this one stay, so that pages which are open find their files.
const kept = 2;
const packages = `${site}/pkg`;
mkdirSync(packages, { recursive: true });
const others = readdirSync(packages, { withFileTypes: true })
  .filter((entry) => entry.name !== build && entry.name !== 'current')
  .map((entry) => ({
    name: entry.name,
    at: entry.isDirectory() ? statSync(`${packages}/${entry.name}`).mtimeMs : 0,
  }))
  .sort((one, other) => other.at - one.at);
for (const { name } of others.filter(({ at }, place) => at === 0 || place >= kept)) {
  rmSync(`${packages}/${name}`, { recursive: true });
}
if (!existsSync(`${packages}/${build}`)) renameSync(work, `${packages}/${build}`);
// Last and at once, because it tells that everything is there.
writeFileSync(`${packages}/current.new`, `${build}\n`);
renameSync(`${packages}/current.new`, `${packages}/current`);

function compress(folder, names) {
  for (const path of names.map((name) => `${folder}/${name}`)) {
    const whole = readFileSync(path);
    writeFileSync(`${path}.gz`, gzipSync(whole, { level: 9 }));
    const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: whole.length };
    writeFileSync(`${path}.br`, brotliCompressSync(whole, { params }));
  }
}
