import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';

/** Compiles C to a library for LD_PRELOAD, by which the kernel can be made to fail; gone after the test. */
export async function compiled(t: ExecutionContext, source: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const library = join(directory, 'preload.so');
  const cc = promisify(execFile)('cc', ['-shared', '-fPIC', '-xc', '-', '-o', library, '-ldl']);
  cc.child.stdin!.end(source);
  await cc;
  return library;
}
