import { endianness } from 'node:os';
import test from 'ava';
import { decodeAddresses } from '#earshot/kernel/addresses.js';
import { decodeLinks } from '#earshot/kernel/links.js';
import { messages } from '#earshot/kernel/netlink-message.js';
import { decodeNetwork, type NetworkReplies } from '#earshot/kernel/network.js';
import { decodeNexthops } from '#earshot/kernel/nexthops.js';
import { decodeRoutes } from '#earshot/kernel/routes.js';
import { decodeRules } from '#earshot/kernel/rules.js';
import { join, Wire } from './support/wire.js';

/* What no kernel at hand says: other byte orders, devices and kernels. */

const host = new Wire(endianness() === 'LE');
const EOPNOTSUPP = 95;
const EAFNOSUPPORT = 97;

const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_AF_SPEC = 26;
const IFLA_XDP = 43;

/** IFLA_AF_SPEC with IFLA_INET_CONF of the given words. */
const inet = (wire: Wire, ...words: number[]): [number, [number, [number, Uint8Array][]][]] => [
  IFLA_AF_SPEC,
  [[2, [[1, wire.words(...words)]]]],
];

const ROUTE_HEADER = (wire: Wire): Uint8Array =>
  join([Uint8Array.of(2, 8, 0, 0, 254, 4, 0, 1), wire.word(0)]);

test('a big-endian host says the same in its own byte order', (t) => {
  const read = (littleEndian: boolean): object => {
    const wire = new Wire(littleEndian);
    const link = wire.link(7, 'eth0', [[4, 1500], inet(wire, 1, 0, 0, 0, 0, 0, 0, 2)]);
    const address = wire.message(20, join([Uint8Array.of(2, 24, 0x80, 0), wire.word(7)]), [
      [2, Uint8Array.of(10, 0, 0, 1)],
      [8, 0x280],
    ]);
    const route = wire.message(24, ROUTE_HEADER(wire), [
      [1, Uint8Array.of(10, 0, 0, 0)],
      [4, 7],
      [15, 70000],
    ]);
    const rule = wire.message(32, join([Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 1), wire.word(2)]), [
      [6, 1000],
      [10, 0x12345678],
      [16, 0xffffffff],
      [23, join([wire.half(80), wire.half(81)])],
      [15, 70000],
    ]);
    const names = new Map([[7, 'eth0']]);
    return [
      decodeLinks(link, littleEndian),
      [...decodeAddresses(address, littleEndian)],
      decodeRoutes(route, 'ipv4', names, new Map(), littleEndian),
      decodeRules(rule, 'ipv4', littleEndian),
    ];
  };
  t.deepEqual(read(false), read(true));
  const [[link], [[, [address]]], [route], [rule]] = read(false) as [
    [{ index: number; mtu: number; ipv4: { rp_filter: number } }],
    [[number, [{ address: string; flags: string[] }]]],
    [{ table: number }],
    [{ mark: object; invert: boolean }],
  ];
  t.like(link, { index: 7, mtu: 1500, ipv4: { forwarding: 1, rp_filter: 2 } });
  t.like(address, { address: '10.0.0.1', flags: ['permanent', 'noprefixroute'] });
  t.is(route.table, 70000);
  t.like(rule, { mark: { value: 0x12345678, mask: 0xffffffff }, invert: true });
});

test('a VRF tells its table, and its port the kind of its master', (t) => {
  const bytes = join([
    host.link(9, 'blue', [
      [
        IFLA_LINKINFO,
        [
          [1, 'vrf'],
          [2, [[1, 77]]],
        ],
      ],
    ]),
    host.link(3, 'eth1', [
      [IFLA_MASTER, 9],
      [
        IFLA_LINKINFO,
        [
          [4, 'vrf'],
          [5, [[1, 77]]],
        ],
      ],
    ]),
  ]);
  const [vrf, port] = decodeLinks(bytes);
  t.like(vrf, { kind: 'vrf', vrfTable: 77, master: null });
  t.like(port, { kind: null, vrfTable: null, master: 'blue', portKind: 'vrf' });
});

