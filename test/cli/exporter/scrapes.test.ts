import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Memory } from '#earshot/cli/exporter/memory.js';
import type { Snapshot } from '#earshot/cli/exporter/reading.js';
import { Scrapes } from '#earshot/cli/exporter/scrapes.js';
import { metricsServer } from '#earshot/cli/exporter/server.js';
import { listener } from './support.js';

const none = new Uint8Array();
const snapshot = (listeners = [listener(3000)]): Snapshot => ({
  columns: { protocol: none, family: none, state: none },
  listeners,
  counters: { overflows: 3, drops: 5, pickedPorts: null },
});

async function served(
  t: ExecutionContext,
  read: () => Promise<Snapshot>,
  longestAnswer?: number,
): Promise<{ url: string; port: number; notes: unknown[] }> {
  const notes: unknown[] = [];
  const scrapes = new Scrapes(new Memory(), read, (error) => notes.push(error));
  const server = metricsServer(scrapes, longestAnswer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/metrics`, port, notes };
}

const openMetrics = { headers: { accept: 'application/openmetrics-text' } };
const text = async (url: string, options = {}) => (await fetch(url, options)).text();

test('who asks at the same time, in either form, shares one reading and gets that form', async (t) => {
  let readings = 0;
  const read = async () => {
    readings += 1;
    await wait(10);
    return snapshot();
  };
  const scrapes = new Scrapes(new Memory(), read, (error) => t.fail(String(error)));
  const pages = await Promise.all(
    Array.from({ length: 20 }, (_, at) => scrapes.page(at % 2 === 0 ? 'openmetrics' : 'text')),
  );
  t.is(readings, 1);
  for (const [at, page] of pages.entries()) {
    t.is(page.endsWith('# EOF\n'), at % 2 === 0);
    t.is(page.includes('# TYPE earshot_tcp_listen_drops counter'), at % 2 === 0);
    t.is(page.includes('# TYPE earshot_tcp_listen_drops_total counter'), at % 2 === 1);
    t.regex(page, /^earshot_tcp_listen_drops_total 5$/m);
  }
});

test('a counter has one name in one form, whatever was asked before', async (t) => {
  const { url } = await served(t, async () => snapshot());
  const names = (page: string) => page.match(/^# TYPE .*$/gm);
  const before = names(await text(url));
  const open = names(await text(url, openMetrics));
  t.deepEqual(names(await text(url)), before);
  t.deepEqual(names(await text(url, openMetrics)), open);
});

test('what cannot be read is told once and as a metric, and what is counted stays', async (t) => {
  let broken = true;
  const { url, notes } = await served(t, async () => {
    if (broken) throw new Error('the namespace has gone');
    return snapshot();
  });
  await text(url);
  const page = await text(url);
  t.regex(page, /^earshot_read_up 0$/m);
  t.regex(page, /^earshot_read_errors_total 2$/m);
  t.notRegex(page, /^earshot_listener_sockets/m);
  broken = false;
  t.regex(await text(url), /^earshot_read_up 1$/m);
  t.deepEqual(
    notes.map((note) => note && (note as Error).message),
    ['the namespace has gone', null],
  );
});

test('a scrape that would end too late is answered before, and the next has what was read', async (t) => {
  let readings = 0;
  const { url } = await served(t, async () => {
    readings += 1;
    await wait(1200);
    return snapshot();
  });
  const headers = { 'X-Prometheus-Scrape-Timeout-Seconds': '0.5' };
  const response = await fetch(url, { headers });
  t.is(response.status, 503);
  t.is(await response.text(), 'reading takes longer than the 0.5 s of the scrape\n');
  t.regex(await text(url), /^earshot_read_up 1$/m);
  t.is(readings, 1);
});

test('who does not take the answer is let go', async (t) => {
  const many = Array.from({ length: 1000 }, (_, at) => listener(at + 1));
  const { port, url } = await served(t, async () => snapshot(many), 500);
  const all = 40 * (await text(url)).length;
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {}); // a reset, mostly
  // Several pages in a row, more than the kernel's buffers take.
  socket.write('GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n'.repeat(40));
  await wait(1500);
  let taken = 0;
  socket.on('data', (bytes) => {
    taken += bytes.length;
  });
  await once(socket, 'close');
  t.true(taken < all, `${taken} of ${all} bytes were taken`);
  t.is((await fetch(url)).status, 200);
});

test('values of labels are escaped', async (t) => {
  const owners = [{ pid: 1, fd: 3, name: 'a"b\\c\nd', command: [], uid: 0 }];
  const { url } = await served(t, async () => snapshot([listener(3000, { owners })]));
  t.true((await text(url)).includes('process="a\\"b\\\\c\\nd"'));
});
