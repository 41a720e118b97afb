// What nftables costs: reading a rule set of so many rules and a set of so many intervals, and asking
// how a packet fares in it. Beside the capture, taking turns with it, the bare dump of the set, which
// is received and thrown away, and nft(8); beside the trace, JSON.parse. As root, in a network
// namespace of its own.
// Usage: npm run bench:nftables [-- RULES ELEMENTS ROUNDS]
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { insideNamespace, median, refuse, shown, timeEach } from './measure.mjs';

/** @typedef {import('../../lib/reach/index.js').Flow} Flow */
/** @typedef {import('../../lib/reach/index.js').HostState} HostState */

const NFT = '/usr/sbin/nft';

const [rules = 1000, elements = 50_000, rounds = 9] = process.argv.slice(2).map(Number);
for (const [name, number, least] of /** @type {[string, number, number][]} */ ([
  ['rules', rules, 0],
  ['elements', elements, 0],
  ['rounds', rounds, 1],
])) {
  if (Number.isInteger(number) && number >= least) continue;
  refuse(`${number} is not a number of ${name}: give a whole number from ${least}`);
}
if (process.getuid?.() !== 0) refuse('rules are loaded in a namespace made for it: run as root');
if (!existsSync(NFT)) refuse(`${NFT} is not there: apt-get install nftables`);
const library = new URL('../../dist/', import.meta.url);
if (!existsSync(library)) refuse(`${library.pathname} is not there: run 'npm run build' first`);

insideNamespace(['--expose-gc']);

/** @type {typeof import('../../lib/index.js')} */
const { capture, trace } = await import(new URL('index.js', library).href);
/** @type {typeof import('../../lib/native.js')} */
const { native } = await import(new URL('native.js', library).href);
/** @type {typeof import('../../lib/kernel/nftables/sets.js')} */
const { elementsRequest } = await import(new URL('kernel/nftables/sets.js', library).href);

/** @param {number} number */
const ipv4 = (number) =>
  [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255].join('.');

/** A host's rules: a block list, connections that stand, and rules for peers, ports and interfaces. */
function* ruleSet() {
  yield 'table inet filter {\n';
  yield ' set blocked {\n type ipv4_addr; flags interval;\n';
  if (elements > 0) {
    yield 'elements = {';
    for (let number = 0; number < elements; number++) {
      const first = 0x0b000000 + number * 1024;
      yield `${number === 0 ? '' : ','}${number % 2 === 0 ? `${ipv4(first)}/24` : `${ipv4(first)}-${ipv4(first + 99)}`}`;
    }
    yield '}\n';
  }
  yield ' }\n chain input {\n type filter hook input priority filter; policy drop;\n';
  yield ' ct state established,related accept\n ip saddr @blocked drop\n';
  for (let number = 0; number < rules - 3; number++) {
    const low = number & 255;
    const high = (number >> 8) & 255;
    const port = 1024 + (number % 30_000);
    switch (number % 5) {
      case 0:
        yield ` ip saddr 10.${high}.${low}.0/24 tcp dport ${port} counter accept\n`;
        break;
      case 1:
        yield ` tcp dport ${port} ip saddr 192.168.${low}.${high} counter drop\n`;
        break;
      case 2:
        // The kernel goes through all sets of a table for each that it is asked for.
        yield number < 1000
          ? ` udp dport { ${port}, ${port + 10} } counter accept\n`
          : ` udp dport ${port} counter accept\n`;
        break;
      case 3:
        yield ` iifname "eth${number}" ip saddr 172.16.${low}.${high} accept\n`;
        break;
      default:
        yield ` ip6 saddr fd00:${number.toString(16)}::/64 tcp dport ${port}-${port + 3} accept\n`;
    }
  }
  yield ' tcp dport 40000 accept\n }\n}\n';
}

/** @param {string} file @param {string[]} parameters */
const run = (file, parameters) =>
  execFileSync(file, parameters, { maxBuffer: 2 ** 30, stdio: ['ignore', 'pipe', 'inherit'] });

/** Milliseconds on the clock, and of processors. @param {() => unknown} work */
async function timed(work) {
  const began = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wall: performance.now() - began, user: user / 1000, system: system / 1000 };
}

for (const words of [
  'link set lo up',
  'link add eth0 type veth peer name eth1',
  'addr add 192.0.2.1/24 dev eth0',
  'link set eth0 up',
  'link set eth1 up',
  'route add default via 192.0.2.254',
])
  run('ip', words.split(' '));
