import type { NftExpression, NftVerdict } from '../../../model/ruleset.js';
import type { PacketKind } from './selector.js';

/** Statements that look at no register. */
export function plainStatement(expression: NftExpression): string {
  switch (expression.kind) {
    case 'counter':
    case 'notrack':
    case 'last':
    case 'synproxy':
      return expression.kind;
    case 'log':
      return expression.prefix === '' ? 'log' : `log prefix "${expression.prefix}"`;
    case 'limit': {
      const { rate, unitSeconds, bytes, invert } = expression;
      const units: Record<number, string> = {
        1: 'second',
        60: 'minute',
        3600: 'hour',
        86400: 'day',
        604800: 'week',
      };
      const unit = units[unitSeconds] ?? `${unitSeconds} seconds`;
      return `limit rate ${invert ? 'over ' : ''}${rate}${bytes ? ' bytes' : ''}/${unit}`;
    }
    case 'quota':
      return `quota ${expression.invert ? 'over ' : ''}${expression.bytes} bytes`;
    case 'connlimit':
      return `ct count ${expression.invert ? 'over ' : ''}${expression.count}`;
    case 'objref':
      return `${objectTypes[expression.objectType] ?? 'object'} name "${expression.name}"`;
    case 'flow-offload':
      return `flow add @${expression.table}`;
    case 'match':
    case 'target':
      return `xt ${expression.kind} "${expression.name}"`;
    default:
      return netlinkForm(expression);
  }
}

const objectTypes: Record<number, string> = {
  1: 'counter',
  2: 'quota',
  3: 'ct helper set',
  4: 'limit',
  5: 'ct count',
  7: 'ct timeout set',
  8: 'meta secmark set',
  9: 'ct expectation set',
  10: 'synproxy',
};

const icmpCodes: Record<number, string> = {
  0: 'net-unreachable',
  1: 'host-unreachable',
  2: 'prot-unreachable',
  3: 'port-unreachable',
  9: 'net-prohibited',
  10: 'host-prohibited',
  13: 'admin-prohibited',
};
const icmpv6Codes = [
  'no-route',
  'admin-prohibited',
  'beyond-scope',
  'addr-unreachable',
  'port-unreachable',
  'policy-fail',
  'reject-route',
];
const icmpxCodes = ['no-route', 'port-unreachable', 'host-unreachable', 'admin-prohibited'];

/** `reject` in its forms. */
export function printReject(
  { type, code }: Extract<NftExpression, { kind: 'reject' }>,
  family: PacketKind['family'],
): string {
  if (type === 'tcp-reset') return 'reject with tcp reset';
  if (type === 'icmpx')
    return code === 1 ? 'reject' : `reject with icmpx ${icmpxCodes[code] ?? code}`;
  if (family === 'ipv6') return `reject with icmpv6 ${icmpv6Codes[code] ?? code}`;
  return `reject with icmp ${icmpCodes[code] ?? code}`;
}

/** `accept`, `jump chain`. */
export function printVerdict(verdict: NftVerdict): string {
  return 'chain' in verdict ? `${verdict.code} ${verdict.chain}` : verdict.code;
}

/** An expression without a printer, as `nft --debug=netlink` would show it. */
export function netlinkForm(expression: NftExpression): string {
  if (expression.kind === 'unknown') {
    const { name, data } = expression;
    return `[ ${data === '' ? name : `${name} 0x${data}`} ]`;
  }
  const { kind, ...fields } = expression;
  const values = Object.entries(fields)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return `[ ${[kind, ...values].join(' ')} ]`;
}
