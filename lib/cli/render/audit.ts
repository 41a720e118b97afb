import type { HostState } from '../../model/host-state.js';
import type { Cause } from '../../reach/verdict.js';
import type { Finding } from '../audit/findings.js';
import type { Policy } from '../audit/policy.js';
import { type Field, fields } from './fields.js';
import { missingText } from './missing.js';
import { PeerNames } from './peers.js';
import { printable } from './printable.js';
import { holdersText } from './processes.js';
import { hostName } from './rows.js';
import { count, enumerate, fold } from './text.js';
import { palette, type View } from './view.js';

/** How many prefixes are named before the rest is counted. The JSON has all. */
const mostPeers = 12;

/** What was held against a policy. */
export interface Audited {
  state: HostState;
  /** The policy's name, as it was given. */
  name: string;
  policy: Policy;
  findings: readonly Finding[];
  /** Was it asked whether anybody is kept out? */
  narrower: boolean;
  /** Says why. */
  reasonFor: Reasons;
}

/** Why, as the rest of a sentence. */
export type Reasons = (cause: Cause) => string;

/** How a host differs from its policy, a block for each difference; or that it does not. */
export function auditText(
  { state, name, policy, findings, narrower, reasonFor }: Audited,
  view: View,
): string {
  const colours = palette(view);
  const names = new PeerNames(state);
  const host = printable(hostName(state));
  const style = { wider: colours.danger, unknown: colours.unknown, narrower: colours.unknown };
  const blocks = findings.map((finding) =>
    [
      ...fold(headline(finding), view.width).map(style[finding.kind]),
      ...fields(entries(finding, policy, names, reasonFor), view.width, '  ', colours.faint),
    ].join('\n'),
  );
  const note = state.missing.length > 0 ? [missingText(state, view)] : [];
  const extent = narrower ? ', no wider and no narrower' : ', and no wider';
  const verdict =
    findings.length === 0
      ? `${host} is as ${printable(name)} has it${extent}.`
      : `${host} differs from ${printable(name)} in ${count(findings.length, 'way')}.`;
  return `${[fold(verdict, view.width).join('\n'), ...blocks, ...note].join('\n\n')}\n`;
}

/** The finding in one sentence, for who reads nothing else. */
export function findingWords(finding: Finding, state: HostState, reasonFor: Reasons): string {
  const names = new PeerNames(state);
  const { interface: device, peers, addresses, cause } = finding;
  if (device === null) return headline(finding);
  const who = names.describe({ interface: device, peers }, true);
  const at = enumerate(addresses, 3);
  const why = cause ? ` (${reasonFor(cause)})` : '';
  const on = `${finding.port}/${finding.protocol}`;
  switch (finding.kind) {
    case 'wider':
      return `${who} reaches ${on} at ${at}, and the policy does not let them.`;
    case 'unknown':
      return `Whether ${who} reaches ${on} at ${at} cannot be told${why}, and the policy does not let them.`;
    case 'narrower':
      return `${who} does not reach ${on} at ${at}${why}, and the policy lets them.`;
  }
}

function headline({ kind, protocol, port, sockets, interface: device }: Finding): string {
  const on = `${port}/${protocol}`;
  const holder = sockets.length === 0 ? '' : ` (${holdersText(sockets)})`;
  if (device === null) return `${on} is served by nobody, and the policy lets others reach it`;
  switch (kind) {
    case 'wider':
      return `${on}${holder} is open wider than the policy has it`;
    case 'unknown':
      return `${on}${holder} may be open wider than the policy has it`;
    case 'narrower':
      return `${on}${holder} is not open as wide as the policy has it`;
  }
}

function entries(finding: Finding, policy: Policy, names: PeerNames, reasonFor: Reasons): Field[] {
  const { interface: device, peers, addresses, forwardedTo, cause, rules } = finding;
  const list: Field[] = [];
  if (device !== null) {
    const who = names.describe({ interface: device, peers }, true);
    const all = peers.length > mostPeers ? `${enumerate(peers, mostPeers)}` : peers.join(', ');
    list.push({ label: 'Who', lines: who === all ? [who] : [who, all] });
    const on = forwardedTo === null ? '' : `, sent on to ${forwardedTo}`;
    list.push({
      label: 'Path',
      lines: [`by ${printable(device)} to ${enumerate(addresses, 4)}${on}`],
    });
  }
  if (cause) list.push({ label: 'Why', lines: [reasonFor(cause)] });
  list.push({ label: 'Policy', lines: policyLines(rules, policy) });
  return list;
}

function policyLines(rules: readonly number[], policy: Policy): string[] {
  const who = (from: readonly string[]) =>
    from.length === 0 ? 'nobody but this host' : enumerate(from, 4);
  if (rules.length === 0) return [`no rule names the port: ${who(policy.otherwise)}`];
  return rules.map((place) => {
    const { from, interfaces, comment } = policy.rules[place]!;
    const by = interfaces ? ` by ${enumerate(interfaces.map(printable), 4)}` : '';
    const what = comment === undefined ? '' : ` (${printable(comment)})`;
    return `rules[${place}]${what}: ${who(from)}${by}`;
  });
}
