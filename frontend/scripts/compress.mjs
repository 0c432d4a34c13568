// Puts a .br and a .gz beside each built text file, so that whoever serves them only reads.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const TEXT = /\.(js|css|html|svg|json)$/;
const WORTH_BYTES = 400;

for (const name of readdirSync('dist', { recursive: true })) {
  const path = join('dist', String(name));
  if (!TEXT.test(path) || String(name).startsWith('.')) continue;
  const content = readFileSync(path);
  if (content.length < WORTH_BYTES) continue;
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
  const best = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  writeFileSync(`${path}.br`, brotliCompressSync(content, { params: best }));
}
