import { readdirSync, readFileSync } from 'node:fs';
import { BlockList } from 'node:net';
import test from 'ava';
import { listText } from '#earshot/cli/render/list.js';
import { InterfaceRows, type Mark, marksOf } from '#earshot/cli/render/marks.js';
import { PeerNames } from '#earshot/cli/render/peers.js';
import { rowsOf } from '#earshot/cli/render/rows.js';
import { widthOf } from '#earshot/cli/render/text.js';
import type { View } from '#earshot/cli/render/view.js';
import type { HostState } from '#earshot/model/host-state.js';
import { parseState } from '#earshot/model/state-check.js';
import type { Exposure } from '#earshot/reach/exposure.js';
import { exposure } from '#earshot/reach/exposure.js';
import { sameAsGolden } from './golden.js';
import {
  address,
  blockedBy,
  device,
  everyExposure,
  exposureOf,
  laptop,
  openToAll,
  reach,
  socket,
} from './laptop.js';

const plain: View = { width: 80, colour: false, interactive: false };
const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

for (const width of [40, 80, 200]) {
  test(`listeners by interface in ${width} columns`, (t) => {
    sameAsGolden(t, `matrix-${width}`, listText(laptop(), everyExposure, { ...plain, width }));
  });
}

const marksOfRow = (text: string, port: number) =>
  new RegExp(`^${port}/tcp .*?  (\\S+)(?:  +(\\S+))?(?:  +(\\S+))?(?:  +(\\S+))?$`, 'm')
    .exec(text)
    ?.slice(-4);

test('a mark for each family where they differ, and one where they do not', (t) => {
  const both = socket('::', 1);
  const four = socket('0.0.0.0', 2);
  const cause = { code: 'ipv4-only', socket: four } as const;
  const text = listText(
    laptop(),
    [
      exposureOf(both, 'routed', {
        reach: [...openToAll(1), reach('eth0', 'fd12:3456::10', 1, ['::/0'])],
      }),
      exposureOf(four, 'routed', { reach: openToAll(2), blocked: blockedBy(cause).slice(3) }),
    ],
    plain,
  );
  t.deepEqual(marksOfRow(text, 1), ['●', '◐', '◐', '●']);
  t.deepEqual(marksOfRow(text, 2), ['●·', '◐', '◐', '●']);
  t.regex(text, /two marks: IPv4, IPv6/);
});

test('link-local peers do not count beside the same people at another address', (t) => {
  const rows = new InterfaceRows();
  rows.reach.push(reach('eth0', '192.168.1.10', 1, ['0.0.0.0/0']));
  rows.reach.push(reach('eth0', 'fe80::10', 1, ['fe80::/10']));
  t.deepEqual(marksOf('eth0', rows, new PeerNames(laptop())), { ipv4: { who: 'all' }, ipv6: null });
  rows.blocked.push({ ...blockedBy({ code: 'interface-down', interface: 'eth0' })[2]! });
  rows.reach.shift();
  t.deepEqual(marksOf('eth0', rows, new PeerNames(laptop())), {
    ipv4: { who: 'nobody' },
    ipv6: { who: 'link' },
  });
});

test('peers that are a part are named below the row', (t) => {
  const held = socket('0.0.0.0', 22);
  const rest = { code: 'interface-down', interface: 'eth0' } as const;
  const text = listText(
    laptop(),
    [
      exposureOf(held, 'link', {
        reach: [reach('eth0', '192.168.1.10', 22, ['192.168.1.7/32'])],
        blocked: blockedBy(rest).slice(0, 3),
      }),
    ],
    plain,
  );
  t.regex(text, /^22\/tcp .* ◔ +· +·$/m);
  t.regex(text, /^ {8}192\.168\.1\.7 via eth0$/m);
});

test('anyone but some: whom that leaves out is named, for the family that it is of', (t) => {
  const text = listText(
    laptop(),
    [
      exposureOf(socket('::', 22), 'routed', {
        reach: [
          reach('eth0', '192.168.1.10', 22, everybodyBut11),
          reach('docker0', '172.17.0.1', 22, ['172.17.0.2/32']),
          reach('eth0', 'fd12:3456::10', 22, ['fd12:3456::/64']),
        ],
        blocked: blockedBy({ code: 'interface-down', interface: 'eth0' }),
      }),
    ],
    plain,
  );
  t.regex(text, /^22\/tcp .* ◕◐ +· +◔$/m);
  t.regex(text, /^ {8}anyone via eth0 over IPv4 but 11\.0\.0\.0\/8$/m);
  t.regex(text, /^ {8}172\.17\.0\.2 via docker0$/m);
});

/** Every IPv4 address but 11.0.0.0/8. */
const everybodyBut11 = Array.from({ length: 256 }, (_, first) => `${first}.0.0.0/8`).filter(
  (text) => text !== '11.0.0.0/8',
);

test('no line is wider than the view or ends in a blank, at any width', (t) => {
  for (let width = 60; width <= 200; width += 7) {
    for (const line of listText(laptop(), everyExposure, { ...plain, width }).split('\n')) {
      t.true(widthOf(line) <= width, `${width}: ${line}`);
      t.is(line, line.trimEnd());
    }
  }
});

