import type { HostState } from '../../../model/host-state.js';
import type { Change } from '../change.js';
import { shellLine, shellQuoted } from '../shell.js';
import { iptablesText, type Match, nftText, shortPrefix } from './match.js';
import { ownerOf } from './owner.js';
import { type Judgement, type Place, withoutRuleAt, withRules } from './place.js';
import { sameRuleAt } from './ufw-rules.js';

/** Rules at a place, in the terms of whoever keeps that chain. */
export function addRules(
  state: HostState,
  place: Place,
  matches: readonly Match[],
  judgement: Judgement,
  /** Only what comes in to this host is a matter of the zones and rules of ufw and firewalld. */
  comesIn: boolean,
): Change[] {
  const owner = ownerOf(state, place);
  switch (owner.program) {
    case 'ufw': {
      const raw = { ...plainRules(place, matches, judgement), fallback: true as const };
      return comesIn ? [...ufwRules(state, place, owner.chain, matches, judgement), raw] : [raw];
    }
    case 'firewalld':
      return comesIn
        ? owner.zones.flatMap((zone) => zoneRules(place, zone, matches, judgement))
        : [];
    case 'fail2ban':
      return judgement === 'accept' ? unban(place, owner.jail, matches) : [];
    case 'another':
      return [];
    case null:
      return [plainRules(place, matches, judgement)];
  }
}

/** By nft(8) or iptables(8): before the rule that decides, or at the end of what has a policy. */
function plainRules(place: Place, matches: readonly Match[], judgement: Judgement): Change {
  const lines = matches.map((match) =>
    place.tool === 'nft' ? nftLine(place, match, judgement) : iptablesLine(place, match, judgement),
  );
  // nft(8) knows a rule by its handle, iptables(8) by its line.
  const rule = place.tool === 'nft' ? place.handle : place.line;
  const before = rule === null ? 'at the beginning of' : `before rule ${rule} of`;
  const where = place.line === null ? 'at the end of' : before;
  const named = place.tool === 'nft' ? `${place.family} ${place.table}` : place.table;
  return {
    what: `${verb(judgement)} ${describe(matches)} ${where} chain ${place.chain} (table ${named})`,
    command: lines.join(' && '),
    weight: 10,
    apply: (state) => withRules(state, place, matches, judgement),
  };
}

function nftLine(
  { family, table, chain, handle, line }: Place,
  match: Match,
  judgement: Judgement,
): string {
  const how = line === null ? 'add' : 'insert';
  const names = [family, table, chain].map(nftName);
  const before = handle === null ? [] : ['handle', String(handle)];
  return `${shellLine(['nft', how, 'rule', ...names, ...before])} ${nftText(match)} ${judgement}`;
}

/** A name that nft(8) would not take for one is written as a string. */
function nftName(name: string): string {
  return /^[A-Za-z_][\w./-]*$/.test(name) ? name : `"${name}"`;
}

function iptablesLine(
  { tool, table, chain, line }: Place,
  match: Match,
  judgement: Judgement,
): string {
  const where = line === null ? ['-A', chain] : ['-I', chain, String(line)];
  const of = table === 'filter' ? [] : ['-t', table];
  return `${shellLine([tool, ...of, ...where])} ${iptablesText(match)} -j ${judgement.toUpperCase()}`;
}

/**
 * ufw(8): rules are appended to the user's own, before the policy; to be asked first, prepended. One
 * that is there already, and says otherwise, is changed in its place.
 */
function ufwRules(
  state: HostState,
  place: Place,
  chain: string,
  matches: readonly Match[],
  judgement: Judgement,
): Change[] {
  const first = judgement === 'drop' || place.chain === chain;
  const at: Place = { ...place, chain, line: first ? 1 : null, handle: null };
  const how = judgement === 'accept' ? 'allow' : 'deny';
  const rules = matches.map((match) => ({ match, same: sameRuleAt(state, at, match) }));
  const lines = rules.map(({ match: { source, destination, protocol, port }, same }) => {
    const from = source === null ? 'any' : shortPrefix(source);
    const to = destination === null ? 'any' : shortPrefix(destination);
    const where = first && same === null ? 'prepend ' : '';
    return `ufw ${where}${how} proto ${protocol} from ${from} to ${to} port ${port}`;
  });
  return [
    {
      what: `${verb(judgement)} ${describe(matches)} by ufw`,
      command: lines.join(' && '),
      weight: 9,
      apply: (before) =>
        rules.reduce((changed, { match, same }) => {
          if (same === null) return withRules(changed, at, [match], judgement);
          // Those that were prepended meanwhile have moved it on.
          const line = sameRuleAt(changed, at, match) ?? same;
          const without = withoutRuleAt(changed, { ...at, line });
          return withRules(without, { ...at, line }, [match], judgement);
        }, before),
    },
  ];
}

/** firewall-cmd(1): a rich rule of the zone, which stands behind those that deny. */
function zoneRules(
  place: Place,
  zone: { name: string; chain: string },
  matches: readonly Match[],
  judgement: Judgement,
): Change[] {
  const chain = judgement === 'accept' ? zone.chain : zone.chain.replace(/_allow$/, '_deny');
  const at: Place = { ...place, chain, line: null, handle: null };
  const lines = matches.map((match) => {
    const open = match.source === null && match.destination === null && judgement === 'accept';
    const added = open
      ? `--add-port=${match.port}/${match.protocol}`
      : `--add-rich-rule=${shellQuoted(richRule(match, judgement))}`;
    return `firewall-cmd --zone=${zone.name} ${added}`;
  });
  return [
    {
      what: `${verb(judgement)} ${describe(matches)} in the zone ${zone.name} of firewalld`,
      command: lines.join(' && '),
      weight: 9,
      apply: (before) => withRules(before, at, matches, judgement),
    },
  ];
}

function richRule(
  { family, protocol, source, destination, port }: Match,
  judgement: Judgement,
): string {
  return [
    `rule family="${family}"`,
    ...(source === null ? [] : [`source address="${shortPrefix(source)}"`]),
    ...(destination === null ? [] : [`destination address="${shortPrefix(destination)}"`]),
    `port port="${port}" protocol="${protocol}"`,
    judgement,
  ].join(' ');
}

/** fail2ban keeps one rule for each whom it has banned. */
function unban(place: Place, jail: string, matches: readonly Match[]): Change[] {
  const [match] = matches;
  const { line } = place;
  if (matches.length !== 1 || !match?.source || line === null) return [];
  const peer = shortPrefix(match.source);
  return [
    {
      what: `Let fail2ban lift its ban on ${peer} in the jail ${jail}`,
      command: shellLine(['fail2ban-client', 'set', jail, 'unbanip', peer]),
      weight: 8,
      apply: (before) => withoutRuleAt(before, { ...place, line }),
    },
  ];
}

function verb(judgement: Judgement): string {
  return judgement === 'accept' ? 'Accept' : 'Drop';
}

/** What the rules are about, as a person says it. */
function describe(matches: readonly Match[]): string {
  const [{ protocol, port, portOf }] = matches as readonly [Match, ...Match[]];
  const ends = new Set(
    matches.map(({ source, destination }) => (portOf === 'source' ? destination : source)),
  );
  const who = [...ends].map((end) => (end === null ? 'everybody' : shortPrefix(end))).join(', ');
  return portOf === 'source'
    ? `what ${protocol.toUpperCase()} port ${port} answers to ${who}`
    : `what comes from ${who} for ${protocol.toUpperCase()} port ${port}`;
}
