// How many flows a second `trace` answers on one core, for a host with 20 interfaces, 1,000 routes
// and 500 listeners: IPv4 and IPv6, TCP and UDP, reached and not, every flow from another peer. And
// what `exposure` costs on a laptop. Beside them JSON.parse, so that machines can be compared.
// Usage: npm run bench:trace [-- ROUNDS]
import { existsSync } from 'node:fs';
import { device, hostState, listener, ownRoutes, route } from './host.mjs';
import { laptop } from './scenes.mjs';

/** @typedef {import('../../lib/reach/index.js').HostState} HostState */
/** @typedef {import('../../lib/reach/index.js').Flow} Flow */

const reach = new URL('../../dist/reach/index.js', import.meta.url);
if (!existsSync(reach)) {
  console.error(`${reach.pathname} is not there: run 'npm run build' first`);
  process.exit(2);
}
/** @type {typeof import('../../lib/reach/index.js')} */
const { exposure, trace } = await import(reach.href);

const rounds = Number(process.argv[2] ?? 100);
if (!Number.isInteger(rounds) || rounds < 10) {
  console.error(`'${process.argv[2]}' is not a number of rounds: give a whole number from 10`);
  process.exit(2);
}

/** Numbers from 0 up to, not including, 1, the same in every run (a linear congruential generator). */
let seed = 1;
const random = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 0x100000000;
};
/** @param {number} below */
const below = (below) => Math.floor(random() * below);

/** A router: 20 interfaces, 1,000 routes, 500 listeners on all kinds of addresses. */
function largeHost() {
  const interfaces = [device('lo', 1, ['127.0.0.1/8', '::1/128'])];
  for (let index = 2; index <= 20; index++)
    interfaces.push(
      device(`eth${index}`, index, [`10.${index}.0.1/16`, `2001:db8:${index}::1/48`]),
    );
  const routes = ownRoutes(interfaces);
  routes.push(route({ destination: '0.0.0.0/0', interface: 'eth2', gateway: '10.2.0.254' }));
  routes.push(route({ destination: '::/0', interface: 'eth2', gateway: '2001:db8:2::fe' }));
  for (let count = 0; routes.length < 1000; count++) {
    const index = 3 + (count % 18);
    const ipv4 = count % 2 === 0;
    routes.push(
      route({
        destination: ipv4
          ? `172.${16 + (count & 15)}.${(count >> 4) & 255}.0/24`
          : `fd00:${count.toString(16)}::/32`,
        interface: `eth${index}`,
        gateway: ipv4 ? `10.${index}.0.254` : `2001:db8:${index}::fe`,
      }),
    );
  }
  const addresses = ['0.0.0.0', '::', '::', '0.0.0.0', '::', '10.3.0.1', '127.0.0.1'];
  const sockets = Array.from({ length: 500 }, (_, count) => {
    const address = addresses[count % addresses.length] ?? '::';
    return listener(count % 3 === 0 ? 'udp' : 'tcp', address, 1000 + count);
  });
  return hostState(interfaces, routes, sockets);
}

/**
 * Flows each from a peer of its own: three of five to a socket of the host, by an address that it
 * stands on or by another; the rest to ports and addresses where nothing is.
 * @param {number} count
 * @returns {Flow[]}
 */
function makeFlows(count) {
  return Array.from({ length: count }, () => {
    const port = 1000 + below(500);
    const toSocket = random() < 0.6;
    const udp = toSocket ? (port - 1000) % 3 === 0 : random() < 0.5;
    const index = 2 + below(19);
    const ipv4 = random() < 0.5;
    const kind = random();
    const asked = kind < 0.1 ? 250 : 1;
    const own = ipv4 ? `10.${index}.0.${asked}` : `2001:db8:${index}::${asked}`;
    const fromHere = random() < 0.1;
    return {
      protocol: udp ? 'udp' : 'tcp',
      ingress: fromHere ? 'lo' : `eth${index}`,
      ...(fromHere ? {} : { source: { address: peer(index, ipv4), port: 40000 + below(20000) } }),
      destination: {
        address: ipv4 && kind > 0.98 ? '127.0.0.1' : own,
        port: toSocket ? port : port + 1000,
      },
    };
  });
}

