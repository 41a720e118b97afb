import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { namespaceFor } from '../../kernel/support/namespace.js';
import { requires } from '../../support/requirements.js';
import {
  earshot,
  eventually,
  freePort,
  listening,
  refusal,
  running,
  serving,
  until,
} from './running.js';

/* `earshot exporter` as it runs, on loopback. */

const inNamespace = requires('root', 'tool:ip');
const withPython = requires('root', 'tool:ip', 'tool:python3');
const withRules = requires('root', 'tool:ip', 'tool:nft');

test('a listener on loopback is told with its port, its process, its scope and its accept queue', async (t) => {
  const { url } = await serving(t);
  await eventually(url, /^earshot_watch_up 1$/m);
  const port = await listening(t);
  const text = await eventually(
    url,
    new RegExp(
      `^earshot_listener_sockets\\{.*port="${port}".*process="node",scope="host"\\} 1$`,
      'm',
    ),
    /^earshot_exposure_changes_total\{was="none",scope="host"\} [1-9]/m,
    /^earshot_exposure_widened_total\{scope="host"\} [1-9]/m,
  );
  t.regex(
    text,
    new RegExp(`^earshot_listener_accept_queue_length\\{.*port="${port}".*\\} 0$`, 'm'),
  );
  t.regex(text, /^earshot_sockets\{protocol="tcp",family="ipv4",state="listen"\} [1-9]/m);
  t.regex(text, /^earshot_listeners\{protocol="tcp",family="ipv4",scope="host"\} [1-9]/m);
  t.regex(text, /^earshot_read_errors_total 0$/m);
  t.regex(text, /^earshot_tcp_listen_overflows_total \d+$/m);
});

