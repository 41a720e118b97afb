import type { Lab, LabFlow } from '../harness.js';
import { both, everyFlow, LAN4, LAN6, routed } from '../networks.js';
import type { HostDescription } from '../topology.js';

/** A firewall that people run, as they set it up, and who then asks for what. */
export interface Scene {
  readonly name: string;
  /** Programs of the system that it runs, beside iptables. */
  readonly tools: readonly string[];
  readonly host: HostDescription;
  /** For sh(1), in a mount namespace of its own; see start.ts for what it finds there. */
  readonly start: string;
  readonly stop?: string;
  /** Opens the servers. */
  serve(lab: Lab): void;
  readonly flows: LabFlow[];
}

export const ports = [9000, 9001, 9002, 9003, 9004];

/** TCP and UDP, both families, at each of the ports. */
export function serveEverywhere(lab: Lab): void {
  for (const port of ports) {
    lab.listen(both({ address: '0.0.0.0', port }));
    lab.listen(both({ address: '::', port, v6only: true }));
  }
}

/** A neighbour, somebody behind a router, and the host itself ask for each port, and for a closed one. */
export const everybody: LabFlow[] = [...ports, 9009].flatMap((port) =>
  everyFlow(['neighbour', 'remote', 'host'], [LAN4, LAN6], port),
);

/** What most of them have. */
export const plain = { host: routed, serve: serveEverywhere, flows: everybody } as const;
