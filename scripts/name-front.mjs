#!/usr/bin/env node
// Ends the build of the browser's files: gives two of them names that change with what is in them, then compresses all.
//
// cargo-leptos hashes the script and the first WebAssembly file, and writes the name of the loader of the split files into
// both afterwards. Their own names may then stay while the loader's changes, and a browser that keeps them for a year, as
// it is told to, would join halves of two builds. The loader's name is right: it is hashed last, with all names in it.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const [folder = 'target/site', hashFile = 'target/hash.txt'] = process.argv.slice(2);
const files = `${folder}/pkg`;
const hashes = new Map(
  readFileSync(hashFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(': ')),
);
const loader = `${files}/__wasm_split.${hashes.get('split')}.js`;

for (const kind of ['js', 'wasm']) {
  const old = `slipway.${hashes.get(kind)}.${kind}`;
  const hash = createHash('md5')
    .update(readFileSync(`${files}/${old}`))
    .digest('base64url');
  renameSync(`${files}/${old}`, `${files}/slipway.${hash}.${kind}`);
  writeFileSync(loader, readFileSync(loader, 'utf8').replaceAll(old, `slipway.${hash}.${kind}`));
  hashes.set(kind, hash);
}

const paths = [folder, files].flatMap((dir) => readdirSync(dir).map((name) => `${dir}/${name}`));
for (const path of paths.filter((path) => /\.(css|js|json|svg|wasm)$/.test(path))) {
  const whole = readFileSync(path);
  writeFileSync(`${path}.gz`, gzipSync(whole, { level: 9 }));
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: whole.length };
  writeFileSync(`${path}.br`, brotliCompressSync(whole, { params }));
}

// Last, because it tells that everything is there.
writeFileSync(hashFile, [...hashes].map((line) => `${line.join(': ')}\n`).join(''));