test('OpenMetrics is given to who asks for it, plain text to others, and no more is there', async (t) => {
  const { url } = await serving(t);
  const open = await fetch(`${url}/metrics`, {
    headers: { accept: 'application/openmetrics-text; version=1.0.0' },
  });
  t.regex(open.headers.get('content-type')!, /^application\/openmetrics-text; version=1\.0\.0/);
  t.regex(await open.text(), /\n# EOF\n$/);
  const plain = await fetch(`${url}/metrics`);
  t.regex(plain.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
  t.is((await fetch(`${url}/`)).status, 200);
  t.is((await fetch(`${url}/-/healthy`)).status, 200);
  t.is((await fetch(`${url}/other`)).status, 404);
  const posted = await fetch(`${url}/metrics`, { method: 'POST' });
  t.is(posted.status, 405);
  t.is(posted.headers.get('allow'), 'GET, HEAD');
  const head = await fetch(`${url}/metrics`, { method: 'HEAD' });
  t.true(Number(head.headers.get('content-length')) > 1000);
  t.is(await head.text(), '');
});

test('it serves over IPv6', async (t) => {
  const at = `[::1]:${await freePort()}`;
  const { errors } = earshot(t, '--listen', at);
  await until(() => errors.text !== '', { whatElse: () => 'it says nothing' });
  t.is(errors.text, `earshot: metrics at http://${at}/metrics\n`);
  t.is((await fetch(`http://${at}/-/healthy`)).status, 200);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  // Nothing ends it but that nothing is left: no thread, no timer, no connection.
  test(`${signal} ends it clean, with a connection open and one that says nothing`, async (t) => {
    const { child, errors, url, at } = await serving(t);
    await fetch(`${url}/metrics`);
    const silent = connect(Number(at.split(':')[1]), '127.0.0.1');
    silent.on('error', () => {});
    await once(silent, 'connect');
    const began = performance.now();
    child.kill(signal);
    t.deepEqual(await once(child, 'exit'), [0, null]);
    t.true(performance.now() - began < 5000);
    t.is(errors.text, `earshot: metrics at ${url}/metrics\n`);
  });
}

test('a port that is taken is an error that names who has it', async (t) => {
  const port = await listening(t);
  const { status, said } = await refusal(t, '--listen', `127.0.0.1:${port}`);
  t.is(status, 2);
  t.is(
    said,
    `earshot: cannot serve: 127.0.0.1:${port} (TCP) cannot be bound: the IPv4 TCP socket 127.0.0.1:${port}, node (pid ${process.pid}) holds it (EADDRINUSE); --listen names another place\n`,
  );
});

test('an address that this host does not have is an error that says so', async (t) => {
  const { status, said } = await refusal(t, '--listen', '192.0.2.77:19747');
  t.is(status, 2);
  t.regex(said, /^earshot: cannot serve: 192\.0\.2\.77:19747 .*EADDRNOTAVAIL/);
});

const bad: [argv: string[], said: string | RegExp][] = [
  [['--listen', '127.0.0.1'], "--listen '127.0.0.1' has no port: write 127.0.0.1:PORT"],
  [
    ['--listen', '[fe80::1%eth0]:9000'],
    "--listen '[fe80::1%eth0]:9000' carries a zone: give an address that is not link-local, or [::1]:19747",
  ],
  [['--listen', 'localhost:9000'], /^--listen 'localhost' is not an IP address/],
  [['--listen', '::1:9000'], /write \[ADDRESS\]:PORT/],
  [
    ['--listen', '127.0.0.1:70000'],
    "--listen '127.0.0.1:70000': port 70000 is out of range: give one from 1 to 65535",
  ],
  [['--interval', '5'], "--interval '5': give milliseconds from 10 to 86400000"],
  [['--interval', '1e3'], "--interval '1e3': give milliseconds from 10 to 86400000"],
  [['--netns', 'nowhere'], /\/run\/netns\/nowhere/],
];
for (const [argv, expected] of bad) {
  test(`${argv.join(' ')} is an error that names it`, async (t) => {
    const { status, said } = await refusal(t, ...argv);
    t.is(status, 2);
    const message = said.replace(/^earshot: /, '').trimEnd();
    if (typeof expected === 'string') t.is(message, expected);
    else t.regex(message, expected);
  });
}

inNamespace('a namespace that goes and comes back is watched on', async (t) => {
  const namespace = namespaceFor(t);
  const { url, errors } = await serving(t, '--netns', namespace.path);
  await eventually(url, /^earshot_watch_up 1$/m, /^earshot_read_up 1$/m);
  namespace.remove();
  await eventually(
    url,
    /^earshot_watch_up 0$/m,
    /^earshot_read_up 0$/m,
    /^earshot_watch_failures_total [2-9]$/m,
  );
  namespace.add();
  await eventually(url, /^earshot_watch_up 1$/m, /^earshot_read_up 1$/m);
  const said = errors.text
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(':')[1]);
  t.deepEqual(said.sort(), [
    ' it is watched again who reaches the listeners',
    ' the sockets are read again',
    ' the sockets cannot be read',
    ' who reaches the listeners cannot be watched',
  ]);
});

/** A program that accepts nobody, and more clients than it has room for. */
const overflowing = `
import socket, time
server = socket.socket()
server.bind(('127.0.0.1', 3000))
server.listen(1)
clients = [socket.socket() for _ in range(6)]
for client in clients:
    client.setblocking(False)
    client.connect_ex(('127.0.0.1', 3000))
time.sleep(120)
`;

withPython(
  'an accept queue that overflows is told with its length, its limit and what it dropped',
  async (t) => {
    const namespace = namespaceFor(t);
    namespace.ip('link set lo up');
    const { url } = await serving(t, '--netns', namespace.path);
    await eventually(url, /^earshot_tcp_listen_overflows_total 0$/m);
    running(t, 'ip', ['netns', 'exec', namespace.name, 'python3', '-c', overflowing]);
    await eventually(
      url,
      // One more than the limit is let in (sk_acceptq_is_full).
      /^earshot_listener_accept_queue_length\{.*port="3000".*\} 2$/m,
      /^earshot_listener_accept_queue_limit\{.*port="3000".*\} 1$/m,
      /^earshot_tcp_listen_overflows_total [1-9]/m,
      /^earshot_tcp_listen_drops_total [1-9]/m,
      /^earshot_sockets\{protocol="tcp",family="ipv4",state="syn-sent"\} [1-9]/m,
    );
    t.pass();
  },
);

withRules('other peers of the same distance are a change, and one that widens', async (t) => {
  const namespace = namespaceFor(t);
  namespace.ip(`
    link set lo up
    link add lan type veth peer name far
    addr add 192.0.2.1/24 dev lan
    link set lan up
    link set far up
    route add default via 192.0.2.254
  `);
  const listen = "require('node:net').createServer().listen(3000, '192.0.2.1')";
  running(t, 'ip', ['netns', 'exec', namespace.name, process.execPath, '--eval', listen]);
  namespace.run(
    'nft',
    'table ip f { chain c { type filter hook input priority 0; ip saddr { 192.0.2.0/25, 203.0.113.0/24, 192.0.2.1 } accept; drop; }; }',
  );
  const { url } = await serving(t, '--netns', namespace.path);
  const routed = /^earshot_listener_sockets\{.*port="3000".*scope="routed"\} 1$/m;
  await eventually(url, routed, /^earshot_exposure_changes_total\{was="none",scope="routed"\} 0$/m);
  namespace.run('nft', 'insert rule ip f c ip saddr 198.51.100.0/24 accept');
  await eventually(
    url,
    routed,
    /^earshot_exposure_changes_total\{was="routed",scope="routed"\} 1$/m,
    /^earshot_exposure_widened_total\{scope="routed"\} 1$/m,
    /^earshot_exposure_narrowed_total\{scope="routed"\} 0$/m,
  );
  t.pass();
});
