import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import type { Log } from 'sarif';
import { audit as auditOf, type Finding } from '#earshot/cli/audit/findings.js';
import { type Policy, parsePolicy, policyJsonSchema } from '#earshot/cli/audit/policy.js';
import { policyOf } from '#earshot/cli/audit/write.js';
import { formatAddress, parseAddress, parsePrefix, prefixHolds } from '#earshot/model/address.js';
import type { HostState } from '#earshot/model/host-state.js';
import { addressFromNumber, prefixRange } from '#earshot/model/prefix-set.js';
import { parseState } from '#earshot/model/state-check.js';
import { exposure } from '#earshot/reach/exposure.js';
import { trace } from '#earshot/reach/trace.js';
import { answer } from './answer.js';

/* `earshot audit`: what is, held against what may be; on hosts that were recorded with their firewalls. */

const fixtures = new URL('../../../test/fixtures/firewalls/', import.meta.url);
const recorded = (name: string): HostState => {
  const text = readFileSync(new URL(`${name}.json`, fixtures), 'utf8');
  return parseState(JSON.stringify((JSON.parse(text) as { state: unknown }).state));
};
const hosts = [
  'ufw-nft',
  'firewalld-legacy',
  'fail2ban-nft',
  'tailscale-legacy',
  'libvirt-nft',
].map((name) => {
  const state = recorded(name);
  return { name, state, exposures: exposure(state) };
});
const [ufw] = hosts as [(typeof hosts)[0], ...typeof hosts];

const directory = mkdtempSync(join(tmpdir(), 'earshot-audit-'));
test.after.always(() => rmSync(directory, { recursive: true }));

const earshot = (argv: readonly string[], input = '', state: HostState = ufw.state) =>
  answer(['audit', ...argv], { capture: async () => state }, input);

