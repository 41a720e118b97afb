import test from 'ava';
import { services as real, type Services } from '#earshot/cli/services.js';
import type { HostState } from '#earshot/model/host-state.js';
import type { CaptureOptions, Socket } from '#earshot/model/socket.js';
import type { BindCheck, BindSpec } from '#earshot/reach/bind.js';
import { answer } from './answer.js';
import { laptop } from './laptop.js';

/* `earshot bind`, on a kernel that is the laptop. */

const state = (changes: Partial<HostState> = {}): HostState => laptop({ held: [], ...changes });

async function bind(argv: string[], changes: Partial<Services> = {}) {
  const captures: CaptureOptions[] = [];
  const binds: BindSpec[] = [];
  const told = await answer(['bind', ...argv], {
    async capture(options) {
      captures.push(options);
      return state();
    },
    async checkBind(from, spec) {
      binds.push(spec);
      return real.checkBind(from, spec);
    },
    ...changes,
  });
  return { ...told, captures, binds };
}

const listener: Socket = {
  protocol: 'tcp',
  family: 'ipv4',
  state: 'listen',
  local: { address: '0.0.0.0', port: 3000 },
  remote: null,
  interfaces: [],
  boundInterface: null,
  v6only: null,
  inode: 7,
  cookie: null,
  uid: 1000,
  receiveQueue: 0,
  sendQueue: 0,
  backlog: { length: 0, limit: 511 },
  mark: 0,
  cgroup: null,
  transparent: false,
  source: 'netlink',
  owners: [{ pid: 4211, fd: 3, name: 'node', command: ['node'], uid: 1000 }],
};
const taken = { capture: async () => state({ sockets: [listener] }) };

test('a port that is free: yes, and who could reach it', async (t) => {
  const { status, out, captures } = await bind(['0.0.0.0:3000']);
  t.is(status, 0);
  t.regex(out, /^0\.0\.0\.0:3000 \(TCP\) can be bound\.\n {2}Reached by {2}\S/);
  t.deepEqual(captures, [{ owners: true, socketOptions: true }]);
});

test('a port that is taken: no, and who has it', async (t) => {
  const { status, out } = await bind(['0.0.0.0:3000', '--reuse-address'], taken);
  t.is(status, 1);
  t.regex(out, /cannot be bound: .* holds it\s\(EADDRINUSE\)/s);
  t.regex(out, /Taken by {2}0\.0\.0\.0:3000, listen: node 4211/);
});

test('what is not told: unknown, and what would tell', async (t) => {
  const { status, out } = await bind(['0.0.0.0:3000', '--reuse-port', '--uid', '1000'], taken);
  t.is(status, 3);
  t.regex(out, /^Whether 0\.0\.0\.0:3000 \(TCP\) can be bound is unknown/);
  t.regex(out, /Perhaps {2}0\.0\.0\.0:3000/);
});

test('the JSON is what checkBind gives', async (t) => {
  const { out, status } = await bind(['0.0.0.0:3000', '--json'], taken);
  const check = JSON.parse(out) as BindCheck;
  t.is(status, 1);
  t.is(check.error, 'EADDRINUSE');
  t.is(check.conflicts[0]?.inode, 7);
});

for (const [argv, spec] of [
  [['[::]:80', '--udp', '--v6only'], { protocol: 'udp', address: '::', port: 80, v6only: true }],
  [
    ['[fe80::1%eth0]:80'],
    { protocol: 'tcp', address: 'fe80::1', port: 80, boundInterface: 'eth0' },
  ],
  [
    ['--interface', 'eth0', '--reuse-address', '--reuse-port', '--uid', '33', '10.0.0.1:80'],
    {
      protocol: 'tcp',
      address: '10.0.0.1',
      port: 80,
      boundInterface: 'eth0',
      reuseAddress: true,
      reusePort: true,
      uid: 33,
    },
  ],
] as [string[], BindSpec][]) {
  test(`bind ${argv.join(' ')} asks for that socket`, async (t) => {
    t.deepEqual((await bind(argv)).binds, [spec]);
  });
}

for (const [argv, message] of [
  [['0.0.0.0'], /has no port/],
  [['0.0.0.0:80', '--v6only'], /--v6only speaks of IPv6/],
  [['0.0.0.0:80', '--uid', 'root'], /--uid 'root' is no user/],
  [['0.0.0.0:80', '--tcp', '--udp'], /exclude each other/],
  [['[fe80::1%eth0]:80', '--interface', 'lo'], /is not the zone/],
  [['0.0.0.0:80', '--from', '1.2.3.4'], /unknown option '--from'/],
] as [string[], RegExp][]) {
  test(`bind ${argv.join(' ')} is refused`, async (t) => {
    const { status, err, out } = await bind(argv);
    t.is(status, 2);
    t.is(out, '');
    t.regex(err, message);
  });
}
