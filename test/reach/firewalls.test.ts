import { readFileSync } from 'node:fs';
import test from 'ava';
import { parseState } from '#earshot/model/state-check.js';
import type { Flow } from '#earshot/reach/flow.js';
import { trace } from '#earshot/reach/trace.js';
import type { Verdict } from '#earshot/reach/verdict.js';

/*
 * Firewalls that people run, recorded by test/lab/firewalls/record.ts: what connections met then,
 * earshot says of the recorded state, anywhere and with no privileges.
 */

const directory = new URL('../../../test/fixtures/firewalls/', import.meta.url);

interface Recording {
  state: unknown;
  held: { asked: Flow; outcome: Verdict['outcome']; symptom: Verdict['symptom'] }[];
}

const names = ['ufw-nft', 'ufw-legacy', 'ufw-docker-nft', 'ufw-docker-legacy'];

for (const name of names) {
  test(`${name}: what was recorded is what earshot says`, (t) => {
    const text = readFileSync(new URL(`${name}.json`, directory), 'utf8');
    const { state: recorded, held } = JSON.parse(text) as Recording;
    const state = parseState(JSON.stringify(recorded));
    t.deepEqual(state.missing, []);
    t.true(held.length >= 40);
    for (const { asked, outcome, symptom } of held) {
      const verdict = trace(state, asked);
      if (verdict.outcome === 'unknown') {
        // ufw's limit alone depends on what was before.
        t.is(asked.destination.port, 9003);
        t.is(verdict.cause?.code, 'rule-unknown');
      } else
        t.deepEqual([verdict.outcome, verdict.symptom], [outcome, symptom], JSON.stringify(asked));
    }
  });
}

for (const backend of ['nft', 'legacy']) {
  test(`what ufw denies and Docker publishes over iptables-${backend} is forwarded`, (t) => {
    const text = readFileSync(new URL(`ufw-docker-${backend}.json`, directory), 'utf8');
    const state = parseState(JSON.stringify((JSON.parse(text) as Recording).state));
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