function file(name: string, value: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

for (const { name, state, exposures } of hosts) {
  test(`${name}: the policy that says what is, is kept`, (t) => {
    const policy = parsePolicy(JSON.stringify(policyOf(state, exposures)), 'written');
    t.true(policy.rules.length > 0);
    const findings = auditOf(state, exposures, policy, { narrower: true });
    // What cannot be told is not in it.
    t.deepEqual(
      findings.filter(({ kind }) => kind !== 'unknown'),
      [],
    );
    const nothing = parsePolicy('{"version":1,"rules":[]}', 'nothing');
    const wider = auditOf(state, exposures, nothing, { narrower: true });
    t.true(wider.some(({ kind }) => kind === 'wider'));
  });
}

/** What a policy says of one peer, by its words alone. */
function lets(policy: Policy, state: HostState, asked: Asked): boolean {
  const address = parseAddress(asked.peer)!;
  const named = policy.rules.filter(({ protocol, ports }) => {
    const list = (Array.isArray(ports) ? ports : [ports]).map((one) =>
      String(one).split('-').map(Number),
    );
    const holds = list.some(([first, last = first]) => first! <= asked.port && asked.port <= last!);
    return holds && (protocol ?? asked.protocol) === asked.protocol;
  });
  const from =
    named.length === 0
      ? policy.otherwise
      : named.flatMap((rule) =>
          (rule.interfaces?.includes(asked.device) ?? true) ? rule.from : [],
        );
  return from.some((who) => {
    if (who === 'anyone') return true;
    const device = state.interfaces.find(({ name }) => name === asked.device)!;
    const texts =
      who === 'link'
        ? device.addresses.map((own) => `${own.peer ?? own.address}/${own.prefixLength}`)
        : [who];
    return texts.some((text) => prefixHolds(parsePrefix(text)!, address));
  });
}

interface Asked {
  protocol: 'tcp' | 'udp';
  port: number;
  device: string;
  peer: string;
}

const prefixes = ['192.0.2.0/24', '192.0.2.8/29', '198.51.100.0/28', '0.0.0.0/0', '100.64.0.0/10'];
const prefixes6 = ['2001:db8::/64', '2001:db8::10/128', '::/0', '2001:db8:1::/65'];
const who = fc.constantFrom('anyone' as const, 'link' as const, ...prefixes, ...prefixes6);
const onePort = fc.constantFrom(9000, 9001, 9002, 9003, 9004, 53, '9000-9002', '1-65535');
const policies = fc.record({
  version: fc.constant(1 as const),
  rules: fc.array(
    fc.record(
      {
        protocol: fc.constantFrom('tcp' as const, 'udp' as const),
        ports: fc.oneof(onePort, fc.array(onePort, { minLength: 1, maxLength: 3 })),
        from: fc.array(who, { maxLength: 3 }),
        interfaces: fc.array(fc.constantFrom('eth0', 'eth1', 'tailscale0', 'virbr0'), {
          minLength: 1,
          maxLength: 2,
        }),
      },
      { requiredKeys: ['ports', 'from'] },
    ),
    { maxLength: 4 },
  ),
  otherwise: fc.array(who, { maxLength: 2 }),
});

/** The peers at both ends of what a finding names. */
function ends({ peers }: Finding): string[] {
  return peers.flatMap((text) => {
    const { address } = parsePrefix(text)!;
    const { first, last } = prefixRange(parsePrefix(text)!);
    return [first, last].map((one) => formatAddress(addressFromNumber(one, address.family)));
  });
}

test('findings are what a policy and trace() say of each peer, peer by peer', (t) => {
  let [told, asked] = [0, 0];
  const property = fc.property(fc.nat(hosts.length - 1), policies, (host, policy) => {
    const { state, exposures } = hosts[host]!;
    const findings = auditOf(state, exposures, policy, { narrower: true });
    const outcome = (one: Asked, address: string) =>
      trace(state, {
        protocol: one.protocol,
        ingress: one.device,
        source: { address: one.peer },
        destination: { address, port: one.port },
      }).outcome;
    const own = new Set(
      state.interfaces.flatMap(({ addresses }) => addresses.map((at) => at.address)),
    );
    const isNobody = (peer: string) =>
      own.has(peer) || /^(0|127|22[4-9]|23\d)\.|^::|^ff|\.255$/.test(peer);
    for (const finding of findings) {
      const { kind, protocol, port, interface: device, addresses } = finding;
      if (device === null) continue;
      for (const peer of ends(finding).filter((text) => !isNobody(text))) {
        told++;
        const one = { protocol, port, device, peer };
        if (lets(policy, state, one) !== (kind === 'narrower'))
          throw new Error(`whom the policy lets: ${JSON.stringify([finding.kind, one])}`);
        // Of peers whom exposure does not tell apart trace() may know more.
        if (kind === 'unknown') continue;
        const expected = kind === 'wider' ? 'reachable' : 'unreachable';
        if (addresses.some((address) => outcome(one, address) !== expected))
          throw new Error(`what trace() says: ${JSON.stringify([kind, one, addresses])}`);
      }
    }
    // And nobody who gets in against the policy is left out.
    for (const { endpoint, reach } of exposures)
      for (const row of reach) {
        if (row.interface === 'lo') continue;
        for (const peer of row.peers
          .slice(0, 3)
          .flatMap((text) => ends({ peers: [text] } as Finding))) {
          if (isNobody(peer)) continue;
          asked++;
          const one = { ...endpoint, device: row.interface, peer };
          const found = findings.some(
            (finding) =>
              finding.kind === 'wider' &&
              finding.protocol === one.protocol &&
              finding.port === one.port &&
              finding.interface === one.device &&
              finding.addresses.includes(row.address) &&
              finding.peers.some((text) => prefixHolds(parsePrefix(text)!, parseAddress(peer)!)),
          );
          if (found === lets(policy, state, one))
            throw new Error(`left out or too many: ${JSON.stringify([one, row.address, found])}`);
        }
      }
  });
  const seed = Date.now() & 0xffffff;
  t.log(`seed ${seed}`);
  const { counterexample, errorInstance } = fc.check(property, { seed, numRuns: 60 });
  t.is(errorInstance, null, `${JSON.stringify(counterexample)} ${errorInstance}`);
  t.true(told > 100 && asked > 100, `${told} told, ${asked} asked`);
});

test('the exit status says how it stands', async (t) => {
  const allowed = file('allowed.json', { version: 1, rules: [], otherwise: ['anyone'] });
  t.is((await earshot([allowed])).status, 0);
  const closed = file('closed.json', { version: 1, rules: [] });
  t.is((await earshot([closed])).status, 1);
  // All but the port whose rule counts who knocks.
  const rules = [{ ports: [9000, 9004], from: ['anyone'] }];
  const unsure = await earshot([file('unsure.json', { version: 1, rules })]);
  t.is(unsure.status, 3, unsure.out);
  t.regex(unsure.out, /9003\/tcp .* may be open wider than the policy has it/);
  const narrow = {
    version: 1,
    rules: [{ ports: 7, protocol: 'tcp', from: ['anyone'] }],
    otherwise: ['anyone'],
  };
  t.is((await earshot([file('narrow.json', narrow)])).status, 0);
  const unserved = await earshot(['--narrower', file('narrow.json', narrow)]);
  t.is(unserved.status, 1);
  t.regex(unserved.out, /7\/tcp is served by nobody, and the policy lets others reach it/);
});

test('who, by which path, and what the policy says, in text', async (t) => {
  const rules = [{ ports: 9000, from: ['192.0.2.0/24'], comment: 'the LAN' }];
  const { out } = await earshot([file('text.json', { version: 1, rules })]);
  t.regex(out, /^lab differs from \S+ in \d+ ways\.$/m);
  t.regex(out, /^9000\/tcp \(.*\) is open wider than the policy has it$/m);
  t.regex(out, /^ {2}Path {4}by eth0 to 192\.0\.2\.1$/m);
  t.regex(out, /^ {2}Policy {2}rules\[0\] \(the LAN\): 192\.0\.2\.0\/24$/m);
  t.regex(out, /Policy {2}no rule names the port: nobody but this host/);
  t.true(out.split('\n').every((line) => line.length <= 80));
});

test('findings as JSON and as SARIF are the same ones', async (t) => {
  const path = file('same.json', { version: 1, rules: [] });
  const { findings } = JSON.parse((await earshot(['--json', path])).out) as { findings: Finding[] };
  const log = JSON.parse((await earshot(['--sarif', path])).out) as Log;
  t.is(log.version, '2.1.0');
  const [{ tool, results }] = log.runs as [Log['runs'][0]];
  t.is(tool.driver.name, 'earshot');
  t.deepEqual(
    results!.map(({ ruleId, properties }) => [ruleId, properties!.peers]),
    findings.map(({ kind, peers }) => [kind, peers]),
  );
  for (const { ruleId, ruleIndex, message, locations, partialFingerprints } of results!) {
    t.is(tool.driver.rules![ruleIndex!]!.id, ruleId!);
    t.regex(message.text!, /\d+\/(tcp|udp) .*\.$/);
    t.true(locations![0]!.physicalLocation!.artifactLocation!.uri!.endsWith('same.json'));
    t.regex(partialFingerprints!['finding/v1']!, /^[0-9a-f]{32}$/);
  }
  const prints = results!.map((result) => result.partialFingerprints!['finding/v1']);
  t.is(new Set(prints).size, prints.length);
});

test('a policy is written once, and never over another', async (t) => {
  const path = join(directory, 'written.json');
  const written = await earshot(['--write', path]);
  t.is(written.status, 0);
  t.regex(written.err, /of \d+ listeners? some peers are unknown, and are left out/);
  t.is((await earshot([path])).status, 3);
  const again = await earshot(['--write', path]);
  t.is(again.status, 2);
  t.regex(again.err, /there is a file '.*written\.json' already: name another, or - to print it/);
  t.deepEqual(
    JSON.parse((await earshot(['--write', '-'])).out),
    JSON.parse(readFileSync(path, 'utf8')),
  );
});

const refused: [policy: unknown, says: RegExp][] = [
  ['{"version":1', /is no JSON: /],
  [{ rules: [] }, /version is missing/],
  [{ version: 2, rules: [] }, /version 2 is no version of a policy: write 1/],
  [{ version: 1 }, /rules is missing/],
  [{ version: 1, rules: [], rulez: [] }, /the document has 'rulez', which no policy has/],
  [{ version: 1, rules: [{ ports: 70000, from: [] }] }, /rules\[0\]\.ports 70000 is no port/],
  [
    { version: 1, rules: [{ ports: '90-80', from: [] }] },
    /ports "90-80" is no range of ports: write the lower/,
  ],
  [
    { version: 1, rules: [{ ports: 80, from: ['10.0.0.0/33'] }] },
    /from\[0\] "10\.0\.0\.0\/33" is nobody: write/,
  ],
  [{ version: 1, rules: [{ ports: [], from: [] }] }, /ports \[\] is empty: name a port/],
  [
    { version: 1, rules: [{ ports: 80, from: [], protocol: 'sctp' }] },
    /rules\[0\]\.protocol "sctp"/,
  ],
];

for (const [policy, says] of refused) {
  test(`refused: ${JSON.stringify(policy)}`, async (t) => {
    const text = typeof policy === 'string' ? policy : JSON.stringify(policy);
    const { status, out, err } = await earshot(['-'], text);
    t.deepEqual([status, out], [2, '']);
    t.regex(err, says);
    t.regex(err, /^earshot: standard input is no /);
  });
}

test('a question that makes no sense is refused', async (t) => {
  const path = file('sense.json', { version: 1, rules: [] });
  for (const [argv, says] of [
    [[], /audit needs a policy/],
    [[''], /the policy is empty/],
    [
      [join(directory, 'nowhere.json')],
      /there is no such file; 'earshot audit --write FILE' makes one/,
    ],
    [['--json', '--sarif', path], /--json and --sarif exclude each other/],
    [
      ['--write', '--narrower', join(directory, 'new.json')],
      /--narrower and --write exclude each other/,
    ],
    [['--state', '-', '-'], /standard input is one of them/],
  ] as const) {
    const { status, err } = await earshot([...argv]);
    t.is(status, 2);
    t.regex(err, says);
  }
});

test('the schema is that of the policies that are read', async (t) => {
  const { status, out } = await earshot(['--schema']);
  t.is(status, 0);
  t.deepEqual(JSON.parse(out), policyJsonSchema());
  t.like(policyJsonSchema(), { type: 'object', required: ['version', 'rules'] });
});