/**
 * On the link of an interface, or behind a router.
 * @param {number} index
 * @param {boolean} ipv4
 */
function peer(index, ipv4) {
  const far = random() < 0.5;
  if (ipv4)
    return `${far ? `172.${16 + below(16)}` : `10.${index}`}.${below(256)}.${2 + below(252)}`;
  const hex = (/** @type {number} */ limit) => below(limit).toString(16);
  return `${far ? `fd00:${hex(0x400)}` : `2001:db8:${index}`}::${hex(0x10000)}:${hex(0x10000)}`;
}

const laptopState = laptop();
const host = largeHost();
const flows = makeFlows(20_000);
/** @type {Map<string, number>} */
const outcomes = new Map();
for (const flow of flows) {
  const { outcome, cause } = trace(host, flow);
  const name = cause?.code ?? outcome;
  outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
}
/** @type {Flow} */
const anyFlow = { protocol: 'tcp', ingress: 'lo', destination: { address: '::1', port: 1000 } };
const text = JSON.stringify(trace(host, flows[0] ?? anyFlow));
console.log(
  `${host.interfaces.length} interfaces, ${host.routes.length} routes, ${host.sockets.length} sockets, ${flows.length} flows:`,
);
console.log(
  [...outcomes]
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `  ${((count / flows.length) * 100).toFixed(1).padStart(5)} % ${name}`)
    .join('\n'),
);
/**
 * The value that so large a share of a list is not above.
 * @param {number[]} list
 * @param {number} share
 */
const quantile = (list, share) =>
  [...list].sort((one, other) => one - other)[Math.floor((list.length - 1) * share)] ?? 0;

/**
 * How many a second of one core: processor time of this process, which does not count what others use.
 * @param {number} count
 * @param {(count: number) => void} run
 */
function rateOf(count, run) {
  const before = process.cpuUsage();
  run(count);
  const { user, system } = process.cpuUsage(before);
  return (count / (user + system)) * 1e6;
}

const show = (/** @type {number} */ rate) => Math.round(rate).toLocaleString('en').padStart(12);

/**
 * Measures by turns with JSON.parse, so that a machine that is slower for a while is so for both.
 * @param {string} name
 * @param {number} count how many a turn does
 * @param {(count: number) => void} run
 */
function measure(name, count, run) {
  /** @type {number[]} */
  const rates = [];
  /** @type {number[]} */
  const shares = [];
  for (let round = -20; round < rounds; round++) {
    const reference = rateOf(4000, parse);
    const rate = rateOf(count, run);
    if (round < 0) continue; // warms up
    rates.push(rate);
    shares.push(rate / reference);
  }
  console.log(
    `${name.padEnd(40)}${show(quantile(rates, 0.5))}${show(quantile(rates, 0.9))}${quantile(shares, 0.5).toFixed(4).padStart(10)}`,
  );
}

/** @param {number} count */
function parse(count) {
  for (let done = 0; done < count; done++) JSON.parse(text);
}

console.log(
  `${'a second of one core'.padEnd(40)}${'median'.padStart(12)}${'best tenth'.padStart(12)}${'of JSON'.padStart(10)}`,
);
measure(`JSON.parse of a verdict, ${text.length} bytes`, 4000, parse);
let place = 0;
measure('trace()', 4000, (count) => {
  for (let done = 0; done < count; done++) trace(host, flows[place++ % flows.length] ?? anyFlow);
});
// A copy each time: what is learnt of a state is kept with it.
measure('exposure() of a laptop, 25 listeners', 1, () => exposure(structuredClone(laptopState)));
