import test from 'ava';
import type { HostState } from '#earshot/model/host-state.js';
import { LAN, lan4, neighbour4, onLan, tcp, unreadable } from '../reach/support/state.js';
import { answer } from './answer.js';

/* `earshot PORT --from ADDRESS --sees ERROR`, on hosts written by hand. */

const earshot = (state: HostState, argv: string[]) => answer(argv, { capture: async () => state });

const asked = (sees: string, ...more: string[]) => [
  '3000',
  '--from',
  neighbour4,
  '--sees',
  sees,
  ...more,
];

test('what makes a peer see an error is told with what would help: yes', async (t) => {
  const { status, out } = await earshot(onLan([tcp('127.0.0.1:3000')]), asked('ECONNREFUSED'));
  t.is(status, 0);
  t.regex(out, /^On port 3000, this is what makes 192\.168\.1\.20 see connection refused/);
  t.regex(out, new RegExp(`\\n {2}${lan4}:3000/tcp, arriving on ${LAN}\\n {4}Why `));
  t.regex(out, /\n {4}Fix {2}Let the server listen on 192\.168\.1\.10 instead of 127\.0\.0\.1\.\n/);
  t.regex(out, /\n {4}Or {3}Let the server listen on 0\.0\.0\.0 \(every address\) instead/);
});

test('where nothing here does, it is said where to look, and how it would get in: no', async (t) => {
  const { status, out } = await earshot(onLan([tcp('0.0.0.0:3000')]), asked('ETIMEDOUT'));
  t.is(status, 1);
  t.regex(out, /^Nothing on this host makes 192\.168\.1\.20 see no answer/);
  t.regex(out, /The\s+packet\s+is\s+lost\s+before\s+this\s+host/);
  t.regex(out, /It would get in to 192\.168\.1\.10:3000\/tcp, arriving on eth0\./);
});

test('what could not be read may do it: unknown', async (t) => {
  const state = onLan([tcp('0.0.0.0:3000')], unreadable('nftables'));
  const { status, out } = await earshot(state, asked('ETIMEDOUT'));
  t.is(status, 3);
  t.regex(out, /^Nothing that could be read makes 192\.168\.1\.20 see/);
  t.regex(out, /This may:/);
  t.regex(out, /Run with sudo/);
});

test('every error has words for where else to look', async (t) => {
  const errors = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EACCES', 'EPERM', 'EINVAL'];
  for (const error of [...errors, 'EADDRNOTAVAIL']) {
    const { status, out } = await earshot(onLan([tcp('0.0.0.0:3000')]), asked(error));
    t.is(status, 1, error);
    t.regex(out, /lost\s+before\s+this\s+host/, error);
  }
});

test('the JSON has the suspects and their verdicts', async (t) => {
  const { out } = await earshot(onLan([tcp('127.0.0.1:3000')]), asked('ECONNREFUSED', '--json'));
  const { suspects, open } = JSON.parse(out);
  t.is(suspects.length, 1);
  t.is(suspects[0].verdict.symptom, 'ECONNREFUSED');
  t.deepEqual(open, []);
});

test('nobody listens: that refuses too', async (t) => {
  const { status, out } = await earshot(onLan([]), asked('ECONNREFUSED'));
  t.is(status, 0);
  t.regex(out, /nobody\s+listens\s+on\s+that\s+port/);
});

test('a peer from far off is asked for too', async (t) => {
  const far = ['3000', '--from', '203.0.113.9', '--sees', 'ECONNREFUSED'];
  const { status, out } = await earshot(onLan([tcp('127.0.0.1:3000')]), far);
  t.is(status, 0);
  t.regex(out, /bound\s+to\s+loopback/);
});

for (const [argv, message] of [
  [
    ['3000', '--sees', 'ETIMEDOUT'],
    /--sees ETIMEDOUT is what a peer sees: name the peer with --from/,
  ],
  [['--sees', 'ETIMEDOUT'], /--sees ETIMEDOUT needs a port/],
  [asked('EAGAIN'), /EAGAIN/],
  [asked('ETIMEDOUT', '--in', 'eth9'), /--in 'eth9' is no interface/],
  [['3000', '--from', 'x', '--sees', 'ETIMEDOUT'], /--from 'x' is not an IP address/],
] as [string[], RegExp][]) {
  test(`${argv.join(' ')} is refused`, async (t) => {
    const { status, err } = await earshot(onLan([]), argv);
    t.is(status, 2);
    t.regex(err, message);
  });
}
