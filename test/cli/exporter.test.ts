import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { repositoryRoot } from '../support/repository.js';

/* `earshot exporter` as it runs, on loopback. */

const command = join(repositoryRoot, 'dist', 'earshot.js');

async function listening(t: ExecutionContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function start(t: ExecutionContext, ...argv: string[]) {
  const child: ChildProcess = spawn(process.execPath, [command, 'exporter', ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

async function serving(t: ExecutionContext) {
  const port = await freePort();
  const child = start(t, '--listen', `127.0.0.1:${port}`, '--interval', '100');
  child.stderr!.setEncoding('utf8');
  const [said] = await once(child.stderr!, 'data');
  t.is(said, `earshot: metrics at http://127.0.0.1:${port}/metrics\n`);
  return { child, url: `http://127.0.0.1:${port}` };
}

async function eventually(url: string, pattern: RegExp): Promise<string> {
  const until = Date.now() + 30_000;
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (pattern.test(text)) return text;
    if (Date.now() > until) throw new Error(`${pattern} is not in:\n${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test('a listener on loopback is told with its port, its scope and its accept queue', async (t) => {
  const { url } = await serving(t);
  const port = await listening(t);
  const text = await eventually(
    url,
    new RegExp(`^earshot_listener_sockets\\{.*port="${port}".*scope="host"\\} 1$`, 'm'),
  );
  t.regex(
    text,
    new RegExp(`^earshot_listener_accept_queue_length\\{.*port="${port}".*\\} 0$`, 'm'),
  );
  t.regex(text, /^earshot_sockets\{protocol="tcp",family="ipv4",state="listen"\} [1-9]/m);
  t.regex(text, /^earshot_exposure_changes_total\{was="none",scope="host"\} [1-9]/m);
  t.regex(text, /^earshot_read_errors_total 0$/m);
});

test('OpenMetrics is given to who asks for it, plain text to others, and nothing but /metrics and / is there', async (t) => {
  const { url } = await serving(t);
  const open = await fetch(`${url}/metrics`, {
    headers: { accept: 'application/openmetrics-text; version=1.0.0' },
  });
  t.regex(open.headers.get('content-type')!, /^application\/openmetrics-text; version=1\.0\.0/);
  t.regex(await open.text(), /\n# EOF\n$/);
  const plain = await fetch(`${url}/metrics`);
  t.regex(plain.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
  t.is((await fetch(`${url}/`)).status, 200);
  t.is((await fetch(`${url}/other`)).status, 404);
  t.is((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405);
  t.is(await (await fetch(`${url}/metrics`, { method: 'HEAD' })).text(), '');
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends it clean`, async (t) => {
    const { child } = await serving(t);
    child.kill(signal);
    t.deepEqual(await once(child, 'exit'), [0, null]);
  });
}

test('a port that is taken is an error that names it', async (t) => {
  const port = await listening(t);
  const child = start(t, '--listen', `127.0.0.1:${port}`);
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const [status] = await once(child, 'close');
  t.is(status, 2);
  t.regex(said, new RegExp(`^earshot: cannot listen at 127\\.0\\.0\\.1:${port} \\(EADDRINUSE\\)`));
});

test('--listen without a port is an error that names it', async (t) => {
  const child = start(t, '--listen', '127.0.0.1');
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const [status] = await once(child, 'close');
  t.is(status, 2);
  t.is(said, "earshot: --listen '127.0.0.1' has no port: write 127.0.0.1:PORT\n");
});
