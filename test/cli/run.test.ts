import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { services as real, type Services } from '#earshot/cli/services.js';
import { EarshotError } from '#earshot/errors.js';
import type { HostState } from '#earshot/model/host-state.js';
import type { ReadOptions, SocketFilter } from '#earshot/model/socket.js';
import type { Flow } from '#earshot/reach/flow.js';
import type { Verdict } from '#earshot/reach/verdict.js';
import { answer } from './answer.js';
import { everyExposure, exposures, laptop } from './laptop.js';

const reachable: Verdict = {
  outcome: 'reachable',
  symptom: null,
  stage: 'socket',
  cause: null,
  assuming: null,
  socket: null,
  steps: [],
  explanation: 'It gets there.',
};

interface Asked {
  capture: ReadOptions[];
  exposure: SocketFilter[];
  trace: Flow[];
}

/** Runs the command in this process, on a kernel that is the laptop. */
async function earshot(argv: string[], changes: Partial<Services> = {}, input = '') {
  const asked: Asked = { capture: [], exposure: [], trace: [] };
  const told = await answer(
    argv,
    {
      async capture(options) {
        asked.capture.push(options);
        return laptop();
      },
      async parseState(text) {
        return JSON.parse(text);
      },
      async exposure(_, filter = {}) {
        asked.exposure.push(filter);
        const port = filter.localPort;
        return typeof port === 'number' ? (exposures[port] ?? []) : everyExposure;
      },
      async trace(_, flow) {
        asked.trace.push(flow);
        return reachable;
      },
      ...changes,
    },
    input,
  );
  return { ...told, asked };
}

const verdictOf = (changes: Partial<Verdict>) => ({
  trace: async () => ({ ...reachable, ...changes }),
});

for (const [port, status, why] of [
  [3000, 0, 'anyone reaches it'],
  [5353, 0, 'the LAN reaches it'],
  [8080, 0, 'it is forwarded'],
  [5432, 1, 'this host alone reaches it'],
  [9000, 1, 'nobody reaches it'],
  [1, 1, 'nobody listens'],
  [6379, 3, 'the firewall could not be read'],
] as const) {
  test(`port ${port}: exit status ${status}, because ${why}`, async (t) => {
    const answer = await earshot([`${port}`]);
    t.is(answer.status, status);
    t.is(answer.err, '');
    const json = await earshot([`${port}`, '--json']);
    t.is(json.status, status);
    t.deepEqual(JSON.parse(json.out), JSON.parse(JSON.stringify(exposures[port] ?? [])));
  });
}

test('nobody listening is unknown where the sockets could not be read', async (t) => {
  const missing: HostState['missing'] = [{ what: 'sockets', reason: 'no', remedy: '' }];
  const answer = await earshot(['1'], { capture: async () => laptop({ missing }) });
  t.is(answer.status, 3);
  t.regex(answer.out, /^Whether anybody listens .* is unknown/);
});

test('the list is one JSON array, and asks for the protocol that is wanted', async (t) => {
  const { out, status, asked } = await earshot(['--json', '--udp']);
  t.is(status, 0);
  t.is(JSON.parse(out).length, everyExposure.length);
  t.deepEqual(asked.exposure, [{ protocol: ['udp'] }]);
});

for (const [outcome, status] of [
  ['reachable', 0],
  ['unreachable', 1],
  ['unknown', 3],
] as const) {
  test(`trace of a flow that is ${outcome}: exit status ${status}`, async (t) => {
    const cause = outcome === 'reachable' ? null : ({ code: 'no-listener' } as const);
    const answer = await earshot(['trace', '1.2.3.4:80'], verdictOf({ outcome, cause }));
    t.is(answer.status, status);
  });
}

test('trace prints the verdict as JSON, with what would help', async (t) => {
  const { out } = await earshot(['trace', '--json', '--from', '192.168.1.7', '192.168.1.10:80']);
  t.deepEqual<unknown, unknown>(JSON.parse(out), { ...reachable, remedies: [] });
});

