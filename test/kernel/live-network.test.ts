import { spawn } from 'node:child_process';
import { interfaces } from '#earshot/index.js';
import { readNetwork } from '#earshot/kernel/network.js';
import { requires } from '../support/requirements.js';
import {
  addressesAsWords,
  addressesOfIp,
  linksAsWords,
  linksOfIp,
  routesAsWords,
  routesOfIp,
  rulesOfIp,
} from './support/iproute.js';
import { type Namespace, namespaceFor } from './support/namespace.js';
import { attachXdp, buildRichNetwork } from './support/rich-network.js';

const live = requires('root', 'tool:ip', 'tool:tc', 'tool:sysctl', 'tool:python3');

live('this kernel, asked by earshot and by ip(8), says the same of a rich network', async (t) => {
  const here = namespaceFor(t);
  const neighbour = namespaceFor(t);
  buildRichNetwork(here, neighbour);
  attachXdp(here, 'mv0');
  await quiet(here);
  const network = await readNetwork(here.path);
  t.deepEqual(network.missing, []);
  t.deepEqual(network.families, { ipv4: true, ipv6: true });
  t.deepEqual(
    linksAsWords(network.interfaces),
    linksOfIp(here.json('ip', '-j', '-d', 'link', 'show')),
  );
  t.deepEqual(
    addressesAsWords(network.interfaces),
    addressesOfIp(here.json('ip', '-j', '-d', 'address', 'show')),
  );
  for (const [family, option] of [
    ['ipv4', '-4'],
    ['ipv6', '-6'],
  ] as const) {
    const ofFamily = <Entry extends { family: string }>(entries: Entry[]): Entry[] =>
      entries.filter((entry) => entry.family === family);
    const ip = (...args: string[]): object[] => here.json('ip', '-j', '-N', '-d', option, ...args);
    t.deepEqual(
      routesAsWords(ofFamily(network.routes)),
      routesOfIp(ip('route', 'show', 'table', 'all'), family),
    );
    t.deepEqual(ofFamily(network.rules), rulesOfIp(ip('rule', 'show'), family));
  }
  t.deepEqual(
    network.interfaces.flatMap(({ name, tcIngress, tcEgress }) => [
      ...(tcIngress ? [`${name} in`] : []),
      ...(tcEgress ? [`${name} out`] : []),
    ]),
    ['lan0 in', 'pair0 out'],
  );
  t.deepEqual(await interfaces({ netns: here.path }), network.interfaces);
});

live(
  'routes through nexthop objects are resolved also where only the object is told',
  async (t) => {
    const here = namespaceFor(t);
    buildRichNetwork(here, namespaceFor(t));
    await quiet(here);
    const told = await readNetwork(here.path);
    here.set('net.ipv4.nexthop_compat_mode', 0);
    const resolved = await readNetwork(here.path);
    const throughObjects = resolved.routes.filter(({ nexthopId }) => nexthopId !== null);
    t.is(throughObjects.length, 8);
    t.deepEqual(resolved.routes, told.routes);
  },
);

live('a namespace whose lo is down has one interface, no address and no route', async (t) => {
  const { path } = namespaceFor(t);
  const { interfaces, routes, rules, missing } = await readNetwork(path);
  t.deepEqual(
    interfaces.map(({ name, up, addresses }) => ({ name, up, addresses })),
    [{ name: 'lo', up: false, addresses: [] }],
  );
  t.deepEqual(routes, []);
  t.is(rules.filter(({ family }) => family === 'ipv4').length, 3);
  t.deepEqual(missing, []);
});

live('an interface where IPv6 is off keeps its IPv6 settings, and they say so', async (t) => {
  const here = namespaceFor(t);
  here.set('net.ipv6.conf.all.disable_ipv6', 1);
  here.ip('link set lo up');
  const { interfaces, families } = await readNetwork(here.path);
  t.is(interfaces[0]!.ipv6?.disable_ipv6, 1);
  t.deepEqual(
    interfaces[0]!.addresses.map(({ address }) => address),
    ['127.0.0.1'],
  );
  t.true(families.ipv6);
});

live('a network that never rests is read, and the capture says that it changed', async (t) => {
  const here = namespaceFor(t);
  here.ip('link set lo up');
  const script =
    "yes 'address add 10.9.9.9/32 dev lo\naddress del 10.9.9.9/32 dev lo' | ip -batch -";
  const busy = spawn('ip', ['netns', 'exec', here.name, 'sh', '-c', script], { detached: true });
  try {
    // Whether a change falls into all three reads is chance: ask until it did.
    for (let tried = 0; ; tried++) {
      const { missing, interfaces } = await readNetwork(here.path);
      t.is(interfaces[0]!.name, 'lo');
      if (missing.some(({ what }) => what === 'consistency')) break;
      if (tried === 1000) return t.fail('no read of 1000 was disturbed three times');
    }
  } finally {
    process.kill(-busy.pid!, 'SIGKILL');
  }
  return t.pass();
});

/** Waits until addresses have settled: duplicate detection is over, or cannot begin. */
async function quiet(here: Namespace): Promise<void> {
  let before = '';
  for (let tried = 0; tried < 50; tried++) {
    const now =
      `${here.run('ip', '-o', 'address')}${here.run('ip', '-6', 'route', 'show', 'table', 'all')}`.replaceAll(
        /\d+sec/g,
        '',
      );
    const waits = now
      .split('\n')
      .some((line) => line.includes('tentative') && !/tap0|dadfailed/.test(line));
    if (now === before && !waits) return;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
