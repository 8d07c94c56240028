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

// The build before stays, so that pages which are open find their files.
const current = `${site}/pkg/current`;
const before = existsSync(current) ? readFileSync(current, 'utf8').trim() : '';
mkdirSync(`${site}/pkg`, { recursive: true });
for (const name of readdirSync(`${site}/pkg`)) {
  if (![before, 'current'].includes(name)) rmSync(`${site}/pkg/${name}`, { recursive: true });
}
rmSync(`${site}/pkg/${build}`, { recursive: true, force: true });
renameSync(work, `${site}/pkg/${build}`);
// Last, because it tells that everything is there.
writeFileSync(current, `${build}\n`);

function compress(folder, names) {
  for (const path of names.map((name) => `${folder}/${name}`)) {
    const whole = readFileSync(path);
    writeFileSync(`${path}.gz`, gzipSync(whole, { level: 9 }));
    const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: whole.length };
    writeFileSync(`${path}.br`, brotliCompressSync(whole, { params }));
  }
}
