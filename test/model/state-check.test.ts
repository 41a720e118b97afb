import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import type { HostState } from '#earshot/model/host-state.js';
import { checkState, parseState } from '#earshot/model/state-check.js';

/** A small capture with one of everything. */
const STATE: HostState = {
  version: 1,
  when: '2026-01-02T03:04:05.678Z',
  where: { hostname: 'web1', kernel: '6.1.0-18-amd64', netns: 4026531840 },
  families: { ipv4: true, ipv6: true },
  interfaces: [
    {
      index: 2,
      name: 'eth0',
      kind: null,
      up: true,
      running: true,
      lowerUp: true,
      loopback: false,
      pointToPoint: false,
      noArp: false,
      mac: '02:00:00:00:00:01',
      mtu: 1500,
      master: null,
      portKind: null,
      lowerIndex: null,
      lowerElsewhere: false,
      group: 0,
      hardwareType: 1,
      vrfTable: null,
      xdp: [],
      tcIngress: false,
      tcEgress: false,
      ipv4: {
        forwarding: 0,
        rp_filter: 2,
        accept_local: 0,
        route_localnet: 0,
        src_valid_mark: 0,
        arp_ignore: 0,
        arp_announce: 0,
        arp_filter: 0,
        bc_forwarding: 0,
        ignore_routes_with_linkdown: 0,
        drop_unicast_in_l2_multicast: 0,
      },
      ipv6: {
        forwarding: 0,
        disable_ipv6: 0,
        optimistic_dad: 0,
        use_optimistic: 0,
        ignore_routes_with_linkdown: 0,
        drop_unicast_in_l2_multicast: 0,
        force_forwarding: null,
      },
      addresses: [
        {
          address: '192.0.2.1',
          prefixLength: 24,
          scope: 'global',
          flags: ['permanent'],
          peer: null,
          broadcast: '192.0.2.255',
        },
      ],
    },
  ],
  routes: [
    {
      family: 'ipv6',
      table: 254,
      type: 'unicast',
      destination: '::/0',
      sourcePrefix: null,
      tos: 0,
      scope: 0,
      protocol: 9,
      metric: 1024,
      preferredSource: null,
      nexthops: [{ interface: 'eth0', gateway: 'fe80::1', weight: 1, flags: [] }],
      nexthopId: null,
      preference: 'medium',
      flags: [],
      encapsulation: null,
    },
  ],
  rules: [
    {
      family: 'ipv4',
      priority: 100,
      invert: false,
      from: '10.0.0.0/8',
      to: null,
      tos: 0,
      inputInterface: null,
      inputDetached: false,
      outputInterface: null,
      outputDetached: false,
      mark: { value: 1, mask: 0xffffffff },
      ipProtocol: 6,
      sourcePort: null,
      destinationPort: { from: 80, to: 81 },
      uidRange: null,
      l3mdev: false,
      action: 'lookup',
      table: 254,
      goto: null,
      suppressPrefixLength: null,
      suppressInterfaceGroup: null,
      protocol: 4,
      unknownAttributes: [],
    },
  ],
  settings: { 'net.ipv4.ip_forward': 0, 'net.ipv4.ip_local_reserved_ports': '' },
  sockets: [
    {
      protocol: 'tcp',
      family: 'ipv6',
      state: 'listen',
      local: { address: '::', port: 80 },
      remote: null,
      interfaces: ['eth0'],
      boundInterface: null,
      v6only: false,
      inode: 7,
      cookie: '0000000000000001',
      uid: 0,
      receiveQueue: 0,
      sendQueue: 0,
      backlog: { length: 0, limit: 128 },
      mark: null,
      cgroup: null,
      transparent: null,
      source: 'netlink',
      owners: [{ pid: 1, fd: 3, name: 'web', command: ['web'], uid: 0 }],
    },
  ],
  firewall: {
    nftables: {
      generation: 2,
      byteOrder: 'little',
      tables: [{ family: 'inet', name: 'filter', handle: 1, flags: [] }],
      chains: [
        {
          family: 'inet',
          table: 'filter',
          name: 'input',
          handle: 1,
          base: { hook: 'input', priority: 0, policy: 'accept', type: 'filter', devices: [] },
          rules: [
            {
              handle: 2,
              comment: 'the web',
              expressions: [
                { kind: 'lookup', set: 'ports', source: 0, destination: 'verdict', invert: false },
                { kind: 'immediate', destination: 'verdict', data: { verdict: { code: 'drop' } } },
              ],
            },
          ],
        },
      ],
      sets: [
        {
          family: 'inet',
          table: 'filter',
          name: 'ports',
          handle: 3,
          flags: ['interval', 'map'],
          keyType: 13,
          keyLength: 2,
          fields: [],
          dataType: 0xffffff00,
          dataLength: 16,
          objectType: null,
          size: 3,
          keys: 'AAAAUABR',
          keyEnds: null,
          ends: 'BQ==',
          data: null,
          verdictOf: [-1, 0, -1],
          verdicts: [{ code: 'jump', chain: 'input' }],
          objects: null,
          catchall: { data: { verdict: { code: 'drop' } }, object: null, expressions: [] },
          expressionLists: [],
          expressionsOf: null,
          expressions: [],
        },
      ],
      objects: [
        {
          family: 'inet',
          table: 'filter',
          name: 'ssh',
          type: 4,
          expression: {
            kind: 'limit',
            rate: 1,
            unitSeconds: 60,
            burst: 5,
            bytes: false,
            invert: false,
          },
        },
      ],
      flowtables: [
        { family: 'inet', table: 'filter', name: 'fast', priority: 0, devices: ['lan0'] },
      ],
    },
    legacy: null,
  },
  missing: [{ what: 'legacy-tables', reason: 'refused', remedy: 'run as root' }],
};

