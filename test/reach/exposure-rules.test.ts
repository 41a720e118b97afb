import test from 'ava';
import { type Prefix, parseAddress, parsePrefix, prefixHolds } from '#earshot/model/address.js';
import type { HostState } from '#earshot/model/host-state.js';
import type { Socket } from '#earshot/model/socket.js';
import { exposure } from '#earshot/reach/exposure.js';
import type { Blocked, Exposure, Reach } from '#earshot/reach/exposure-row.js';
import { trace } from '#earshot/reach/trace.js';
import { randomFrom } from '../native/support.js';
import { portRules, type Random, ruleSet, texts } from './nftables/support/random-rules.js';
import { host, link, route, tcp, udp } from './support/state.js';

/*
 * Exposure shares what it finds out among sockets, interfaces and peers. Here each of many sockets is
 * held against trace by itself, under random rules that compare addresses, ports, interfaces, marks.
 */

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);

/** Around the ports that the rules name, and some that none does. */
const ports = [21, 22, 23, 79, 80, 81, 442, 443, 444, 3000, 3001, 39999, 40000, 40001, 40002];

const addresses = ['0.0.0.0', '0.0.0.0', '[::]', '[::]', '192.168.1.10', '127.0.0.1'];

type Kind = (port: number, inode: number) => Socket;

function aKind(random: Random): Kind {
  const address = addresses[random(addresses.length)]!;
  const changes = {
    uid: [0, 0, 1000][random(3)]!,
    v6only: address === '[::]' ? random(2) === 0 : null,
    boundInterface: random(6) === 0 ? 'eth0' : null,
  };
  const make = random(3) === 0 ? udp : tcp;
  return (port, inode) => make(`${address}:${port}`, { ...changes, inode });
}

/** Most of its sockets are alike but for their port. */
function aHost(random: Random): HostState {
  const makeRules = random(2) === 0 ? ruleSet : portRules;
  const kinds = [aKind(random), aKind(random), aKind(random)];
  const sockets = ports.flatMap((port, place) => [
    kinds[random(2)]!(port, 100 + place),
    ...(random(4) === 0 ? [kinds[2]!(port, 200 + place)] : []),
  ]);
  const state = host({
    links: [
      link('eth0', ['192.168.1.10/24', '2001:db8:1::10/64', 'fe80::10/64']),
      link('eth1', ['10.0.0.1/16', '10.9.0.1/16']),
    ],
    routes: [
      route('0.0.0.0/0', { dev: 'eth0', via: '192.168.1.1' }),
      route('::/0', { dev: 'eth0', via: 'fe80::1' }),
      route('10.20.0.0/16', { dev: 'eth1', via: '10.0.0.254' }),
      route('10.21.0.0/16', { dev: 'eth1', via: '10.0.0.254' }),
      route('10.22.0.0/16', { dev: 'eth1', via: '10.0.0.253' }),
    ],
    sockets,
  });
  return { ...state, firewall: { ...state.firewall, nftables: makeRules(random) } };
}

const around = [
  '10.0.0.0',
  '10.0.0.3',
  '10.0.1.255',
  '10.0.2.0',
  '10.20.0.9',
  '10.21.0.9',
  '10.22.0.9',
  '11.0.0.1',
  '192.168.0.255',
  '192.168.1.19',
  '192.168.1.21',
  '203.0.113.9',
  '2001:db8:1::1f',
  '2001:db8:1::21',
  'fd00::3',
  '2a00::1',
  'fe80::77',
];
const peers = [...texts.ipv4, ...texts.ipv6, ...around];

/** Prefixes of rows, each read once. */
const read = new Map<string, Prefix>();
const parsed = new Map(peers.map((text) => [text, parseAddress(text)!]));

function prefixOf(text: string): Prefix {
  const prefix = read.get(text) ?? parsePrefix(text)!;
  read.set(text, prefix);
  return prefix;
}

const holds = (row: Reach | Blocked, peer: string): boolean =>
  row.peers.some((text) => prefixHolds(prefixOf(text), parsed.get(peer)!));

/** What trace says otherwise than the row, of a peer in it. */
function contradiction(
  state: HostState,
  { endpoint, socket }: Exposure,
  row: Reach | Blocked,
  peer: string,
): string | null {
  const verdict = trace(state, {
    protocol: endpoint.protocol,
    ingress: row.interface,
    source: { address: peer },
    destination: { address: row.address, port: endpoint.port },
  });
  const said = 'cause' in row ? row.cause : null;
  // Another socket may fare otherwise at the same door.
  const isOthers = said !== null && ('socket' in said || said.code === 'shadowed');
  const taken = verdict.socket?.inode === socket?.inode;
  const agrees = isOthers
    ? !(verdict.outcome === 'reachable' && taken)
    : verdict.outcome === (said ? 'unreachable' : 'reachable') &&
      JSON.stringify(verdict.cause) === JSON.stringify(said) &&
      (!('symptom' in row) || verdict.symptom === row.symptom) &&
      (said !== null || verdict.socket?.local.port === socket?.local.port);
  if (agrees) return null;
  return `${peer} by ${row.interface} to ${row.address} port ${endpoint.port}: ${JSON.stringify(said)}, but ${verdict.outcome} ${verdict.symptom} ${JSON.stringify(verdict.cause)}`;
}

test(`each of many sockets is exposed as trace says of it, under random rules (SEED=${seed})`, (t) => {
  t.timeout(300_000);
  const random = randomFrom(seed);
  let compared = 0;
  const told = new Set<string>();
  for (let round = 0; round < 6; round++) {
    const state = aHost(random);
    for (const one of exposure(state)) {
      const { reach, blocked, unknown } = one;
      const certain = [...reach, ...blocked].filter((row) => row.interface !== 'lo');
      const rows = [...certain, ...unknown];
      for (const peer of peers) {
        const doors = new Set<string>();
        for (const row of rows) {
          if (!holds(row, peer)) continue;
          const door = `${row.interface} ${row.address}`;
          t.false(doors.has(door), `${peer} is in two rows at ${door}`);
          doors.add(door);
          // What exposure does not tell, trace may.
          if (unknown.includes(row as never)) continue;
          const isOwn = state.interfaces.some(({ addresses: own }) =>
            own.some(({ address }) => address === peer),
          );
          if (isOwn) continue;
          compared++;
          told.add('cause' in row ? row.cause.code : 'reachable');
          const wrong = contradiction(state, one, row, peer);
          if (wrong !== null) {
            t.fail(`round ${round}: ${wrong}`);
            return;
          }
        }
      }
    }
  }
  t.log(`${compared} peers compared: ${[...told].join(' ')}`);
  t.true(compared > 3000);
});

test(`peers of one fate at one door are one row (SEED=${seed})`, (t) => {
  const random = randomFrom(seed);
  for (let round = 0; round < 6; round++) {
    for (const { reach, blocked } of exposure(aHost(random))) {
      const names = [...reach, ...blocked].map((row) => {
        // Neither peers nor remedies, which would be looked for.
        const fate = 'cause' in row ? [row.cause, row.symptom] : null;
        return JSON.stringify([row.interface, row.address, fate]);
      });
      t.is(new Set(names).size, names.length);
    }
  }
});
