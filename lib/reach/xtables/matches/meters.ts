import { type Extension, option, options, type Reader } from '../extension.js';
import type { Info } from '../info.js';

/*
 * Matches that depend on what was before, on chance or on the clock: any packet may match them, or not.
 */

const may = (text: string): Extension => ({ evaluate: () => 'may', text });

const scale = 10_000; // XT_LIMIT_SCALE
const units = [
  [1, 'sec'],
  [60, 'min'],
  [3600, 'hour'],
  [86_400, 'day'],
] as const;

/** struct xt_rateinfo. */
export const limit: Reader = (info, revision) => {
  if (revision !== 0 || !(info.isSized(40) || info.isSized(28))) return null;
  return may(`--limit ${rateText(info.u32(0), scale)} --limit-burst ${info.u32(4)}`);
};

/** An average time between packets as a rate: `3/min`. */
function rateText(between: number, per: number): string {
  if (between === 0) return 'none';
  const fitting = units.find(([seconds]) => seconds * per >= between) ?? units[3];
  const [seconds, unit] = fitting;
  return `${Math.floor((seconds * per) / between)}/${unit}`;
}

/** The rate that nftables keeps, which iptables-nft writes limits as. */
export function limitText(rate: number, unitSeconds: number, burst: number): string {
  const unit = units.find(([seconds]) => seconds === unitSeconds)?.[1] ?? `${unitSeconds}s`;
  return `--limit ${rate}/${unit} --limit-burst ${burst}`;
}

const hashlimitSizes: readonly (readonly [size: number, nameAt: number, nameLength: number])[] = [
  [0, 0, 0],
  [56, 0, 16],
  [304, 0, 255],
  [312, 0, 255],
];

/** struct xt_hashlimit_mtinfo1 to 3. */
export const hashlimit: Reader = (info, revision) => {
  const known = hashlimitSizes[revision];
  if (revision === 0 || !known || !info.isSized(known[0])) return null;
  return may(option('--hashlimit-name', info.text(known[1], known[2])));
};

const RECENT = { check: 1, set: 2, update: 4, remove: 8 } as const;

/** struct xt_recent_mtinfo and _v1, recent_mt: who is put on the list always matches. */
export const recent: Reader = (info, revision) => {
  if (revision > 1 || !info.isSized(revision === 0 ? 212 : 228)) return null;
  const does = info.u8(8);
  const invert = info.u8(9) !== 0;
  const names = Object.entries({
    '--rcheck': RECENT.check,
    '--set': RECENT.set,
    '--update': RECENT.update,
    '--remove': RECENT.remove,
  });
  const [seconds, hits] = [info.u32(0), info.u32(4)];
  const text = options(
    ...names.map(([name, bit]) => option(name, (does & bit) !== 0 ? '' : null, invert)),
    option('--seconds', seconds === 0 ? null : seconds),
    option('--hitcount', hits === 0 ? null : hits),
    option('--name', info.text(10, 200)),
    info.u8(210) === 0 ? '--rsource' : '--rdest',
  );
  if (does !== RECENT.set) return may(text);
  return { evaluate: () => (invert ? 'break' : 'continue'), text };
};

/** struct xt_connlimit_info. */
export const connlimit: Reader = (info, revision) => {
  if (revision > 1 || !(info.isSized(32) || info.isSized(28))) return null;
  const upTo = revision === 1 && (info.u32(20) & 1) !== 0;
  return may(option(upTo ? '--connlimit-upto' : '--connlimit-above', info.u32(16)));
};

/** struct xt_statistic_info. */
export const statistic: Reader = (info, revision) => {
  if (revision !== 0 || !(info.isSized(24) || info.isSized(20))) return null;
  const invert = (info.u16(2) & 1) !== 0;
  return may(
    info.u16(0) === 0
      ? `--mode random ${option('--probability', (info.u32(4) / 0x80000000).toFixed(11), invert)}`
      : `--mode nth ${option('--every', info.u32(4) + 1, invert)} --packet ${info.u32(8)}`,
  );
};

const clock = (seconds: number): string =>
  [seconds / 3600, (seconds / 60) % 60, seconds % 60]
    .map((part) => String(Math.floor(part)).padStart(2, '0'))
    .join(':');

/** struct xt_time_info. */
export const time: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(22)) return null;
  return may(`--timestart ${clock(info.u32(8))} --timestop ${clock(info.u32(12))}`);
};

/** struct xt_quota_info. */
export const quota: Reader = (info, revision) => {
  if (revision !== 0 || !(info.isSized(24) || info.isSized(20))) return null;
  return may(option('--quota', bigText(info, 8), (info.u32(0) & 1) !== 0));
};

function bigText(info: Info, at: number): string {
  return String(info.u32(at) + info.u32(at + 4) * 2 ** 32);
}