test('the state of a port, and whether a bridge sorts by VLAN, are told by their kinds', (t) => {
  const port = (kind: string, data: [number, Uint8Array][]): string | undefined =>
    decodeLinks(
      host.link(3, 'eth1', [
        [
          IFLA_LINKINFO,
          [
            [4, kind],
            [5, data],
          ],
        ],
      ]),
    )[0]!.portState;
  const states = [0, 1, 2, 3, 4].map((state) => port('bridge', [[1, Uint8Array.of(state)]]));
  t.deepEqual(states, ['blocked', 'blocked', 'blocked', 'forwarding', 'blocked']);
  t.is(port('bond', [[1, Uint8Array.of(0)]]), 'active');
  t.is(port('bond', [[1, Uint8Array.of(1)]]), 'backup');
  t.is(port('bridge', []), undefined);
  t.is(port('team', [[1, Uint8Array.of(1)]]), undefined);
  const bridge = (data: [number, Uint8Array][]) =>
    decodeLinks(
      host.link(3, 'br0', [
        [
          IFLA_LINKINFO,
          [
            [1, 'bridge'],
            [2, data],
          ],
        ],
      ]),
    )[0]!;
  t.is(bridge([[7, Uint8Array.of(1)]]).vlanFiltering, true);
  t.is(bridge([[7, Uint8Array.of(0)]]).vlanFiltering, false);
  t.is(bridge([]).vlanFiltering, undefined);
  t.deepEqual(bridge([[36, Uint8Array.of(1)]]).callsFirewall, { ipv4: true, ipv6: false });
  t.deepEqual(bridge([[37, Uint8Array.of(1)]]).callsFirewall, { ipv4: false, ipv6: true });
  t.deepEqual(bridge([]).callsFirewall, { ipv4: false, ipv6: false });
});

test('a master that went away meanwhile is named by its index', (t) => {
  t.is(decodeLinks(host.link(3, 'eth1', [[IFLA_MASTER, 9]]))[0]!.master, 'if9');
});

test('XDP attached in several modes at once names each', (t) => {
  const xdp = (...attributes: [number, Uint8Array][]): string[] =>
    decodeLinks(host.link(3, 'eth1', [[IFLA_XDP, attributes]]))[0]!.xdp;
  t.deepEqual(xdp([2, Uint8Array.of(4)], [5, host.word(11)], [6, host.word(12)]), [
    'driver',
    'generic',
  ]);
  t.deepEqual(xdp([2, Uint8Array.of(3)], [7, host.word(11)]), ['offload']);
  t.deepEqual(xdp([2, Uint8Array.of(0)]), []);
});

test('a setting that an older kernel does not have is off, force_forwarding unknown', (t) => {
  const conf6 = host.words(...Array.from({ length: 41 }, () => 1));
  const [link] = decodeLinks(
    host.link(3, 'eth1', [
      [
        IFLA_AF_SPEC,
        [
          [2, [[1, host.words(1, 1, 1, 1, 1, 1, 1, 1)]]],
          [10, [[2, conf6]]],
        ],
      ],
    ]),
  );
  t.like(link!.ipv4, { forwarding: 1, rp_filter: 1, bc_forwarding: 0 });
  t.like(link!.ipv6, { drop_unicast_in_l2_multicast: 1, force_forwarding: null });
});

test('a weight above 256 has its high byte apart (Linux 6.12)', (t) => {
  const single = (id: number): Uint8Array =>
    host.message(104, join([Uint8Array.of(2, 0, 0, 0), host.word(0)]), [
      [1, id],
      [5, 3],
    ]);
  const group = host.message(104, join([Uint8Array.of(0, 0, 0, 0), host.word(0)]), [
    [1, 9],
    [
      2,
      join([host.word(1), Uint8Array.of(0x2b, 1, 0, 0), host.word(2), Uint8Array.of(0, 0, 0, 0)]),
    ],
  ]);
  const objects = decodeNexthops(join([single(1), single(2), group]), new Map([[3, 'eth1']]));
  t.deepEqual(
    objects.get(9)!.nexthops.map(({ weight }) => weight),
    [300, 1],
  );
});

test('an entry of the route cache is no route', (t) => {
  const header = join([Uint8Array.of(2, 8, 0, 0, 254, 4, 0, 1), host.word(0x200)]);
  const bytes = host.message(24, header, [[1, Uint8Array.of(10, 0, 0, 0)]]);
  t.deepEqual(decodeRoutes(bytes, 'ipv4', new Map(), new Map()), []);
});

