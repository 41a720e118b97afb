import type { ExecutionContext } from 'ava';
import { capture } from '#earshot/kernel/capture.js';
import { parseAddress } from '#earshot/model/address.js';
import { Host } from '#earshot/reach/host.js';
import { keyTo } from '#earshot/reach/policy.js';
import { trace } from '#earshot/reach/trace.js';
import { labTest } from '../lab-test.js';
import { makeNamespaces, type Namespace } from '../namespaces.js';

/*
 * An IPv6 nexthop object keeps one result for each processor, for all the routes by it. What one of
 * them is found to be hangs on which was looked up there first.
 */

const test = labTest(['taskset']);
const filtered = labTest(['nft']);

const near = '2001:db8:1::5';
const far = '3000::5';

/** A host with two IPv6 routes by one nexthop object, one to each address. */
async function withRoutes<Result>(
  lines: readonly string[],
  ask: (host: Namespace) => Promise<Result>,
): Promise<Result> {
  const [namespace] = makeNamespaces(['shared']) as [Namespace];
  try {
    await namespace.ip([
      'link set lo up',
      'link add e0 type veth peer name f0',
      'link set e0 up',
      'link set f0 up',
      'address add 2001:db8::a/64 dev e0 nodad',
      'address add 2001:db8::b/64 dev e0 nodad',
      'nexthop add id 23 via 2001:db8::2 dev e0',
    ]);
    await namespace.ip(lines.map((line) => `-6 ${line}`));
    return await ask(namespace);
  } finally {
    namespace.close();
  }
}

/** What ip(8) is told on one processor, of one destination after the other, about the last. */
function told(lines: readonly string[], destinations: readonly string[]): Promise<string> {
  const asked = destinations.map((to) => `ip -6 route get ${to} 2>&1`).join('; ');
  const first = "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')";
  return withRoutes(lines, async (host) => {
    const text = await host.run([
      'sh',
      '-c',
      `taskset -cp ${first} $$ > /dev/null; ${asked}; true`,
    ]);
    return text.trim().split('\n').at(-1)!;
  });
}

/** The kernel's answers about the far address: alone, and after the near one was asked for. */
async function answers(t: ExecutionContext, lines: readonly string[]): Promise<[string, string]> {
  const alone = await told(lines, [far]);
  const after = await told(lines, [near, far]);
  t.log(alone);
  t.log(after);
  return [alone, after];
}

function lookUp(lines: readonly string[], to: string) {
  return withRoutes(lines, async (host) => {
    const { policy } = new Host(await capture({ netns: host.path, owners: false }));
    const answer = policy.ipv6.lookup(keyTo(parseAddress(to)!));
    const sources = answer.kind === 'found' ? policy.ipv6.preferredSources(answer.found) : [];
    return { kind: answer.kind, what: 'what' in answer ? answer.what : null, sources };
  });
}

test('suppress_prefixlength compares the prefix of the route that was looked up first', async (t) => {
  const lines = [
    'route add 2001:db8:1::/48 nhid 23',
    'route add 3000::/4 nhid 23',
    'rule add pref 60 lookup main suppress_prefixlength 24',
    'rule del pref 32766',
  ];
  const [alone, after] = await answers(t, lines);
  t.regex(alone, /unreachable/);
  t.regex(after, /via 2001:db8::2 dev e0/);
  const { kind, what } = await lookUp(lines, far);
  t.is(kind, 'unknown');
  t.regex(what ?? '', /nexthop object 23/);
});

test('where all routes by the object are long enough, or none is, nothing is unknown', async (t) => {
  const lines = (length: number) => [
    'route add 2001:db8:1::/48 nhid 23',
    'route add 3000::/4 nhid 23',
    `rule add pref 60 lookup main suppress_prefixlength ${length}`,
    'rule del pref 32766',
  ];
  t.is((await lookUp(lines(3), far)).kind, 'found');
  t.is((await lookUp(lines(48), near)).kind, 'refused');
  t.regex(await told(lines(3), [near, far]), /via 2001:db8::2/);
  t.regex(await told(lines(48), [far, near]), /unreachable/);
});

test('a local route and one that leads on are taken for each other', async (t) => {
  const lines = [
    'nexthop add id 24 dev e0',
    'route add local 2001:db8:1::/48 nhid 24 table local',
    'route add 3000::/4 nhid 24',
  ];
  const [alone, after] = await answers(t, lines);
  t.regex(alone, /dev e0/);
  t.regex(after, /^local .* dev lo/);
  t.is((await lookUp(lines, far)).kind, 'unknown');
  t.is((await lookUp(lines, near)).kind, 'unknown');
});

test('the source is the one preferred by the route that was looked up first', async (t) => {
  const lines = [
    'route add 2001:db8:1::/48 nhid 23 src 2001:db8::a',
    'route add 3000::/4 nhid 23 src 2001:db8::b',
  ];
  const [alone, after] = await answers(t, lines);
  t.regex(alone, /src 2001:db8::b/);
  t.regex(after, /src 2001:db8::a/);
  const { kind, sources } = await lookUp(lines, far);
  t.is(kind, 'found');
  t.deepEqual([...sources].sort(), ['2001:db8::a', '2001:db8::b']);
});

filtered(
  'what a rule on the source lets out is unknown where either source may be chosen',
  async (t) => {
    const lines = [
      'route add 2001:db8:1::/48 nhid 23 src 2001:db8::a',
      'route add 3000::/4 nhid 23 src 2001:db8::b',
    ];
    const sent = (...sources: string[]) =>
      withRoutes(lines, async (host) => {
        const rules = sources.map((source) => `ip6 saddr ${source} drop`).join('; ');
        await host.run([
          'nft',
          `add table ip6 t; add chain ip6 t out { type filter hook output priority 0; }`,
        ]);
        await host.run([
          'nft',
          `add rule ip6 t out ${rules.replace('; ', '; add rule ip6 t out ')}`,
        ]);
        const state = await capture({ netns: host.path, owners: false });
        const flow = {
          protocol: 'tcp',
          ingress: 'lo',
          destination: { address: far, port: 80 },
        } as const;
        return trace(state, flow);
      });
    t.is((await sent('2001:db8::a', '2001:db8::b')).cause?.code, 'rule-drop');
    const either = await sent('2001:db8::a');
    t.is(either.outcome, 'unknown');
    t.regex(either.explanation, /nexthop object 23/);
  },
);
