import test from 'ava';
import type { HostState } from '#earshot/model/host-state.js';
import { type SymptomQuestion, suspects } from '#earshot/reach/symptom.js';
import {
  chain,
  LAN,
  lan4,
  lan6,
  lanLink,
  link,
  neighbour4,
  neighbour6,
  nftables,
  onLan,
  route,
  tcp,
} from './support/state.js';

/* From what a peer sees back to what on this host makes it. */

const question = (changes: Partial<SymptomQuestion> = {}): SymptomQuestion => ({
  protocols: ['tcp'],
  port: 3000,
  peer: neighbour4,
  sees: 'ECONNREFUSED',
  ingress: null,
  wayBack: LAN,
  ...changes,
});

/** Interface, addresses and cause of each suspect; `?` where it is not sure. */
const causes = (state: HostState, changes: Partial<SymptomQuestion> = {}) =>
  suspects(state, question(changes)).suspects.map(
    ({ interface: name, addresses, verdict, certain }) =>
      `${name} ${addresses.join(' ')} ${verdict.cause?.code}${certain ? '' : '?'}`,
  );

test('a server that stands on loopback makes a neighbour see ECONNREFUSED', (t) => {
  const state = onLan([tcp('127.0.0.1:3000')]);
  t.deepEqual(causes(state), [`${LAN} ${lan4} bound-to-loopback`]);
  t.deepEqual(causes(state, { sees: 'ETIMEDOUT' }), []);
});

test('IPv6 peers are asked for by IPv6 addresses', (t) => {
  const state = onLan([tcp('0.0.0.0:3000')]);
  t.deepEqual(causes(state, { peer: neighbour6 }), [`${LAN} ${lan6} fe80::10 ipv4-only`]);
});

test('a route that refuses the answer makes it see ETIMEDOUT', (t) => {
  const refuses = route(`${neighbour4}/32`, { type: 'blackhole' });
  const state = onLan([tcp('0.0.0.0:3000')], { routes: [refuses] });
  t.deepEqual(causes(state, { sees: 'ETIMEDOUT', wayBack: null }), [
    `${LAN} ${lan4} route-refuses`,
  ]);
});

test('where it gets in, nothing is suspected, and the way in is named', (t) => {
  const found = suspects(onLan([tcp('0.0.0.0:3000')]), question({ sees: 'ETIMEDOUT' }));
  t.deepEqual(found.suspects, []);
  t.deepEqual(
    found.open.map(({ ingress, destination }) => [ingress, destination.address]),
    [[LAN, lan4]],
  );
});

test('a firewall that is not evaluated may do it', (t) => {
  const firewall = nftables([chain('inet filter input', 'input', { policy: 'drop' })]);
  const state = onLan([tcp('0.0.0.0:3000')], { firewall });
  const answers = causes(state, { sees: 'ETIMEDOUT' });
  t.is(answers.length, 1);
  t.regex(answers[0]!, /\?$/);
});

test('the interface by which the peer is expected comes first', (t) => {
  const other = link('vpn0', ['10.8.0.1/24'], { ipv4: { rp_filter: 1 } });
  const state = onLan([tcp('127.0.0.1:3000')], { links: [lanLink(), other] });
  const found = suspects(state, question()).suspects;
  t.is(found[0]?.interface, LAN);
  t.true(found[0]?.expected);
  t.deepEqual(found[0]?.addresses, [lan4, '10.8.0.1']);
  const strict = suspects(state, question({ sees: 'ETIMEDOUT' })).suspects;
  t.deepEqual(
    strict.map(({ interface: name, expected, verdict }) => [name, expected, verdict.cause?.code]),
    [['vpn0', false, 'reverse-path']],
  );
  t.deepEqual(suspects(state, question({ sees: 'ETIMEDOUT', ingress: LAN })).suspects, []);
});

test('an interface that is down is suspected by those of its network alone', (t) => {
  const down = lanLink({ up: false, running: false, lowerUp: false });
  const state = onLan([tcp('0.0.0.0:3000')], { links: [down] });
  const asked = { sees: 'ETIMEDOUT', wayBack: null } as const;
  t.deepEqual(causes(state, asked), [`${LAN} ${lan4} interface-down`]);
  t.deepEqual(causes(state, { ...asked, peer: '203.0.113.9' }), []);
});

test('this host itself comes in by lo, and its loopback addresses count', (t) => {
  const state = onLan([tcp(`${lan4}:3000`)]);
  t.deepEqual(causes(state, { peer: '127.0.0.1' }), ['lo 127.0.0.1 bound-to-other-address']);
});
