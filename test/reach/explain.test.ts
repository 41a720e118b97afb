import test from 'ava';
import { trace } from '#earshot/reach/trace.js';
import {
  asks,
  asksItself,
  chain,
  LAN,
  lan4,
  lan6,
  neighbour4,
  neighbour6,
  nftables,
  onLan,
  tcp,
} from './support/state.js';

/* The verdict in one sentence: who asked whom, what came of it, why, and what the peer sees. */

const server = tcp('0.0.0.0:3000', {
  owners: [{ pid: 42, fd: 3, name: 'node', command: ['node'], uid: 0 }],
});
const says = (...question: Parameters<typeof trace>) => trace(...question).explanation;

test('who reaches it is told which socket takes it', (t) => {
  t.is(
    says(onLan([server]), asks(neighbour4, LAN, `${lan4}:3000`)),
    '192.168.1.20 reaches 192.168.1.10:3000 (TCP): the IPv4 TCP socket 0.0.0.0:3000, node (pid 42) takes it, and the answer gets back.',
  );
});

test('who does not is told why, and what their program reports', (t) => {
  t.is(
    says(onLan([server]), asks(neighbour6, LAN, `[${lan6}]:3000`)),
    '2001:db8:1::20 does not reach [2001:db8:1::10]:3000 (TCP): the IPv4 TCP socket 0.0.0.0:3000, node (pid 42) takes IPv4 alone. It sees: connection refused (ECONNREFUSED).',
  );
});

test('this host itself is called so', (t) => {
  t.is(
    says(onLan([]), asksItself('127.0.0.1:3000', 'udp')),
    'This host does not reach 127.0.0.1:3000 (UDP): nobody listens on that port. It sees: connection refused (ECONNREFUSED).',
  );
});

test('this host at its LAN address is not told that it alone reaches a server on loopback', (t) => {
  t.is(
    says(onLan([tcp('127.0.0.1:3000')]), asksItself(`${lan4}:3000`)),
    'This host does not reach 192.168.1.10:3000 (TCP): the IPv4 TCP socket 127.0.0.1:3000 is bound to loopback: this host alone reaches it, and at that address alone. It sees: connection refused (ECONNREFUSED).',
  );
});

test('what is unknown says what it depends on, and names no symptom', (t) => {
  const firewall = nftables([chain('inet filter input', 'input')]);
  t.is(
    says(onLan([server], { firewall }), asks(neighbour4, LAN, `${lan4}:3000`)),
    'Whether 192.168.1.20 reaches 192.168.1.10:3000 (TCP) is unknown: it depends on rule 2 of chain input in table inet filter at input, whose outcome cannot be known ([ novelty ]).',
  );
});

test('IPV6_V6ONLY is named where it is what decides', (t) => {
  const asked = asks(neighbour4, LAN, `${lan4}:3000`);
  const wildcard = onLan([tcp('[::]:3000', { v6only: true })]);
  t.true(says(wildcard, asked).includes('takes IPv6 alone (IPV6_V6ONLY).'));
  t.true(says(onLan([tcp(`[${lan6}]:3000`)]), asked).includes('takes IPv6 alone.'));
});
