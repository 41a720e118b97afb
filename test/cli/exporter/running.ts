import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { repositoryRoot } from '../../support/repository.js';

const command = join(repositoryRoot, 'dist', 'earshot.js');

/** A TCP port of loopback that nobody has, out of those that the kernel picks for nobody. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue; // somebody has it
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** A server on loopback, until the test ends. */
export async function listening(t: ExecutionContext): Promise<number> {
  const server = createServer().listen(await freePort(), '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A program that runs, and what it has written to standard error. */
export interface Running {
  child: ChildProcess;
  errors: { text: string };
}

export function running(t: ExecutionContext, program: string, argv: readonly string[]): Running {
  const child = spawn(program, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const errors = { text: '' };
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    errors.text += text;
  });
  return { child, errors };
}

export const earshot = (t: ExecutionContext, ...argv: string[]): Running =>
  running(t, process.execPath, [command, 'exporter', ...argv]);

/** What an exporter that cannot go on says, and its exit status. */
export async function refusal(t: ExecutionContext, ...argv: string[]) {
  const { child, errors } = earshot(t, ...argv);
  const [status] = await once(child, 'close');
  return { status, said: errors.text };
}

/** An exporter that serves at `url`. */
export async function serving(t: ExecutionContext, ...argv: string[]) {
  const at = `127.0.0.1:${await freePort()}`;
  const started = earshot(t, '--listen', at, '--interval', '100', ...argv);
  await until(() => started.errors.text.includes(`metrics at http://${at}/metrics\n`), {
    whatElse: () => started.errors.text,
  });
  return { ...started, at, url: `http://${at}` };
}

/** The metrics, when they match all of these. */
export async function eventually(url: string, ...patterns: RegExp[]): Promise<string> {
  let text = '';
  await until(
    async () => {
      text = await (await fetch(`${url}/metrics`)).text();
      return patterns.every((pattern) => pattern.test(text));
    },
    { whatElse: () => `${patterns.join(' or ')} is not in:\n${text}` },
  );
  return text;
}

export async function until(
  holds: () => boolean | Promise<boolean>,
  { whatElse, seconds = 60 }: { whatElse: () => string; seconds?: number },
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(whatElse());
    await wait(100);
  }
}