type Path = (string | number)[];

const RULE: Path = ['firewall', 'nftables', 'chains', 0, 'rules', 0];
const SET: Path = ['firewall', 'nftables', 'sets', 0];

/** The capture with one value changed; `undefined` takes it away. */
function changed(path: Path, value: unknown): unknown {
  const copy = structuredClone(STATE) as unknown as Record<string | number, unknown>;
  let at = copy;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>;
  const last = path.at(-1)!;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

/** The path of every value in the capture. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return path.length > 0 ? [path] : [];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return [
    ...(path.length > 0 ? [path] : []),
    ...entries.flatMap(([key, inner]) => pathsOf(inner, [...path, key])),
  ];
}

const invalid = (message?: RegExp) => ({
  instanceOf: EarshotError,
  code: 'ERR_INVALID_STATE',
  ...(message ? { message } : {}),
});

test('a capture checks and is given back as it is', (t) => {
  t.is(checkState(STATE), STATE);
  t.deepEqual(parseState(JSON.stringify(STATE)), STATE);
});

test('keys that a later earshot may add are let through', (t) => {
  t.notThrows(() => checkState(changed(['addedLater'], { x: 1 })));
});

test('a capture cut short anywhere is refused', (t) => {
  const text = JSON.stringify(STATE);
  for (let length = 0; length < text.length; length++) {
    t.throws(() => parseState(text.slice(0, length)), invalid());
  }
  t.throws(
    () => parseState(text.slice(0, 500)),
    invalid(/cut short.*make a new capture with 'earshot capture'/),
  );
  t.throws(() => parseState(' \n'), invalid(/the capture is empty/));
});

for (const value of [null, [], 7, 'state', {}, { interfaces: [] }]) {
  test(`${JSON.stringify(value)} is not a capture`, (t) => {
    t.throws(() => checkState(value), invalid(/this is not a capture but/));
  });
}

test('a capture of another version is refused, and the message names both', (t) => {
  t.throws(
    () => checkState(changed(['version'], 2)),
    invalid(/is of version 2, and this earshot reads version 1/),
  );
  t.throws(() => checkState(changed(['version'], '1')), invalid(/version "1"/));
});

const OPTIONAL = new Set(['owners', 'net.ipv4.ip_forward', 'net.ipv4.ip_local_reserved_ports']);

for (const path of pathsOf(STATE)) {
  const name = path.join('.');
  const isListItem = typeof path.at(-1) === 'number';

  if (!isListItem && !OPTIONAL.has(String(path.at(-1))) && name !== 'version') {
    test(`a capture without ${name} is refused`, (t) => {
      t.throws(() => checkState(changed(path, undefined)), invalid(/ is missing, not /));
    });
  }

  if (name !== 'version') {
    test(`a capture with something else as ${name} is refused, and the message names it`, (t) => {
      for (const value of [Number.NaN, { unexpected: true }, ['unexpected', 1]]) {
        const error = t.throws(() => checkState(changed(path, value)), invalid());
        const step = path.find((part) => part !== 'net')!;
        t.true(error!.message.includes(String(step)), error!.message);
      }
    });
  }
}

const WRONG: [Path, unknown, RegExp][] = [
  [
    ['interfaces', 0, 'addresses', 0, 'address'],
    '10.0.0',
    /interfaces\[0\]\.addresses\[0\]\.address is "10\.0\.0", not an IP address/,
  ],
  [
    ['interfaces', 0, 'addresses', 0, 'prefixLength'],
    33,
    /prefixLength is 33, more than the 32 bits of 192\.0\.2\.1/,
  ],
  [['interfaces', 0, 'index'], 0, /interfaces\[0\]\.index is 0/],
  [['routes', 0, 'destination'], '::/129', /routes\[0\]\.destination is "::\/129", not a prefix/],
  [['routes', 0, 'destination'], '::', /not a prefix/],
  [
    ['routes', 0, 'destination'],
    '10.0.0.0/8',
    /routes\[0\]\.destination is of ipv4 in a record of ipv6/,
  ],
  [['routes', 0, 'type'], 'fast', /routes\[0\]\.type is "fast", not one of unicast, local/],
  [['rules', 0, 'from'], '2001:db8::/32', /rules\[0\]\.from is of ipv6 in a record of ipv4/],
  [['rules', 0, 'destinationPort', 'to'], 65536, /rules\[0\]\.destinationPort\.to is 65536/],
  [
    ['sockets', 0, 'local', 'port'],
    70000,
    /sockets\[0\]\.local\.port is 70000, not a whole number from 0 to 65535/,
  ],
  [
    ['sockets', 0, 'local', 'address'],
    '1.2.3.4',
    /sockets\[0\]\.local is of ipv4 in a record of ipv6/,
  ],
  [['sockets', 0, 'state'], 'open', /sockets\[0\]\.state is "open", not one of established/],
  [
    ['settings', 'net.ipv4.ip_forward'],
    null,
    /settings\["net\.ipv4\.ip_forward"\] is null, not a number or text/,
  ],
  [['when'], 'yesterday', /when is "yesterday"/],
  [['firewall', 'nftables', 'chains', 0, 'base', 'hook'], 'in', /chains\[0\]\.base\.hook is "in"/],
  [[...RULE, 'expressions', 0, 'kind'], 'guess', /expressions\[0\]\.kind is "guess"/],
  [[...RULE, 'expressions', 0, 'source'], 16, /expressions\[0\]\.source is 16/],
  [[...RULE, 'expressions', 0, 'destination'], 'verdikt', /destination is "verdikt"/],
  [[...RULE, 'expressions', 1, 'data'], { value: 'f' }, /data\.value is "f"/],
  [[...RULE, 'expressions', 1, 'data', 'verdict', 'code'], 'jump', /verdict\.chain is missing/],
  [[...SET, 'keys'], 'AAAAUA==', /sets\[0\]\.keys is 4 bytes, not the 6 of 3 elements/],
  [[...SET, 'keys'], 'AAAAUAB-', /sets\[0\]\.keys is "AAAAUAB-", not bytes in base64/],
  [[...SET, 'ends'], 'AAAA', /sets\[0\]\.ends is 3 bytes, not the 1/],
  [[...SET, 'size'], 4, /sets\[0\]\.keys is 6 bytes, not the 8/],
  [[...SET, 'verdictOf'], [-1, 0], /sets\[0\]\.verdictOf has 2 entries for 3 elements/],
  [[...SET, 'verdictOf'], [-1, 1, -1], /sets\[0\]\.verdictOf\[1\] is 1 in a list of 1/],
  [[...SET, 'catchall', 'expressions'], null, /catchall\.expressions is null/],
  [['firewall', 'nftables', 'objects', 0, 'expression', 'rate'], -1, /expression\.rate is -1/],
];

for (const [path, value, message] of WRONG) {
  test(`${path.join('.')} ${JSON.stringify(value)} is refused`, (t) => {
    t.throws(() => checkState(changed(path, value)), invalid(message));
  });
}
