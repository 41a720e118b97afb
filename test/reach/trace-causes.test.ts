import test from 'ava';
import { exposure } from '#earshot/reach/exposure.js';
import { trace } from '#earshot/reach/trace.js';
import type { Cause, CauseCode, Stage, Symptom } from '#earshot/reach/verdict.js';
import { addresses } from './causes/addresses.js';
import { type Case, everywhere4 } from './causes/case.js';
import { device } from './causes/device.js';
import { notKnown } from './causes/not-known.js';
import { routes } from './causes/routes.js';
import { sockets } from './causes/sockets.js';
import { lan4, onLan, tcp } from './support/state.js';

/*
 * Why a flow fails: each cause with hosts where it is met. The tables are keyed by the closed sets,
 * so that a cause, stage or symptom without a test does not compile.

/** Those that have tests of their own: test/reach/stages/, test/reach/nftables/, test/lab/edges/. */
type TestedElsewhere =
  | 'rule-drop'
  | 'rule-reject'
  | 'policy-drop'
  | 'outside-vrf'
  | 'neighbour-not-answered'
  | 'group-not-joined'
  | 'port-blocked'
  | 'signature-required';

const cases: Record<Exclude<CauseCode, 'shadowed' | TestedElsewhere>, Case[]> = {
  ...device,
  ...notKnown,
  ...addresses,
  ...routes,
  ...sockets,
};

const all = Object.entries(cases).flatMap(([code, list]) => list.map((one) => ({ code, ...one })));

for (const { code, says, state, flow, outcome, stage, symptom, particulars } of all) {
  test(`${code}: ${says}`, (t) => {
    const verdict = trace(state, flow);
    t.like(verdict, { outcome, stage, symptom });
    t.like(verdict.cause, { code, ...particulars } as Partial<Cause>);
    const last = verdict.steps.at(-1);
    t.truthy(last?.detail);
    t.is(verdict.outcome === 'unknown' && last?.action === 'deliver', false);
    if (symptom) t.true(verdict.explanation.includes(symptom), verdict.explanation);
  });
}

test('shadowed: only exposure asks for a socket of its own, so only there one can be in the way of another', (t) => {
  const closer = tcp(`${lan4}:3000`);
  const [first] = exposure(onLan([everywhere4, closer]), { localAddress: '0.0.0.0' });
  const shadowed = first?.blocked.filter(({ cause }) => cause.code === 'shadowed');
  t.deepEqual(
    shadowed?.map(({ address, cause }) => [address, cause]),
    [[lan4, { code: 'shadowed', by: closer }]],
  );
});

const stages: Record<Stage, true> = {
  device: true,
  ingress: true,
  prerouting: true,
  routing: true,
  forward: true,
  input: true,
  socket: true,
  output: true,
  reply: true,
};

test('a flow may end at each stage', (t) => {
  const met = new Set(all.map(({ stage }) => stage));
  t.deepEqual(
    Object.keys(stages).filter((stage) => !met.has(stage as Stage)),
    [],
  );
});

/** Where it is given; `false`: rules of a firewall alone give it (test/reach/nftables/). */
const symptoms: Record<Symptom, boolean> = {
  ECONNREFUSED: true,
  ETIMEDOUT: true,
  EHOSTUNREACH: true,
  ENETUNREACH: true,
  EACCES: true,
  EINVAL: true,
  EADDRNOTAVAIL: true,
  EPERM: false,
  ENOPROTOOPT: false,
  ECONNRESET: false,
};

test('each symptom is met', (t) => {
  const met = new Set(all.map(({ symptom }) => symptom));
  for (const [symptom, given] of Object.entries(symptoms)) {
    t.is(met.has(symptom as Symptom), given, symptom);
  }
});
