import type { Draft } from './draft.js';

/** Settings of the host, for all interfaces and for each. */
export function addSettings(draft: Draft): void {
  const { random, sysctls, before } = draft;
  // What a router says of better ways would change the host under the test's hands.
  before['net.ipv4.conf.all.accept_redirects'] = 0;
  before['net.ipv6.conf.all.accept_redirects'] = 0;
  before['net.ipv4.conf.all.rp_filter'] = 0;
  before['net.ipv4.conf.default.rp_filter'] = 0;
  const ipv4 = (name: string, values: readonly number[], probability: number): void => {
    if (draft.often(probability, 'settings')) sysctls[`net.ipv4.${name}`] = random.pick(values);
  };
  const ipv6 = (name: string, values: readonly number[], probability: number): void => {
    if (draft.often(probability, 'settings', 'ipv6'))
      sysctls[`net.ipv6.${name}`] = random.pick(values);
  };
  ipv4('ip_forward', [0, 1], 0.6);
  ipv6('conf.all.forwarding', [0, 1], 0.6);
  ipv6('bindv6only', [0, 1], 0.2);
  ipv4('conf.all.rp_filter', [0, 1, 2], 0.4);
  ipv4('conf.all.accept_local', [0, 1], 0.2);
  ipv4('conf.all.route_localnet', [0, 1], 0.2);
  ipv4('conf.all.src_valid_mark', [0, 1], 0.2);
  ipv4('conf.all.bc_forwarding', [0, 1], 0.2);
  ipv4('conf.all.ignore_routes_with_linkdown', [0, 1], 0.2);
  ipv4('ip_nonlocal_bind', [0, 1], 0.2);
  ipv6('ip_nonlocal_bind', [0, 1], 0.2);
  ipv4('tcp_syncookies', [0, 1, 2], 0.3);
  ipv4('tcp_early_demux', [0, 1], 0.1);
  ipv4('udp_early_demux', [0, 1], 0.1);
  for (const name of draft.names) {
    const of = `conf.${name}`;
    ipv4(`${of}.rp_filter`, [0, 1, 2], 0.5);
    ipv4(`${of}.accept_local`, [0, 1], 0.3);
    ipv4(`${of}.route_localnet`, [0, 1], 0.4);
    ipv4(`${of}.forwarding`, [0, 1], 0.2);
    ipv4(`${of}.bc_forwarding`, [0, 1], 0.2);
    ipv4(`${of}.src_valid_mark`, [0, 1], 0.1);
    ipv6(`${of}.disable_ipv6`, [0, 1], 0.15);
    ipv6(`${of}.forwarding`, [0, 1], 0.2);
    ipv6(`${of}.force_forwarding`, [0, 1], 0.1);
    if (draft.often(0.4, 'links')) sysctls[`net.ipv4.conf.${name}.ignore_routes_with_linkdown`] = 1;
    if (draft.often(0.4, 'links')) sysctls[`net.ipv6.conf.${name}.ignore_routes_with_linkdown`] = 1;
  }
}
