import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ava from 'ava';
import { native } from '#earshot/native.js';
import { requires } from '../support/requirements.js';
import { shellHost } from './support.js';

const asRoot = requires('root', 'tool:ip');

ava('each file is its bytes, or the error it was refused with', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const sizes = [0, 1, 4095, 4096, 4097, 100_000];
  const paths = sizes.map((size) => {
    const path = join(directory, String(size));
    writeFileSync(
      path,
      Uint8Array.from({ length: size }, (_, at) => at * 7),
    );
    return path;
  });
  const query = {
    paths: [...paths, join(directory, 'missing'), directory, `${paths[0]}\0more`],
    netns: null,
  };
  for (const contents of [await native.readFiles(query), native.readFilesSync(query)]) {
    for (const [at, path] of paths.entries()) {
      t.deepEqual(Buffer.from(contents[at] as Uint8Array), readFileSync(path));
    }
    t.deepEqual(contents.slice(paths.length), [2, 21, 22]);
  }
});

ava('a file of /proc, which says it has no size, is read to its end', (t) => {
  const [maps] = native.readFilesSync({ paths: ['/proc/self/maps'], netns: null });
  const text = Buffer.from(maps as Uint8Array).toString();
  t.true(text.length > 4096);
  t.regex(text, /\[stack\]\n(.*\n)*$/);
});

asRoot('what depends on the namespace is that of the namespace', async (t) => {
  const other = await shellHost(`
    ip link set lo up
    ip link add elsewhere type veth peer name beyond
    echo 1 > /proc/sys/net/ipv4/conf/elsewhere/route_localnet`);
  t.teardown(() => other.close());
  const paths = ['/proc/thread-self/net/dev', '/proc/sys/net/ipv4/conf/elsewhere/route_localnet'];
  const text = (contents: (Uint8Array | number)[]) =>
    contents.map((content) =>
      typeof content === 'number' ? content : Buffer.from(content).toString(),
    );
  const there = text(await native.readFiles({ paths, netns: other.netns }));
  t.regex(String(there[0]), /elsewhere:/);
  t.is(there[1], '1\n');
  const here = text(native.readFilesSync({ paths, netns: null }));
  t.notRegex(String(here[0]), /elsewhere:/);
  t.is(here[1], 2);
});
