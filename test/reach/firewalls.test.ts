import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { parseState } from '#earshot/model/state-check.js';
import { exposure } from '#earshot/reach/exposure.js';
import type { Flow } from '#earshot/reach/flow.js';
import { trace } from '#earshot/reach/trace.js';
import type { Verdict } from '#earshot/reach/verdict.js';

/*
 * Firewalls that people run, recorded by test/lab/firewalls/record.ts: what connections met then,
 * earshot says of the recorded state, anywhere and with no privileges.
 */

const directory = new URL('../../../test/fixtures/firewalls/', import.meta.url);
const recorded = readdirSync(directory).map((file) => file.replace(/\.json$/, ''));

interface Recording {
  state: unknown;
  held: { asked: Flow; outcome: Verdict['outcome']; symptom: Verdict['symptom'] }[];
}

function read(name: string): Recording {
  return JSON.parse(readFileSync(new URL(`${name}.json`, directory), 'utf8')) as Recording;
}

/** What depends on what was before, or on chance, by the scene and the port. */
const open: Readonly<Record<string, number>> = {
  ufw: 9003,
  'ufw-docker': 9003,
  'kube-proxy': 30081,
};

test('every firewall is recorded over both backends', (t) => {
  const scenes = ['fail2ban', 'firewalld', 'kube-proxy', 'libvirt', 'netavark', 'tailscale', 'ufw'];
  const names = [...scenes, 'ufw-docker'].flatMap((name) => [`${name}-legacy`, `${name}-nft`]);
  t.deepEqual([...recorded].sort(), names.sort());
});

for (const name of recorded) {
  test(`${name}: what was recorded is what earshot says`, (t) => {
    const { state: captured, held } = read(name);
    const state = parseState(JSON.stringify(captured));
    t.deepEqual(state.missing, []);
    t.true(held.length >= 40);
    for (const { asked, outcome, symptom } of held) {
      const verdict = trace(state, asked);
      const { code } = verdict.cause ?? { code: null };
      if (code === 'forwarded' || code === 'leaves-this-host') continue;
      if (verdict.outcome === 'unknown') {
        t.is(asked.destination.port, open[name.replace(/-\w+$/, '')] ?? 0, JSON.stringify(asked));
        t.is(code, 'rule-unknown');
      } else
        t.deepEqual([verdict.outcome, verdict.symptom], [outcome, symptom], JSON.stringify(asked));
    }
  });
}

for (const backend of ['nft', 'legacy']) {
  test(`what ufw denies and Docker publishes over iptables-${backend} is forwarded`, (t) => {
    const state = parseState(JSON.stringify(read(`ufw-docker-${backend}`).state));
    const { cause, steps } = trace(state, {
      protocol: 'tcp',
      ingress: 'eth0',
      source: { address: '192.0.2.10' },
      destination: { address: '192.0.2.1', port: 8080 },
    });
    t.like(cause, { code: 'forwarded', translatedTo: { address: '172.17.0.2', port: 80 } });
    t.true(steps.some(({ detail }) => /-A DOCKER -d 172\.17\.0\.2\/32 .* -j ACCEPT$/.test(detail)));
    t.false(
      steps.some(({ detail }) => detail.includes('ufw')),
      'no rule of ufw decided',
    );
  });
}

/** The ports that nobody listens on, as rules of what publishes them have it. */
const published: Readonly<Record<string, readonly string[]>> = {
  netavark: ['8080/tcp', '8090/udp', '8091/udp'],
  'kube-proxy': ['30080/tcp', '30081/tcp', '30082/tcp'],
  firewalld: ['9009/tcp'],
};

for (const name of recorded) {
  test(`${name}: ports that rules alone publish have records`, (t) => {
    const state = parseState(JSON.stringify(read(name).state));
    const found = exposure(state)
      .filter((one) => one.socket?.local.port !== one.endpoint.port)
      .map(({ endpoint: { port, protocol } }) => `${port}/${protocol}`);
    t.deepEqual(found, published[name.replace(/-\w+$/, '')] ?? []);
  });
}