execFileSync(NFT, ['-f', '-'], { input: [...ruleSet()].join('') });

const server = createServer().listen(40_000, '0.0.0.0');
await new Promise((listening) => server.once('listening', listening));

/** As capture() asks for the set, without a look at the answer. */
const bareDump = () =>
  native.netlink({
    protocol: 12,
    requests: [elementsRequest({ family: 'inet', table: 'filter', name: 'blocked' })],
    watchGroups: [],
    netns: null,
  });

/** @type {[string, () => unknown][]} */
const readers = [
  ['nft list ruleset', () => run(NFT, ['list', 'ruleset'])],
  ['nft -j list ruleset', () => run(NFT, ['-j', 'list', 'ruleset'])],
  ['the bare dump of the set', bareDump],
  ['capture()', () => capture()],
];
const used = process.memoryUsage().rss;
/** @type {{ wall: number, user: number, system: number }[][]} */
const times = readers.map(() => []);
const first = await timed(() => capture());
const peak = process.resourceUsage().maxRSS * 1024;
for (let round = 0; round < rounds; round++) {
  for (const [number, [, read]] of readers.entries()) times[number]?.push(await timed(read));
}
const state = await capture();
server.close();
globalThis.gc?.();

console.log(
  `${shown(rules, 0)} rules, a set of ${shown(elements, 0)} intervals, ${rounds} rounds by turns`,
);
console.log(
  `${'reading, ms'.padEnd(30)}${'median'.padStart(10)}${'best'.padStart(10)}${'user'.padStart(10)}${'system'.padStart(10)}${'of the dump'.padStart(14)}`,
);
const dump = median((times[2] ?? []).map(({ wall }) => wall));
for (const [number, [name]] of readers.entries()) {
  const walls = (times[number] ?? []).map(({ wall }) => wall);
  // What a program of its own takes of the processors is not counted.
  const spent = (/** @type {'user' | 'system'} */ kind) =>
    number < 2 ? '' : shown(median((times[number] ?? []).map((one) => one[kind])), 1);
  console.log(
    `${name.padEnd(30)}${shown(median(walls), 1).padStart(10)}${shown(Math.min(...walls), 1).padStart(10)}${spent('user').padStart(10)}${spent('system').padStart(10)}${shown(median(walls) / dump, 2).padStart(14)}`,
  );
}
const megabytes = (/** @type {number} */ bytes) => `${shown(bytes / 2 ** 20, 0)} MiB`;
console.log(
  `the first capture() ${shown(first.wall, 0)} ms; memory ${megabytes(used)} before, ${megabytes(peak)} at its peak; as JSON ${megabytes(JSON.stringify(state).length)}`,
);

/** Flows from peers that rules name and from others, to the port that is open and to closed ones. */
const flows = Array.from({ length: 1000 }, (_, number) => {
  const low = number & 255;
  const peers = [
    `192.0.2.${2 + (number % 250)}`,
    `10.${(number >> 8) & 255}.${low}.9`,
    `11.${low}.${number % 7}.3`,
    `192.168.${low}.0`,
  ];
  return /** @type {Flow} */ ({
    protocol: number % 10 === 9 ? 'udp' : 'tcp',
    ingress: 'eth0',
    source: { address: peers[number % 4], port: 40_000 + number },
    destination: { address: '192.0.2.1', port: number % 3 === 0 ? 1024 + number : 40_000 },
  });
});
const anyFlow = /** @type {Flow} */ (flows[0]);
const began = performance.now();
const verdict = JSON.stringify(trace(state, anyFlow));
const firstTrace = performance.now() - began;
/** @type {Map<string, number>} */
const outcomes = new Map();
for (const flow of flows) {
  const { outcome, stage } = trace(state, flow);
  const name = `${outcome} at ${stage}`;
  outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
}

const traced = timeEach(flows, rounds, (flow) => trace(state, flow));
const parsed = timeEach(flows, rounds, () => JSON.parse(verdict));
console.log(
  `${shown(flows.length, 0)} flows: ${[...outcomes].map(([name, count]) => `${count} ${name}`).join(', ')}`,
);
console.log(
  `trace() ${shown(median(traced), 1)} µs at the median, ${shown(median(traced) / median(parsed), 2)} of JSON.parse of a verdict (${shown(median(parsed), 1)} µs); the first, which prepares the rules, ${shown(firstTrace, 0)} ms`,
);