test('interfaces of one kind that are alike share a column where there is no room for each', (t) => {
  const names = ['br-0a1b2c3d4e5f', 'br-1a1b2c3d4e5f', 'br-2a1b2c3d4e5f', 'br-3a1b2c3d4e5f'];
  const base = laptop();
  const state = laptop({
    interfaces: [
      ...base.interfaces,
      ...names.map((name, index) =>
        device(name, {
          index: 10 + index,
          kind: 'bridge',
          addresses: [address(`172.${18 + index}.0.1`, 16)],
        }),
      ),
    ],
  });
  const all = [
    ...openToAll(80),
    ...names.map((name, index) =>
      reach(name, `172.${18 + index}.0.1`, 80, [`172.${18 + index}.0.0/16`]),
    ),
  ];
  const rows = [exposureOf(socket('0.0.0.0', 80), 'routed', { reach: all })];
  const narrow = listText(state, rows, plain);
  t.regex(narrow, /STANDS ON +eth0 +wg0 +docker0 \+4 +lo$/m);
  t.regex(narrow, /^docker0 \+4: docker0, br-0a1b2c3d4e5f, /m);
  const wide = listText(state, rows, { ...plain, width: 160 });
  for (const name of names) t.true(wide.includes(name));
  t.false(wide.includes('+4'));
  // One of them differs: it keeps a column of its own.
  const [last] = all.splice(-1);
  const cause = { code: 'interface-down', interface: names[3]! } as const;
  const differing = { ...last!, cause, symptom: null, remedies: [] };
  const text = listText(state, [{ ...rows[0]!, reach: all, blocked: [differing] }], {
    ...plain,
    width: 100,
  });
  t.regex(text, /docker0 \+3 +br-3a1b2c3d4e5f +lo$/m);
});

test('with colour the words and marks are the same, and without it there is no control', (t) => {
  for (const width of [60, 80, 120]) {
    const text = listText(laptop(), everyExposure, { ...plain, width });
    const coloured = listText(laptop(), everyExposure, { ...plain, width, colour: true });
    t.notRegex(text, /[^\n\P{Cc}]/u);
    t.not(coloured, text);
    t.is(coloured.replace(escapes, ''), text);
  }
});

test('an interface cannot write to the terminal by its name', (t) => {
  const name = 'e\u001b[2J\u202e0';
  const base = laptop();
  const state = laptop({
    interfaces: [
      ...base.interfaces,
      device(name, { index: 9, addresses: [address('10.1.1.1', 24)] }),
    ],
  });
  const rows = [
    exposureOf(socket('0.0.0.0', 80), 'routed', {
      reach: [...openToAll(80), reach(name, '10.1.1.1', 80, ['10.1.1.9/32'])],
      blocked: [
        {
          ...blockedBy({ code: 'interface-down', interface: name })[0]!,
          interface: name,
          address: '10.1.1.1',
          peers: ['10.1.1.0/29'],
        },
      ],
    }),
  ];
  for (const width of [40, 80, 120]) {
    const text = listText(state, rows, { ...plain, width });
    t.notRegex(text, /[^\n\P{C}]/u);
    t.is(text.includes('e\\x1b[2J\\u{202e}0'), width === 120);
    for (const line of text.split('\n')) t.true(widthOf(line) <= Math.max(width, 56), line);
  }
});

/* What real firewalls make of it: each mark is held against the rows that `exposure` gave, address by address. */

const directory = new URL('../../../test/fixtures/firewalls/', import.meta.url);
const recordings = readdirSync(directory).filter((file) => file.endsWith('.json'));
const seen = new Set<Mark['who']>();

for (const file of recordings) {
  test(`the marks say what exposure says: ${file}`, (t) => {
    const { state: recorded } = JSON.parse(readFileSync(new URL(file, directory), 'utf8')) as {
      state: unknown;
    };
    const state = parseState(JSON.stringify(recorded));
    const names = new PeerNames(state);
    let held = 0;
    for (const row of rowsOf(exposure(state))) {
      for (const [name, rows] of InterfaceRows.of(row.exposures)) {
        const marks = marksOf(name, rows, names);
        for (const family of ['ipv4', 'ipv6'] as const) {
          const mark = marks[family];
          if (mark === null || name === 'lo') continue;
          seen.add(mark.who);
          hold(state, name, family, row.exposures, mark, (right, what) => {
            t.true(right, `${row.port}/${row.protocol} ${name} ${family} ${mark.who}: ${what}`);
            held++;
          });
        }
      }
    }
    t.true(held > 20, `${held}`);
  });
}

test.after('the recordings have marks of many sorts', (t) => {
  for (const who of ['link', 'some', 'sent', 'unknown', 'nobody'] as const) t.true(seen.has(who));
});

