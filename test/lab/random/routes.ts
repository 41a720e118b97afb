import type { Draft } from './draft.js';

/** Routes of every kind, in a few tables, some of them by nexthop objects. */
export function addRoutes(draft: Draft): void {
  const { random, ip, family } = draft;
  const versions = family === 'ipv6' ? [true] : [false, false, true];
  const most = family === 'routes' || family === 'ipv6' ? 10 : 4;
  if (draft.often(0.5, 'routes', 'ipv6')) {
    for (const version of new Set(versions)) addNexthopRoutes(draft, version);
  }
  for (let count = random.between(1, most); count > 0; count--)
    ip.push(routeLine(draft, random.pick(versions)));
}

/** The way to everybody else that nearly every host has. */
export function addDefaultRoutes(draft: Draft): void {
  const { random, ip, askers } = draft;
  const near = askers.filter((asker) => asker.near);
  for (const ipv6 of [false, true]) {
    if (!random.chance(0.6)) continue;
    const { near: router, link } = random.pick(near);
    const via = ipv6 ? router!.ipv6 : router!.ipv4;
    ip.push(`route add default via ${via} dev ${link} metric 1000`);
  }
}

const tables = ['main', 'main', 'main', '100', '200', 'local', 'default'];

function routeLine(draft: Draft, ipv6: boolean): string {
  const { random } = draft;
  // add refuses an equal prefix with the same metric; append and prepend stand beside it.
  const verb = random.pick(['add', 'add', 'add', 'append', ipv6 ? 'add' : 'prepend']);
  const how = `${ipv6 ? '-6 ' : ''}route ${verb}`;
  const prefix = draft.prefix(ipv6);
  const tail = ` table ${random.pick(tables)}${options(draft, ipv6)}`;
  if (random.chance(0.3)) {
    const type = random.pick(['blackhole', 'unreachable', 'prohibit', 'throw']);
    return `${how} ${type} ${prefix}${tail}`;
  }
  if (random.chance(0.15)) {
    const ways = random.times(2, 3, () => `nexthop ${draft.wayOut(ipv6)}`);
    return `${how} ${prefix}${tail} ${ways.join(' ')}`;
  }
  return `${how} ${prefix} ${draft.wayOut(ipv6)}${tail}`;
}

function options(draft: Draft, ipv6: boolean): string {
  const { random } = draft;
  const some: string[] = [];
  if (random.chance(0.5)) some.push(`metric ${random.between(1, 50)}`);
  if (!ipv6 && random.chance(0.1)) some.push(`tos ${random.pick(['0x10', '0x08'])}`);
  if (ipv6 && random.chance(0.15)) {
    const from = draft.prefix(true);
    if (from !== 'default') some.push(`from ${from}`);
  }
  if (random.chance(0.15)) some.push(`src ${random.pick(draft.ownAddresses(ipv6))}`);
  if (ipv6 && random.chance(0.1)) some.push(`pref ${random.pick(['low', 'medium', 'high'])}`);
  return some.map((option) => ` ${option}`).join('');
}

function addNexthopRoutes(draft: Draft, ipv6: boolean): void {
  const { random, ip } = draft;
  const version = ipv6 ? '-6 ' : '';
  const first = ipv6 ? 60 : 40;
  const singles = random.between(1, 3);
  for (let id = first; id < first + singles; id++) {
    const what = random.chance(0.15)
      ? 'blackhole'
      : draft.wayOut(ipv6).replace(/^via inet6 /, 'via ');
    ip.push(`${version}nexthop add id ${id} ${what}`);
  }
  const group = first + 9;
  const members = random.times(1, singles, () => random.between(first, first + singles - 1));
  const weighted = [...new Set(members)].map((id) => `${id},${random.between(1, 3)}`);
  ip.push(`${version}nexthop add id ${group} group ${weighted.join('/')}`);
  for (let count = random.between(1, 2); count > 0; count--) {
    const id = random.pick([group, first]);
    const table = random.pick(tables);
    ip.push(`${version}route add ${draft.prefix(ipv6)} nhid ${id} table ${table}`);
  }
}

/** Policy rules. */
export function addRules(draft: Draft): void {
  const { random, ip, family } = draft;
  const versions = family === 'ipv6' ? [true] : [false, false, true];
  for (let count = random.between(1, 5); count > 0; count--)
    ip.push(ruleLine(draft, random.pick(versions)));
  // Rules that have gone leave the tables local and main apart.
  if (random.chance(0.1)) {
    ip.push('rule flush', 'rule add priority 32766 lookup main');
    ip.push('rule add priority 32767 lookup default');
  }
  if (!random.chance(0.1)) return;
  // The rule that asks the local table first is like any other: it can be moved back.
  const version = random.pick(versions) ? '-6 ' : '';
  const place = random.pick([5, 60, 40000]);
  ip.push(`${version}rule add priority ${place} lookup local`, `${version}rule del priority 0`);
}

function ruleLine(draft: Draft, ipv6: boolean): string {
  const { random, names } = draft;
  const selectors: string[] = [];
  const maybe = (probability: number, make: () => string): void => {
    if (random.chance(probability)) selectors.push(make());
  };
  const prefix = (): string => {
    const text = draft.prefix(ipv6);
    return text === 'default' ? 'all' : text;
  };
  maybe(0.4, () => `from ${prefix()}`);
  maybe(0.3, () => `to ${prefix()}`);
  maybe(0.2, () => `iif ${random.pick([...names, 'lo', 'gone0'])}`);
  maybe(0.1, () => `oif ${random.pick([...names, 'lo'])}`);
  maybe(0.1, () => `fwmark ${random.pick(['1', '2/3', '0/1'])}`);
  maybe(0.15, () => `ipproto ${random.pick(['tcp', 'udp'])}`);
  maybe(0.1, () => `dport ${random.pick(['4000', '4001-4002', '30000-65535'])}`);
  maybe(0.1, () => `sport ${random.pick(['4000', '4001-4003'])}`);
  maybe(0.1, () => `uidrange ${random.pick(['0-0', '1000-2000'])}`);
  maybe(0.05, () => `tos ${random.pick(['0x10', '0x08'])}`);
  const not = random.chance(0.1) ? 'not ' : '';
  const priority = random.pick([10, 20, 50, 100, 1000, 33000]);
  const table = random.pick(['main', '100', '200', 'local', '999']);
  const action = random.pick([
    `lookup ${table}`,
    `lookup ${table}`,
    `lookup ${table}`,
    `lookup ${table} suppress_prefixlength ${random.pick([0, 8, 24])}`,
    `lookup ${table} suppress_ifgroup 7`,
    `goto ${random.pick([50, 1000, 32766, 40000])}`,
    'blackhole',
    'unreachable',
    'prohibit',
    'nop',
  ]);
  return `${ipv6 ? '-6 ' : ''}rule add ${not}${selectors.join(' ')} priority ${priority} ${action}`;
}
