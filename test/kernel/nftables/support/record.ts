/*
 * Records what a kernel says of a rule set, with nft's reading of the same beside it, into
 * test/fixtures/nftables. As root, after `npm run build && npx tsc -b test`:
 *
 *   node build/test/kernel/nftables/support/record.js            each NAME.nft and NAME.sh there
 *   node build/test/kernel/nftables/support/record.js NAME PATH  the rules of the namespace at PATH
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { endianness, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isFailure, recordNftables } from '#earshot/kernel/nftables/read.js';
import { Namespace, SYSTEM_ENVIRONMENT } from '../../support/namespace.js';

const directory = fileURLToPath(new URL('../../../../../test/fixtures/nftables/', import.meta.url));

const [givenName, givenPath] = process.argv.slice(2);
if (givenName && givenPath) await record(givenName, givenPath);
else for (const file of readdirSync(directory)) await recordFile(file);

async function recordFile(file: string): Promise<void> {
  const [, name, kind] = /^(.+)\.(nft|sh)$/.exec(file) ?? [];
  if (!name) return;
  const here = new Namespace();
  try {
    if (kind === 'nft') here.run('nft', '-f', `${directory}${file}`);
    else here.run('sh', `${directory}${file}`);
    await record(name, here.path);
  } finally {
    here.remove();
  }
}

async function record(name: string, path: string): Promise<void> {
  const answers = await recordNftables(path);
  if (isFailure(answers)) throw new Error(`${name}: ${JSON.stringify(answers)}`);
  const texts = Object.entries(answers).map(([kind, bytes]) => [
    kind,
    Array.isArray(bytes) ? bytes.map(base64) : base64(bytes),
  ]);
  const dump = { kernel: release(), endianness: endianness(), ...Object.fromEntries(texts) };
  writeFileSync(`${directory}${name}.dump.json`, `${JSON.stringify(dump, null, 1)}\n`);
  const nft = (...args: string[]): string =>
    execFileSync('nsenter', [`--net=${path}`, 'nft', ...args, 'list', 'ruleset'], {
      encoding: 'utf8',
      env: SYSTEM_ENVIRONMENT,
    });
  writeFileSync(`${directory}${name}.netlink.txt`, netlinkPart(nft('--debug=netlink')));
  writeFileSync(
    `${directory}${name}.nft.json`,
    `${JSON.stringify(JSON.parse(nft('-j')).nftables.filter(isCompared))}\n`,
  );
}

/** What libnftnl read, without the rule set in nft's syntax that comes after it. */
function netlinkPart(text: string): string {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => /^table .* \{$/.test(line));
  return `${lines.slice(0, end < 0 ? undefined : end).join('\n')}\n`;
}

function isCompared(entry: Record<string, unknown>): boolean {
  return ['table', 'chain', 'set', 'map', 'flowtable'].some((kind) => kind in entry);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
