import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));

test('cursors and decoders never read past the end of what they were given', async (t) => {
  t.timeout(600_000, 'compiling with the sanitizers');
  const directory = mkdtempSync(join(tmpdir(), 'earshot-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const program = join(directory, 'cursors');
  const sources = [
    'test/native/cursors.cc',
    'native/files/read.cc',
    'native/namespaces/run.cc',
    'native/netlink/socket.cc',
    'native/nftables/elements.cc',
    'native/nftables/order.cc',
    'native/sockets/diag.cc',
    'native/sockets/procfs.cc',
    'native/sockets/table.cc',
  ];
  await run(
    process.env.CXX ?? 'g++',
    [
      ...['-std=c++20', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
      ...['-pthread', '-I', 'native', '-o', program, ...sources],
    ],
    { cwd: root },
  );
  const recordings = ['tcp4', 'tcp6', 'udp4', 'udp6'].map(
    (name) => `test/fixtures/sock_diag/${name}.bin`,
  );
  // The elements of recorded sets, a file each.
  const { elements } = JSON.parse(
    readFileSync(join(root, 'test/fixtures/nftables/sets.dump.json'), 'utf8'),
  ) as { elements: string[] };
  for (const [index, answer] of elements.entries()) {
    if (answer === '') continue;
    const file = join(directory, `elements-${index}.bin`);
    writeFileSync(file, Buffer.from(answer, 'base64'));
    recordings.push(file);
  }
  const { stdout } = await run(program, recordings, { cwd: root });
  t.log(stdout.trim());
  t.regex(stdout, /^SEED=/);
});