test('a length that leads nowhere is refused, and the message says where', (t) => {
  const zero = host.link(3, 'eth1');
  new DataView(zero.buffer).setUint32(0, 0, host.littleEndian);
  t.throws(() => [...messages(zero, 'links')], {
    code: 'ERR_KERNEL',
    message: /links is not of its form at byte 0: a message of 0 bytes where \d+ are left/,
  });
  const attribute = host.link(3, 'eth1');
  new DataView(attribute.buffer).setUint16(32, 2, host.littleEndian);
  t.throws(() => decodeLinks(attribute), {
    code: 'ERR_KERNEL',
    message: /an attribute of 2 bytes where \d+ are left/,
  });
});

const lo = host.link(1, 'lo', [inet(host, 0)]);
const replies = (changes: Partial<NetworkReplies>): NetworkReplies => ({
  links: lo,
  addresses: new Uint8Array(0),
  nexthops: new Uint8Array(0),
  qdiscs: new Uint8Array(0),
  routes: { ipv4: new Uint8Array(0), ipv6: new Uint8Array(0) },
  rules: { ipv4: new Uint8Array(0), ipv6: new Uint8Array(0) },
  neighbours: new Uint8Array(0),
  ...changes,
});

test('a kernel without IPv6 has none, and nothing is missing', async (t) => {
  const route = host.message(24, ROUTE_HEADER(host), [
    [1, Uint8Array.of(10, 0, 0, 0)],
    [4, 1],
  ]);
  const network = await decodeNetwork(
    replies({
      // rtnl_dump_all answers for a family that is not there with those that are.
      routes: { ipv4: route, ipv6: route },
      rules: { ipv4: new Uint8Array(0), ipv6: { errno: EAFNOSUPPORT, detail: '' } },
    }),
  );
  t.deepEqual(network.families, { ipv4: true, ipv6: false });
  t.is(network.routes.length, 1);
  t.deepEqual(network.rules, []);
  t.deepEqual(network.missing, []);
});

test('a kernel without policy routing asks local, then main', async (t) => {
  const none = { errno: EOPNOTSUPP, detail: '' };
  const { rules, missing } = await decodeNetwork(replies({ rules: { ipv4: none, ipv6: none } }));
  t.deepEqual(
    rules.map(({ family, table }) => [family, table]),
    [
      ['ipv4', 255],
      ['ipv4', 254],
    ],
  );
  t.deepEqual(missing, []);
});

test('a part that the kernel refuses is missing, with its reason and remedy, and the rest is there', async (t) => {
  const refusal = { errno: 1, detail: 'not for you' };
  const refused = await decodeNetwork(
    replies({ addresses: refusal, routes: { ipv4: refusal, ipv6: new Uint8Array(0) } }),
  );
  t.deepEqual(
    refused.missing.map(({ what }) => what),
    ['interfaces', 'routes'],
  );
  t.regex(refused.missing[0]!.reason, /refused to show the addresses: EPERM \(not for you\)/);
  t.regex(refused.missing[0]!.remedy, /CAP_NET_ADMIN/);
  t.is(refused.interfaces.length, 1);
});

test('bytes that are not of their form make their part missing, not the capture', async (t) => {
  const { missing, interfaces } = await decodeNetwork(
    replies({ rules: { ipv4: Uint8Array.of(1, 2, 3), ipv6: new Uint8Array(0) } }),
  );
  t.deepEqual(
    missing.map(({ what }) => what),
    ['rules'],
  );
  t.is(interfaces.length, 1);
});

test('a route through a nexthop object that was not told is named', async (t) => {
  const route = host.message(24, ROUTE_HEADER(host), [
    [1, Uint8Array.of(10, 0, 0, 0)],
    [30, 44],
  ]);
  const { missing } = await decodeNetwork(
    replies({
      nexthops: { errno: EOPNOTSUPP, detail: '' },
      routes: { ipv4: route, ipv6: new Uint8Array(0) },
    }),
  );
  t.like(missing[0], { what: 'routes' });
  t.regex(missing[0]!.reason, /44/);
});