const flows: [argv: string[], flow: Flow][] = [
  [
    ['192.168.1.10:80'],
    { protocol: 'tcp', ingress: 'lo', destination: { address: '192.168.1.10', port: 80 } },
  ],
  [
    ['--from', '192.168.1.7', '192.168.1.10:80'],
    {
      protocol: 'tcp',
      ingress: 'eth0',
      source: { address: '192.168.1.7' },
      destination: { address: '192.168.1.10', port: 80 },
    },
  ],
  [
    ['--from', '10.8.0.9', '--from-port', '53', '--udp', '192.168.1.10:80'],
    {
      protocol: 'udp',
      ingress: 'wg0',
      source: { address: '10.8.0.9', port: 53 },
      destination: { address: '192.168.1.10', port: 80 },
    },
  ],
  [
    ['--from', '192.168.1.10', '192.168.1.10:80'],
    {
      protocol: 'tcp',
      ingress: 'lo',
      source: { address: '192.168.1.10' },
      destination: { address: '192.168.1.10', port: 80 },
    },
  ],
  [
    ['--from', 'FE80::7', '--in', 'eth0', '[fe80::0010]:80'],
    {
      protocol: 'tcp',
      ingress: 'eth0',
      source: { address: 'fe80::7' },
      destination: { address: 'fe80::10', port: 80 },
    },
  ],
];

for (const [argv, flow] of flows) {
  test(`trace ${argv.join(' ')} asks for that flow, arriving on ${flow.ingress}`, async (t) => {
    const { asked, err } = await earshot(['trace', ...argv]);
    t.is(err, '');
    t.deepEqual(asked.trace, [flow]);
  });
}

test('a peer is asked for by the addresses of its interface and those that listeners stand on', async (t) => {
  const { asked, status } = await earshot(['5432', '--from', '10.8.0.9']);
  t.is(status, 0);
  t.deepEqual(
    asked.trace.map(({ ingress, destination }) => [ingress, destination.address]),
    [['wg0', '10.8.0.1']],
  );
});

test('namespaces: a name is below /run/netns, digits are a process, a path is a path', async (t) => {
  for (const [text, netns] of [
    ['blue', '/run/netns/blue'],
    ['42', 42],
    ['/proc/1/ns/net', '/proc/1/ns/net'],
  ] as const) {
    const { asked } = await earshot(['--netns', text]);
    t.deepEqual(asked.capture, [{ netns, owners: true }]);
  }
});

const refused: [argv: string[], message: RegExp][] = [
  [['--jsn'], /unknown option '--jsn'.*--json/],
  [['70000'], /port 70000 is out of range.*65535/],
  [['0'], /port 0 is out of range/],
  [['80x'], /port '80x' is not a number/],
  [['abc'], /'abc' is neither a port nor a command/],
  [['trac'], /did you mean trace/],
  [['80', '90'], /too many arguments/],
  [['--state'], /--state <file>.*missing/],
  [['--from', '1.2.3.4'], /--from 1\.2\.3\.4 needs a port/],
  [['80', '--in', 'eth0'], /--in eth0.*--from/],
  [['80', '--from', '1.2.3'], /--from '1\.2\.3' is not an IP address/],
  [['80', '--from', '192.168.1.7', '--in', 'eth7'], /--in 'eth7' is no interface.*eth0/],
  [['--netns', ''], /--netns is empty/],
  [['--netns', '0'], /--netns 0 is no process id/],
  [['--netns', 'x', '--state', 'y'], /--netns x and --state y exclude each other/],
  [['--state', '/nonexistent/x'], /'\/nonexistent\/x': there is no such file/],
  [['--state', '/'], /'\/': it is a directory/],
  [['--tcp', 'capture'], /--tcp does not belong to 'earshot capture'/],
  [['capture', '-o', '/nonexistent/x'], /'\/nonexistent\/x': its directory does not exist/],
  [['capture', '-o', ''], /--output is empty/],
  [['trace'], /missing required argument/],
  [['trace', '1.2.3.4'], /'1\.2\.3\.4' has no port/],
  [['trace', '::1:80'], /write \[ADDRESS\]:PORT/],
  [['trace', '1.2.3.4:80:90'], /is not ADDRESS:PORT/],
  [['trace', '[::1]:70000'], /port 70000 is out of range/],
  [['trace', 'localhost:80'], /'localhost' is not an IP address.*names are not looked up/],
  [['trace', '--from', '::1', '1.2.3.4:80'], /different families/],
  [['trace', '--from', 'fe80::1%eth0', '[fe80::2]:80'], /write fe80::1 .*--in eth0/],
  [['trace', '--from', 'fe80::7', '[fe80::10]:80'], /link-local.*--in/],
  [['trace', '--tcp', '--udp', '1.2.3.4:80'], /exclude each other/],
  [['trace', '--in', 'eth0', '1.2.3.4:80'], /name the peer with --from/],
];

