import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));

for (const sanitizer of ['address,undefined', 'thread']) {
  test(`messages handed to another thread come all and in order, by the ${sanitizer} sanitizer`, async (t) => {
    t.timeout(300_000, 'compiling with a sanitizer');
    const directory = mkdtempSync(join(tmpdir(), 'earshot-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const program = join(directory, 'beside');
    await run(
      process.env.CXX ?? 'g++',
      [
        ...['-std=c++20', '-O1', '-g', `-fsanitize=${sanitizer}`, '-fno-sanitize-recover=all'],
        ...['-pthread', '-I', 'native', '-o', program],
        ...['test/native/beside.cc', 'native/netlink/beside.cc'],
      ],
      { cwd: root },
    );
    await run(program, [], { cwd: root });
    t.pass();
  });
}
