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

/** Has the bridge asked the rules of IP, and other ports to send what is not for this host alone to? */
export function floods(course: Course): boolean {
  if (!bridgeAsks(course)) return false;
  const { device, host } = course;
  let ports = 0;
  for (const { link } of host.devices.values()) if (link.master === device.name && link.up) ports++;
  return ports > 1;
}

/**
 * A broadcast goes out by the other ports of a bridge before this host itself gets it (br_flood, then
 * br_pass_frame_up): copies of one connection, so that what rules of forward and postrouting make of it
 * there, as a translation of its source, holds here too. How is not followed.
 */
export function passFlood(course: Course): void {
  const { host, device, destinationType, request } = course;
  const { ruleset } = host;
  if (destinationType !== 'broadcast' || !request || !ruleset || !floods(course)) return;
  const changes = (['forward', 'postrouting'] as const).some((hook) =>
    ruleset.at(hook, 'ipv4', null).some(changesConnection),
  );
  if (!changes) return;
  const what = `what rules make of the connection as ${device.name} floods the packet`;
  const cause: Cause = { code: 'not-evaluated', what };
  course.doubt('input', cause, true, what, 'request');
}

function changesConnection(entry: HookEntry): boolean {
  switch (entry.kind) {
    case 'conntrack':
      return false;
    case 'nat':
      return entry.chains.some(({ rules }) => rules.length > 0);
    case 'chain':
      return entry.chain.rules.some(({ changesPacket }) => changesPacket);
  }
}