for (const [argv, message] of refused) {
  test(`earshot ${argv.join(' ')} is refused: ${message.source}`, async (t) => {
    const { status, out, err } = await earshot(argv);
    t.is(status, 2);
    t.is(out, '');
    t.regex(err, /^earshot: [^\n]+\n$/);
    t.regex(err, message);
  });
}

test('what the library refuses is told as it says it, with status 2', async (t) => {
  const capture = async () => {
    throw new EarshotError('ERR_NETNS', 'network namespace /run/netns/x does not exist');
  };
  const { status, out, err } = await earshot([], { capture });
  t.deepEqual(
    [status, out, err],
    [2, '', 'earshot: network namespace /run/netns/x does not exist\n'],
  );
});

test('a capture that is refused is named by its file', async (t) => {
  const { status, err } = await earshot(
    ['--state', '-'],
    { parseState: real.parseState },
    '{"version"',
  );
  t.is(status, 2);
  t.regex(err, /^earshot: standard input: the capture is not whole JSON/);
});

test('an error inside is short, says how to report it, and prints no answer', async (t) => {
  const exposure = async () => {
    throw new TypeError('x is not a function\u001b[31m');
  };
  const { status, out, err } = await earshot([], { exposure });
  t.is(status, 2);
  t.is(out, '');
  t.regex(
    err,
    /^earshot: an error inside earshot: TypeError: x is not a function\\x1b\[31m at .*\nPlease report it/,
  );
  t.is(err.split('\n').length, 3);
});

test('a capture is JSON that answers again; what it lacks is told on standard error', async (t) => {
  const missing: HostState['missing'] = [
    { what: 'nftables', reason: 'EPERM', remedy: 'run as root' },
  ];
  const captured = await earshot(['capture'], { capture: async () => laptop({ missing }) });
  t.is(captured.status, 0);
  t.regex(captured.err, /nftables rules/);
  const again = await earshot(['--state', '-'], { parseState: real.parseState }, captured.out);
  t.is(again.err, '');
  t.is(again.status, 0);
});

test('a capture file is written whole, and nothing is left beside it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'host.json');
  writeFileSync(file, 'old');
  const { status, out } = await earshot(['capture', '--output', file]);
  t.deepEqual([status, out], [0, '']);
  t.deepEqual<unknown, unknown>(
    JSON.parse(readFileSync(file, 'utf8')),
    JSON.parse(JSON.stringify(laptop())),
  );
  t.deepEqual(readdirSync(directory), ['host.json']);
});

test('--help and --version answer without asking the kernel', async (t) => {
  for (const argv of [
    ['--help'],
    ['help', 'trace'],
    ['trace', '--help'],
    ['capture', '-h'],
    ['--version'],
  ]) {
    const { status, out, err, asked } = await earshot(argv);
    t.deepEqual([status, err, asked.capture.length], [0, '', 0]);
    t.true(
      argv[0] === '--version' ? /^\d+\.\d+\.\d+\n$/.test(out) : out.includes('Examples:'),
      out,
    );
    t.true(out.split('\n').every((line) => line.length <= 80));
  }
});

test('a firewall that is in doubt makes no loopback server reachable from elsewhere', async (t) => {
  const [first] = exposures[5432]!;
  const cause = { code: 'not-evaluated', what: 'a rule' } as const;
  const doubt = {
    interface: 'lo',
    address: '127.0.0.1',
    peers: ['127.0.0.1'],
    cause,
    symptom: null,
    remedies: [],
    port: 5432,
    url: null,
    forwardedTo: null,
    assuming: null,
  };
  const held = { ...first!, scope: 'unknown' as const, reach: [], unknown: [doubt] };
  const { status, out } = await earshot(['5432'], { exposure: async () => [held] });
  t.is(status, 1);
  t.regex(out, /^5432\/tcp is open to this host at most/);
});
