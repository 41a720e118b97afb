import { setTimeout } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { capture } from '#earshot/kernel/capture.js';
import { type BindSpec, checkBind } from '#earshot/reach/bind.js';
import { requires } from '../../support/requirements.js';
import { makeNamespaces, type Namespace } from '../namespaces.js';
import { whyNoLab } from '../privilege.js';
import { Random } from '../random/random.js';
import { closeListeners, type ListenerSpec, tryBinds, tryListen } from '../sockets.js';
import { holdBinds } from './hold.js';
import { buildWorld } from './world.js';

const lab = requires({ name: 'a lab', missing: whyNoLab }, 'tool:ip');

const fixed = 4;
const fresh = 4;
const binds = 100;

lab('the kernel takes and refuses 800 random binds as earshot says', async (t) => {
  t.timeout(110_000);
  const first = Math.floor(Math.random() * 1_000_000) + 10_000;
  t.log(`seeds 1 to ${fixed}, and ${first} to ${first + fresh - 1}`);
  const answers = new Map<string, number>();
  let unknown = 0;
  for (let place = 0; place < fixed + fresh; place++) {
    const seed = place < fixed ? place + 1 : first + place - fixed;
    const random = new Random(seed);
    const world = await buildWorld(random);
    try {
      const held = await holdBinds(world, random, binds);
      t.deepEqual(held.disagreements.slice(0, 3), [], `seed ${seed}`);
      for (const [name, count] of held.answers) answers.set(name, (answers.get(name) ?? 0) + count);
      for (const count of held.unknown.values()) unknown += count;
    } finally {
      world.close();
    }
  }
  t.log(Object.fromEntries([...answers].sort()), `${unknown} left unknown`);
  t.true(unknown < (fixed + fresh) * binds * 0.1, `${unknown} are left unknown`);
  // A kernel that says the same to everything would be no witness.
  for (const name of ['ok', 'EACCES', 'EADDRINUSE', 'EADDRNOTAVAIL', 'EINVAL'])
    t.true((answers.get(name) ?? 0) > 5, name);
});

async function inNamespace(
  t: ExecutionContext,
  lines: string[],
  sockets: ListenerSpec[] = [],
): Promise<Namespace> {
  const [namespace] = makeNamespaces(['bind']) as [Namespace];
  t.teardown(() => namespace.close());
  await namespace.ip(lines);
  const opened = tryListen(namespace, sockets).map((one) => {
    if (one instanceof Error) throw one;
    return one;
  });
  t.teardown(() => closeListeners(opened));
  return namespace;
}

/** What the kernel says, and what earshot says of the same moment. */
async function ask(namespace: Namespace, bind: BindSpec) {
  const state = await capture({ netns: namespace.path });
  const { protocol, address, port, boundInterface: device, ...options } = bind;
  const trial = { protocol, address, port, ...(device ? { device } : {}), ...options };
  const [kernel] = tryBinds(namespace, [trial]);
  return { kernel, check: checkBind(state, bind) };
}

lab('a namespace that never had an IPv4 address lets every address be bound', async (t) => {
  const namespace = await inNamespace(t, []);
  const bind = { protocol: 'tcp', address: '10.9.9.9', port: 80 } as const;
  const { kernel, check } = await ask(namespace, bind);
  t.is(kernel, null);
  t.regex(check.unknown?.what ?? '', /lets every address be bound/);
});

lab('one that had an address does not', async (t) => {
  const namespace = await inNamespace(t, ['link set lo up']);
  const bind = { protocol: 'tcp', address: '10.9.9.9', port: 80 } as const;
  const { kernel, check } = await ask(namespace, bind);
  t.is(kernel, 'EADDRNOTAVAIL');
  t.is(check.error, 'EADDRNOTAVAIL');
});

lab('an address that another host has cannot be bound', async (t) => {
  const namespace = await inNamespace(t, [
    'link set lo up',
    'link add e0 type veth peer name f0',
    'link set e0 up',
    'link set f0 up',
    'address add fd00::1/64 dev f0 nodad',
  ]);
  await namespace.settle();
  const on = { accept_dad: 1, dad_transmits: 1 };
  for (const [name, value] of Object.entries(on))
    namespace.sysctl({ [`net.ipv6.conf.e0.${name}`]: value });
  await namespace.ip(['address add fd00::1/64 dev e0']);
  await setTimeout(1500);
  const flags = (await capture({ netns: namespace.path })).interfaces
    .find(({ name }) => name === 'e0')
    ?.addresses.find(({ address }) => address === 'fd00::1')?.flags;
  t.true(flags?.includes('dadfailed'), `${flags}`);
  await namespace.ip(['address del fd00::1/64 dev f0']);
  const bind = { protocol: 'udp', address: 'fd00::1', port: 53 } as const;
  const { kernel, check } = await ask(namespace, bind);
  t.is(kernel, 'EADDRNOTAVAIL');
  t.is(check.error, 'EADDRNOTAVAIL');
  t.regex(check.explanation, /failed duplicate address detection/);
});

lab('an address stays where it was when its interface goes down, if it is kept', async (t) => {
  const namespace = await inNamespace(t, [
    'link set lo up',
    'link add e0 type veth peer name f0',
    'link set f0 up',
  ]);
  namespace.sysctl({ 'net.ipv6.conf.e0.keep_addr_on_down': 1 });
  await namespace.ip([
    'link set e0 up',
    'address add fd00::1/64 dev e0 nodad',
    'address add 10.0.0.1/24 dev e0',
    'link set e0 down',
  ]);
  for (const address of ['fd00::1', '10.0.0.1']) {
    const { kernel, check } = await ask(namespace, { protocol: 'tcp', address, port: 80 });
    t.is<string | null | undefined, string | null | undefined>(check.error, kernel, address);
  }
});

lab('SO_REUSEPORT of this process is told, and lets one user share a port', async (t) => {
  const there = { protocol: 'tcp', address: '::', port: 80, reusePort: true } as const;
  const namespace = await inNamespace(t, ['link set lo up'], [there]);
  const shared = await ask(namespace, { ...there });
  t.deepEqual([shared.kernel, shared.check.ok], [null, true]);
  const other = await ask(namespace, { ...there, uid: 1000, privileged: true });
  t.deepEqual([other.kernel, other.check.error], ['EADDRINUSE', 'EADDRINUSE']);
  t.is(other.check.conflicts[0]?.local.port, 80);
});
