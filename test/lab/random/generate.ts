import { addAddresses, addPlaces } from './addresses.js';
import { Draft } from './draft.js';
import { makeFlow } from './flows.js';
import { addLinks, disturbLinks } from './links.js';
import { addListeners } from './listeners.js';
import { addNftables } from './nftables.js';
import { addDefaultRoutes, addRoutes, addRules } from './routes.js';
import type { Scenario } from './scenario.js';
import { addSettings } from './settings.js';

/** The scenario of a seed, with so many flows; 60 to 90 when not said. */
export function generate(seed: number, flows?: number): Scenario {
  const draft = new Draft(seed);
  const { random } = draft;
  addLinks(draft);
  addPlaces(draft);
  addAddresses(draft);
  addSettings(draft);
  addDefaultRoutes(draft);
  if (draft.often(0.9, 'routes', 'ipv6')) addRoutes(draft);
  if (draft.often(0.7, 'routes', 'ipv6')) addRules(draft);
  disturbLinks(draft);
  addListeners(draft);
  addNftables(draft);
  const { family, links, before, ip, sysctls, listeners, nft } = draft;
  return {
    seed,
    family,
    links,
    before,
    ip,
    sysctls,
    listeners,
    nft,
    flows: random.times(flows ?? 60, flows ?? 90, () => makeFlow(draft)),
  };
}
