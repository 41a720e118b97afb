/*
 * Records what a kernel says of a rich network, with iproute2's reading of the same beside it, into
 * test/fixtures/rtnetlink. As root: `npm run build && npx tsc -b test && node
 * build/test/kernel/support/record-fixtures.js`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { endianness, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { addressesRequest } from '#earshot/kernel/addresses.js';
import { linksRequest } from '#earshot/kernel/links.js';
import { nexthopsRequest } from '#earshot/kernel/nexthops.js';
import { chainsRequest } from '#earshot/kernel/nftables/chains.js';
import { rulesRequest as nftRulesRequest } from '#earshot/kernel/nftables/rules.js';
import { generationRequest, tablesRequest } from '#earshot/kernel/nftables/tables.js';
import { filtersRequest, qdiscsRequest } from '#earshot/kernel/qdiscs.js';
import { routesRequest } from '#earshot/kernel/routes.js';
import { rulesRequest } from '#earshot/kernel/rules.js';
import { type NetlinkRequest, native } from '#earshot/native.js';
import { Namespace } from './namespace.js';
import { attachXdp, buildRichNetwork } from './rich-network.js';
import { RULE_SET } from './rule-set.js';

const directory = fileURLToPath(new URL('../../../../test/fixtures/rtnetlink/', import.meta.url));
const here = new Namespace();
const neighbour = new Namespace();
try {
  buildRichNetwork(here, neighbour);
  attachXdp(here, 'mv0');
  here.run('nft', RULE_SET);
  mkdirSync(directory, { recursive: true });
  const lan0 = here.json('ip', '-j', 'link', 'show', 'lan0')[0]!.ifindex as number;
  record(0, {
    links: linksRequest(),
    addresses: addressesRequest(),
    routes4: routesRequest('ipv4'),
    routes6: routesRequest('ipv6'),
    rules4: rulesRequest('ipv4'),
    rules6: rulesRequest('ipv6'),
    nexthops: nexthopsRequest(),
    qdiscs: qdiscsRequest(),
    'filters-lan0-ingress': filtersRequest({ index: lan0, direction: 'ingress' }),
    'filters-lan0-egress': filtersRequest({ index: lan0, direction: 'egress' }),
  });
  record(12, {
    'nft-generation': generationRequest(),
    'nft-tables': tablesRequest(),
    'nft-chains': chainsRequest(),
    'nft-rules': nftRulesRequest(),
  });
  const oracles: Record<string, string[]> = {
    links: ['-d', 'link', 'show'],
    addresses: ['-d', 'address', 'show'],
    routes4: ['-N', '-d', '-4', 'route', 'show', 'table', 'all'],
    routes6: ['-N', '-d', '-6', 'route', 'show', 'table', 'all'],
    rules4: ['-N', '-d', '-4', 'rule', 'show'],
    rules6: ['-N', '-d', '-6', 'rule', 'show'],
    nexthops: ['nexthop', 'show'],
  };
  for (const [name, args] of Object.entries(oracles)) {
    write(`${name}.json`, `${JSON.stringify(here.json('ip', '-j', ...args), null, 1)}\n`);
  }
  const chains = JSON.parse(here.run('nft', '-j', 'list', 'ruleset'));
  write('nft.json', `${JSON.stringify(chains, null, 1)}\n`);
  write('recorded.json', `${JSON.stringify({ kernel: release(), endianness: endianness() })}\n`);
} finally {
  here.remove();
  neighbour.remove();
}

function record(protocol: number, requests: Record<string, NetlinkRequest>): void {
  const { replies } = native.netlinkSync({
    protocol,
    requests: Object.values(requests),
    watchGroups: [],
    netns: here.path,
  });
  for (const [index, name] of Object.keys(requests).entries()) {
    const reply = replies[index];
    if (!(reply instanceof Uint8Array)) throw new Error(`${name}: ${JSON.stringify(reply)}`);
    write(`${name}.bin`, reply);
  }
}

function write(name: string, content: string | Uint8Array): void {
  writeFileSync(`${directory}${name}`, content);
}
