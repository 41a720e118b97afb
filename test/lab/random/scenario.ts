import type { LabFlow } from '../harness.js';
import type { Sysctls } from '../namespaces.js';
import type { ListenerSpec } from '../sockets.js';
import type { HostDescription } from '../topology.js';

/** What a scenario varies most. */
export const families = ['bind', 'settings', 'routes', 'ipv6', 'local'] as const;
export type ScenarioFamily = (typeof families)[number];

/** A host, its listeners and the flows to ask it, as plain data: what a seed stands for. */
export interface Scenario {
  seed: number;
  family: ScenarioFamily;
  description: HostDescription;
  sysctls: Sysctls;
  /** Lines for ip(8) on the host, one by one; what the kernel refuses is left out. */
  ip: string[];
  listeners: ListenerSpec[];
  flows: LabFlow[];
}
