import type { Course } from '../course.js';
import type { HookEntry } from '../nftables/ruleset.js';
import type { Cause } from '../verdict.js';

/**
 * Does the bridge that the packet comes in by have the rules of IP see it first (br_nf_pre_routing
 * in net/bridge/br_netfilter_hooks.c)? Then prerouting comes before the bridge decides whose the
 * packet is, and so before the ingress hook of the bridge; behind it, it is not passed once more
 * (ip_sabotage_in). Where br_netfilter is not loaded its settings do not exist.
 */
export function bridgeAsks({ host, device, packet: { family }, fromHere }: Course): boolean {
  if (fromHere || device.link.kind !== 'bridge') return false;
  const name = family === 'ipv4' ? 'iptables' : 'ip6tables';
  const setting = host.setting(`net.bridge.bridge-nf-call-${name}`, -1);
  return setting > 0 || (setting === 0 && device.link.callsFirewall?.[family] === true);
}

/**
 * A broadcast goes out by the other ports of a bridge before this host itself gets it (br_flood, then
 * br_pass_frame_up): copies of one connection, so that what rules of forward and postrouting make of it
 * there, as a translation of its source, holds here too. How is not followed.
 */
export function passFlood(course: Course): void {
  const { host, device, destinationType, request } = course;
  if (destinationType !== 'broadcast' || !request || !bridgeAsks(course)) return;
  const ports = host.state.interfaces.filter(({ master, up }) => master === device.name && up);
  if (ports.length < 2) return;
  const { ruleset } = host;
  const asked = (['forward', 'postrouting'] as const).flatMap((hook) =>
    ruleset ? ruleset.at(hook, 'ipv4', null).filter(hasRules) : [],
  );
  if (asked.length === 0) return;
  const what = `what rules make of the connection as ${device.name} floods the packet`;
  const cause: Cause = { code: 'not-evaluated', what };
  course.doubt('input', cause, true, what, 'request');
}

function hasRules(entry: HookEntry): boolean {
  if (entry.kind === 'conntrack') return false;
  const chains = entry.kind === 'nat' ? entry.chains : [entry.chain];
  return chains.some(({ rules }) => rules.length > 0);
}
