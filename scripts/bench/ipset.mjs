// What `-m set` costs with a hash:net of so many entries, in legacy tables and in nftables: reading it,
// beside ipset(8), and asking how a packet fares, with the rule and without it. As root, in a network
// namespace of its own.
// Usage: npm run bench:ipset [-- ENTRIES ROUNDS]
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { insideNamespace, median, refuse, shown, timeEach } from './measure.mjs';

/** @typedef {import('../../lib/reach/index.js').Flow} Flow */

const [entries = 100_000, rounds = 9] = process.argv.slice(2).map(Number);
for (const [name, number] of /** @type {[string, number][]} */ ([
  ['entries', entries],
  ['rounds', rounds],
])) {
  if (Number.isInteger(number) && number >= 1 && number <= 4_000_000) continue;
  refuse(`${number} is not a number of ${name}: give a whole number from 1 to 4000000`);
}
if (process.getuid?.() !== 0) refuse('rules are loaded in a namespace made for it: run as root');
const library = new URL('../../dist/index.js', import.meta.url);
if (!existsSync(library)) refuse(`${library.pathname} is not there: run 'npm run build' first`);

insideNamespace();

/** @type {typeof import('../../lib/index.js')} */
const { capture, trace } = await import(library.href);

/** @param {string} command @param {string} [input] */
function run(command, input) {
  const [program = '', ...words] = command.split(' ');
  return execFileSync(program, words, {
    maxBuffer: 2 ** 30,
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(input === undefined ? {} : { input }),
  });
}

/** @param {number} number of /20 to /27 prefixes side by side in 16 to 79 */
const net = (number) => {
  const first = (0x10000000 + number * 0x1000) >>> 0;
  const bytes = [first >>> 24, (first >>> 16) & 255, (first >>> 8) & 255, 0];
  return `${bytes.join('.')}/${20 + (number % 8)}`;
};

for (const line of [
  'link set lo up',
  'link add eth0 type veth peer name eth1',
  'addr add 192.0.2.1/24 dev eth0',
  'link set eth0 up',
  'link set eth1 up',
  'route add default via 192.0.2.254',
])
  run(`ip ${line}`);
const server = createServer().listen(40_000, '0.0.0.0');
await new Promise((listening) => server.once('listening', listening));

/** Half of the peers are in the set. @type {Flow[]} */
const flows = Array.from({ length: 1000 }, (_, number) => {
  const within = net((number * 7919) % entries).replace(/0\/\d+$/, '1');
  return {
    protocol: 'tcp',
    ingress: 'eth0',
    source: { address: number % 2 === 0 ? within : `198.51.${number % 100}.${number % 250}` },
    destination: { address: '192.0.2.1', port: 40_000 },
  };
});

const plain = await capture();
const bare = timeEach(flows, rounds, (flow) => trace(plain, flow));
console.log(
  `a hash:net of ${shown(entries, 0)} entries; ${shown(flows.length, 0)} peers, ${rounds} rounds`,
);
console.log(`trace() without a firewall  ${shown(median(bare))} µs at the median`);

const lines = Array.from({ length: entries }, (_, number) => `add blocked ${net(number)}`);
run(
  'ipset restore',
  `create blocked hash:net maxelem ${entries} hashsize ${entries}\n${lines.join('\n')}\n`,
);
for (const backend of ['legacy', 'nft']) {
  const rule = 'INPUT -p tcp -m set --match-set blocked src -j DROP';
  run(`iptables-${backend} -A ${rule}`);
  /** @type {number[]} */
  const captures = [];
  /** @type {number[]} */
  const listings = [];
  for (let round = 0; round < rounds; round++) {
    let began = performance.now();
    run('ipset save');
    listings.push(performance.now() - began);
    began = performance.now();
    await capture();
    captures.push(performance.now() - began);
  }
  const state = await capture();
  const began = performance.now();
  trace(state, /** @type {Flow} */ (flows[0]));
  const first = performance.now() - began;
  const outcomes = flows.map((flow) => trace(state, flow).outcome);
  const stopped = outcomes.filter((outcome) => outcome === 'unreachable').length;
  if (stopped !== flows.length / 2) refuse(`${stopped} of ${flows.length} peers are stopped`);
  const times = timeEach(flows, rounds, (flow) => trace(state, flow));
  const costs = median(times) - median(bare);
  console.log(
    `iptables-${backend.padEnd(7)} trace() ${shown(median(times))} µs, ${shown(costs)} µs more than without; the first, which sorts the set, ${shown(first, 0)} ms; capture() ${shown(median(captures), 0)} ms, ipset save ${shown(median(listings), 0)} ms`,
  );
  run(`iptables-${backend} -D ${rule}`);
}
server.close();