function hold(
  state: HostState,
  name: string,
  family: 'ipv4' | 'ipv6',
  exposures: readonly Exposure[],
  mark: Mark,
  check: (right: boolean, what: string) => void,
): void {
  const here = <Entry extends { interface: string; address: string }>(entries: readonly Entry[]) =>
    entries.filter(
      (entry) => entry.interface === name && entry.address.includes(':') === (family === 'ipv6'),
    );
  const listOf = (entries: readonly { peers: string[] }[]) => {
    const list = new BlockList();
    for (const { peers } of entries) {
      for (const text of peers) {
        const [base, length = family === 'ipv4' ? '32' : '128'] = text.split('/') as [
          string,
          string?,
        ];
        list.addSubnet(base, Number(length), family);
      }
    }
    return (peer: string) => list.check(peer, family);
  };
  const open = exposures.flatMap((each) => here(each.reach));
  const reached = open.filter(({ forwardedTo }) => forwardedTo === null);
  const untold = exposures.flatMap((each) => here(each.unknown));
  const blocked = exposures
    .flatMap((each) => here(each.blocked))
    .filter(({ cause }) => cause.code !== 'martian-source' && cause.code !== 'source-is-ours');
  const isReached = listOf(reached);
  const isUnknown = listOf(untold);
  const passedOn = open.filter(({ forwardedTo }) => forwardedTo !== null);
  const isSent = listOf(passedOn);
  const isBlocked = listOf(blocked);
  const links = state.interfaces
    .find((each) => each.name === name)!
    .addresses.filter((each) => !each.address.startsWith('fe80'))
    .filter((each) => each.address.includes(':') === (family === 'ipv6'));
  const onLink = new BlockList();
  for (const each of links) onLink.addSubnet(each.address, each.prefixLength, family);
  const peers = samples(
    state,
    family,
    [...open, ...untold, ...blocked].flatMap((each) => each.peers),
    links.length > 0,
  );
  const gettingIn = peers.filter(isReached);
  const keptOut = peers.filter((peer) => !isReached(peer) && (isBlocked(peer) || isSent(peer)));
  switch (mark.who) {
    case 'all':
      check(gettingIn.length > 0, 'somebody gets in');
      check(keptOut.length === 0, `kept out: ${keptOut.slice(0, 3).join()}`);
      return;
    case 'most':
    case 'some':
      check(gettingIn.length > 0 || reached.length > 0, 'somebody gets in');
      check(keptOut.length > 0, 'somebody does not');
      return;
    case 'link': {
      const strangers = gettingIn.filter((peer) => !onLink.check(peer, family));
      check(
        links.length === 0 || strangers.length === 0,
        `beyond: ${strangers.slice(0, 3).join()}`,
      );
      const left = keptOut.filter((peer) => onLink.check(peer, family));
      check(left.length === 0, `neighbours kept out: ${left.slice(0, 3).join()}`);
      return;
    }
    case 'sent':
      check(reached.length === 0, 'nobody ends here');
      check(passedOn.length > 0, 'rules send some on');
      return;
    case 'unknown':
      check(
        peers.some((peer) => isUnknown(peer) && !isReached(peer)),
        'somebody is not known',
      );
      return;
    case 'nobody':
      check(gettingIn.length === 0, `gets in: ${gettingIn.slice(0, 3).join()}`);
      check(!peers.some(isUnknown), 'nobody is unknown');
      check(passedOn.length === 0, 'nobody is sent on');
      check(peers.length > 0, 'there are peers');
      return;
  }
}

/** Addresses out of each prefix that a neighbour or somebody farther off can have. */
function samples(
  state: HostState,
  family: 'ipv4' | 'ipv6',
  prefixes: readonly string[],
  withoutLinkLocal: boolean,
): string[] {
  const own = new Set(state.interfaces.flatMap((each) => each.addresses.map((one) => one.address)));
  const impossible = new BlockList();
  for (const base of ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3']) {
    impossible.addSubnet(base.split('/')[0]!, Number(base.split('/')[1]), 'ipv4');
  }
  if (withoutLinkLocal) impossible.addSubnet('fe80::', 10, 'ipv6');
  const found = prefixes.flatMap((text) => {
    const [base, length = ''] = text.split('/') as [string, string?];
    if (family === 'ipv6') {
      return length !== '' && Number(length) <= 64
        ? [plus(base, 0x4d), plus(base, 0x1234)]
        : [base];
    }
    if (length === '' || Number(length) > 24) return [base];
    const parts = base.split('.').map(Number);
    return [
      [...parts.slice(0, 3), 77].join('.'),
      ...(Number(length) <= 8 ? [[Math.max(parts[0]!, 0) + 1, 9, 9, 9].join('.')] : []),
    ];
  });
  const usable = (peer: string) =>
    !own.has(peer) &&
    !impossible.check(peer, family) &&
    !/\.(0|255)$/.test(peer) &&
    (family === 'ipv4' || /^(2|3|fc|fd|fe8)[0-9a-f]{0,3}:/.test(peer));
  return [...new Set(found)].filter(usable);
}

/** An address of a /64 at most, by its last group. */
function plus(base: string, last: number): string {
  return base.endsWith('::') ? `${base}${last.toString(16)}` : base;
}
