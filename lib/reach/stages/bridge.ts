import type { Course } from '../course.js';

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
